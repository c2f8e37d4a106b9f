"""The ports' contracts (tests/unit/ports), kept by S3, DynamoDB and SQS: the same files that the local store runs."""
import os
import pathlib
import subprocess
import sys

import pytest

from aws import KEYS, Moto, s3mock
from conftest import PROGRAM
from place import make_table

# Built with the unit tests, beside the program or in the folder of `./test unit`.
FOLDERS = (pathlib.Path(PROGRAM).parent, pathlib.Path(__file__).resolve().parents[2] / "build-test")
CONTRACT = next((path for path in (folder / "tests/unit/aws/contract-aws" for folder in FOLDERS) if path.exists()), None)
PUT = """#!{python}
import json, sys, urllib.parse, boto3
from botocore.config import Config
s3 = boto3.client("s3", endpoint_url={endpoint!r}, region_name="us-east-1", aws_access_key_id={id!r}, aws_secret_access_key={secret!r},
                  config=Config(s3={{"addressing_style": "path"}}))
bucket, key = sys.argv[-2:]
if sys.argv[1] == "--delete":
    s3.delete_object(Bucket=bucket, Key=key)
else:
    s3.put_object(Bucket=bucket, Key=key, Body=sys.stdin.buffer.read())
queue = {queues!r}.get(bucket)
if queue:
    sqs = boto3.client("sqs", endpoint_url=queue.rsplit("/", 2)[0], region_name="us-east-1", aws_access_key_id="testing", aws_secret_access_key="testing-secret")
    name = "ObjectRemoved:Delete" if sys.argv[1] == "--delete" else "ObjectCreated:Put"
    sqs.send_message(QueueUrl=queue, MessageBody=json.dumps({{"Records": [{{"eventSource": "aws:s3", "eventName": name, "s3": {{
        "bucket": {{"name": bucket}}, "object": {{"key": urllib.parse.quote_plus(key, safe="/"), "sequencer": "01"}}}}}}]}}))
"""


def run(which, tmp_path, s3, dynamodb, endpoint, s3_endpoint, keys, sqs=None):
    if not CONTRACT:
        pytest.skip("the contract program is built with the unit tests: ./test unit e2e")
    for i in range(20):
        s3.create_bucket(Bucket=f"contract-source-{i}")
        s3.create_bucket(Bucket=f"contract-target-{i}")
        make_table(dynamodb, f"contract-table-{i}")
        if sqs:
            sqs.create_queue(QueueName=f"contract-source-{i}-queue")
            sqs.create_queue(QueueName=f"contract-source-{i}-dead")
    queues = {f"contract-source-{i}": f"{endpoint}/123456789012/contract-source-{i}-queue" for i in range(20)} if sqs else {}
    put = tmp_path / "put"
    put.write_text(PUT.format(python=sys.executable, queues=queues, endpoint=s3_endpoint, id=keys["AWS_ACCESS_KEY_ID"], secret=keys["AWS_SECRET_ACCESS_KEY"]))
    put.chmod(0o755)
    environment = {**os.environ, **keys, "AWS_ENDPOINT_URL": endpoint, "AWS_ENDPOINT_URL_S3": s3_endpoint, "PIXMILL_TEST_PUT": str(put)}
    done = subprocess.run([CONTRACT, which], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]


def test_s3_keeps_the_store_s_contract(tmp_path, moto):
    run("store", tmp_path, moto.client("s3"), moto.client("dynamodb"), moto.endpoint, moto.endpoint, KEYS)


def test_pixmill_s_own_s3_keeps_it_too(tmp_path, own_service):
    moto = Moto()
    try:
        keys = {"AWS_ACCESS_KEY_ID": own_service.access_key, "AWS_SECRET_ACCESS_KEY": own_service.secret_key, "AWS_REGION": "us-east-1"}
        run("store", tmp_path, own_service.s3, moto.client("dynamodb"), moto.endpoint, own_service.endpoint, keys)
    finally:
        moto.close()


def test_an_s3_of_another_make_keeps_it_too(tmp_path):
    moto, other = Moto(), s3mock()
    try:
        run("store", tmp_path, other.client("s3"), moto.client("dynamodb"), moto.endpoint, other.endpoint, KEYS)
    finally:
        other.close()
        moto.close()


def test_dynamodb_keeps_the_table_s_contract(tmp_path):
    moto = Moto()
    try:
        run("table", tmp_path, moto.client("s3"), moto.client("dynamodb"), moto.endpoint, moto.endpoint, KEYS)
    finally:
        moto.close()


def test_dynamodb_local_keeps_it_too(tmp_path, dynamodb_local):
    moto = Moto()
    try:
        run("table", tmp_path, moto.client("s3"), dynamodb_local.client("dynamodb"), dynamodb_local.endpoint, moto.endpoint, KEYS)
    finally:
        moto.close()


def test_sqs_keeps_the_queue_s_contract(tmp_path):
    moto = Moto()
    try:
        run("queue", tmp_path, moto.client("s3"), moto.client("dynamodb"), moto.endpoint, moto.endpoint, KEYS, moto.client("sqs"))
    finally:
        moto.close()
