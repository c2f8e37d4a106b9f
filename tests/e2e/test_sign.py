"""`pixmill sign`: addresses that our gate takes for what they were made for and nothing else, and that botocore would sign the same for AWS."""
import datetime
import json
import os
import subprocess
import time
import urllib.parse

import botocore.auth
import pytest
import requests
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from conftest import PROGRAM

AWS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "a/secret+key", "AWS_SESSION_TOKEN": "a/token+==", "AWS_REGION": "eu-central-1"}


def sign(*arguments, environment, status=0):
    done = subprocess.run([PROGRAM, "sign", *arguments], env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **environment}, capture_output=True, text=True)
    assert done.returncode == status, done.stderr
    return done.stdout.strip() if status == 0 else done.stderr


def of(service):
    return {"AWS_ENDPOINT_URL": service.endpoint, "AWS_ACCESS_KEY_ID": service.access_key, "AWS_SECRET_ACCESS_KEY": service.secret_key, "AWS_REGION": "us-east-1"}


def test_an_address_reads_and_writes_one_object(service):
    key = "private-of-sign/ä +%2F&.txt"
    wanted = json.loads(sign("--method", "PUT", "--type", "text/plain", "--bytes", "5", "--once", "--json", f"s3://source-bucket/{key}", environment=of(service)))
    assert wanted["headers"] == {"content-type": "text/plain", "content-length": "5", "if-none-match": "*"} and wanted["method"] == "PUT"
    for change, data in (({"content-type": "text/html"}, b"12345"), ({"content-length": "6"}, b"123456")):
        assert requests.put(wanted["url"], data=data, headers={**wanted["headers"], **change}, timeout=30).status_code == 403
    assert requests.put(wanted["url"], data=b"12345", headers=wanted["headers"], timeout=30).status_code == 200
    assert requests.put(wanted["url"], data=b"54321", headers=wanted["headers"], timeout=30).status_code == 412
    url = sign(f"source-bucket/{key}", environment=of(service))
    assert requests.get(url, timeout=30).content == b"12345"
    assert requests.put(url, data=b"x", timeout=30).status_code == requests.get(url.replace(".txt", ".jpg"), timeout=30).status_code == 403
    assert requests.delete(sign("-X", "DELETE", f"source-bucket/{key}", environment=of(service)), timeout=30).status_code == 204
    assert requests.get(url, timeout=30).status_code == 404


def test_an_address_ends(service):
    url = sign("--seconds", "1", "source-bucket/nothing", environment=of(service))
    assert requests.get(url, timeout=30).status_code == 404
    time.sleep(2.1)
    assert requests.get(url, timeout=30).status_code == 403


@pytest.mark.parametrize("bucket, host", [("pictures", "pictures.s3.eu-central-1.amazonaws.com"), ("with.dots", "s3.eu-central-1.amazonaws.com")])
def test_botocore_would_sign_the_same(monkeypatch, bucket, host):
    key = "a b/ü//..+.jpg"
    made = json.loads(sign("-X", "PUT", "--type", "image/jpeg", "--bytes", "7", "--seconds", "60", "--json", f"{bucket}/{key}", environment=AWS))
    url = urllib.parse.urlsplit(made["url"])
    queries = dict(urllib.parse.parse_qsl(url.query))
    assert url.netloc == host and url.scheme == "https"
    now = datetime.datetime.strptime(queries["X-Amz-Date"], "%Y%m%dT%H%M%SZ")
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_: now)
    asked = AWSRequest("PUT", f"https://{host}{url.path}", headers=made["headers"])
    botocore.auth.S3SigV4QueryAuth(Credentials(AWS["AWS_ACCESS_KEY_ID"], AWS["AWS_SECRET_ACCESS_KEY"], AWS["AWS_SESSION_TOKEN"]), "s3", "eu-central-1",
                                   expires=60).add_auth(asked)
    assert dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(asked.url).query)) == queries
    assert urllib.parse.unquote(url.path) == ("/" if bucket in host else f"/{bucket}/") + key


def test_wrong_use_is_told():
    for arguments, wanted in ((["bucket"], "is not BUCKET/KEY"), (["s3://bucket/"], "is not BUCKET/KEY"), (["b/k", "--method", "POST"], "wanted GET, PUT"),
                              (["b/k", "--type", "a/b"], "are for --method PUT"), (["b/k", "--seconds", "604801"], "604800")):
        assert wanted in sign(*arguments, environment=AWS, status=2)
    assert "credentials" in sign("b/k", environment={"AWS_REGION": "eu-central-1", "AWS_EC2_METADATA_DISABLED": "true"}, status=1)
