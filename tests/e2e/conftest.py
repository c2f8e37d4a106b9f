"""A running `pixmill serve` and a boto3 client for it."""
import json
import os
import pathlib
import subprocess
import time

import boto3
import pytest
from botocore.config import Config

PROGRAM = os.environ.get("PIXMILL", str(pathlib.Path(__file__).resolve().parents[2] / "build/pixmill"))


class Service:
    def __init__(self, *arguments):
        self.process = subprocess.Popen([PROGRAM, "serve", "--listen", "127.0.0.1:0", "--ephemeral", *arguments],
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        ready = json.loads(self.process.stdout.readline())
        self.endpoint, self.access_key, self.secret_key, self.data = (ready["endpoint"], ready["accessKeyId"],
                                                                     ready["secretAccessKey"], ready["data"])
        self.s3 = self.client()

    def client(self, **keys):
        return boto3.client("s3", endpoint_url=self.endpoint, region_name="us-east-1",
                            aws_access_key_id=keys.get("access_key", self.access_key),
                            aws_secret_access_key=keys.get("secret_key", self.secret_key),
                            config=Config(signature_version="s3v4", s3={"addressing_style": "path"}, retries={"max_attempts": 1}))

    def records(self):
        out = subprocess.run([PROGRAM, "records", "--json", "--data", self.data], capture_output=True, text=True, check=True).stdout
        return {record["ImageId"]: record for record in map(json.loads, out.splitlines())}

    def wait_record(self, key, *statuses, seconds=20):
        """The record of a key once it has one of these statuses (any final one by default)."""
        statuses = statuses or ("done", "failed", "skipped", "deleted")
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            record = self.records().get(f"source-bucket/{key}")
            if record and record["Status"] in statuses:
                return record
            time.sleep(0.05)
        raise AssertionError(f"{key} is not {statuses}: {self.records().get(f'source-bucket/{key}')}")

    def close(self):
        self.process.terminate()
        assert self.process.wait(timeout=30) == 0


@pytest.fixture(scope="session")
def service():
    service = Service()
    yield service
    service.close()


@pytest.fixture
def own_service():
    """One that no other test uses."""
    service = Service()
    yield service
    service.close()


@pytest.fixture(scope="module")
def moto():
    from aws import Moto
    moto = Moto()
    yield moto
    moto.close()


@pytest.fixture
def place(moto, request):
    """Fresh buckets in moto, and a function that works between them."""
    from place import Place
    place = Place(moto, **getattr(request, "param", {}))
    yield place
    place.close()


@pytest.fixture(scope="module")
def dynamodb_local():
    from aws import dynamodb_local
    service = dynamodb_local()
    yield service
    service.close()


# A sanitizer sees the same code with either.
TABLES = ["moto"] if os.environ.get("PIXMILL_SANITIZED") else ["moto", "dynamodb_local"]


@pytest.fixture(params=TABLES)
def tabled(place, request):
    """As place, with a DynamoDB table."""
    from place import add_table
    add_table(place, request.getfixturevalue(request.param))
    yield place
    place.table_proxy.close()
