"""The role of docs/lambda.md under moto's enforcement: enough for all of the function's work, and for nothing else that is tried.

moto checks signatures, actions, and the resources of S3; to DynamoDB and SQS it allows an action only where the policy names every
resource, so there the test widens them. That they are narrow is shown by the text alone: no statement has a wildcard for a resource
but within a bucket or log group."""
import json
import pathlib
import re
import urllib.request

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from aws import Moto, s3_event, s3_events
from place import Place, make_table, picture

PAGE = pathlib.Path(__file__).resolve().parents[2] / "docs/lambda.md"
ADMIN = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}


def policy(**names):
    text = next(block for block in re.findall(r"```json\n(.*?)```", PAGE.read_text(), re.DOTALL) if '"Statement"' in block)
    for name, value in {"REGION": "us-east-1", "ACCOUNT": "123456789012", "FUNCTION": "thumbs", **names}.items():
        text = text.replace(name, value)
    return json.loads(text)


def for_moto(document):
    for statement in document["Statement"]:
        if not str(statement["Resource"]).count(":s3:"):
            statement["Resource"] = "*"
    return document


@pytest.fixture
def enforced():
    """A moto of its own, which lets nobody do what no policy allows; `as_role(policy)` gives keys and `client(service, keys)` a client."""
    moto = Moto()
    iam = moto.client("iam")

    def user(name, document):
        iam.create_user(UserName=name)
        iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=json.dumps(document))
        key = iam.create_access_key(UserName=name)["AccessKey"]
        return {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}

    def client(service, keys):
        return boto3.client(service, endpoint_url=moto.endpoint, region_name="us-east-1", **keys,
                            config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}))

    moto.user, moto.of = user, client
    moto.admin = user("admin", ADMIN)
    moto.client = lambda service, endpoint=None: client(service, moto.admin)
    urllib.request.urlopen(urllib.request.Request(moto.endpoint + "/moto-api/reset-auth", b"0", {"Content-Type": "text/plain"}, method="POST"))
    iam = client("iam", moto.admin)
    yield moto
    moto.close()


def function(moto, document_of, **environment):
    """A place whose function runs with exactly that policy."""
    place = Place(moto)
    make_table(moto.client("dynamodb"), "images")
    sqs = moto.client("sqs")
    heavy, dead = (sqs.create_queue(QueueName=name)["QueueUrl"] for name in ("HEAVY", "DEAD"))
    place.keys_of_role = moto.user("function", for_moto(document_of(place)))
    place.environment.update(AWS_ACCESS_KEY_ID=place.keys_of_role["aws_access_key_id"], AWS_SECRET_ACCESS_KEY=place.keys_of_role["aws_secret_access_key"],
                             AWS_SESSION_TOKEN="", PIXMILL_TABLE="images", PIXMILL_HEAVY_QUEUE=heavy, PIXMILL_DEAD_LETTERS=dead, PIXMILL_HEAVY_FORMATS="png",
                             **environment)
    return place


def names(place):
    return {"SOURCE": place.source, "DESTINATION": place.target, "ASSETS": f"assets-{place.source}"}


def run(place, *records):
    kind, answer = (place.runtime or place.start()).invoke(s3_events(*records))
    assert kind == "response", (answer, place.runtime.lines[-20:])
    return answer


def test_the_role_is_enough_for_all_of_the_work(enforced):
    place = function(enforced, lambda place: policy(**names(place)))
    try:
        place.put("cat.jpg")
        place.put("bad.jpg", picture()[:3000])
        place.put("drawing.png", picture(format="PNG"))
        assert run(place, s3_event(place.source, "cat.jpg", "0A"))["done"] == 1
        assert run(place, s3_event(place.source, "bad.jpg"))["failed"][0]["code"] == "truncated-image"
        assert run(place, s3_event(place.source, "drawing.png"))["done"] == 1  # handed over
        assert run(place, s3_event(place.source, "nothing.jpg"))["jobs"] == 1  # told from forbidden
        place.put("cat.jpg", picture(1000, 1000))
        assert run(place, s3_event(place.source, "cat.jpg", "0B"))["done"] == 1
        assert place.size("processed-cat.jpg") == (800, 800)
        place.s3.delete_object(Bucket=place.source, Key="cat.jpg")
        assert run(place, s3_event(place.source, "cat.jpg", "0C", "ObjectRemoved:Delete"))["done"] == 1
        assert place.keys() == []
        place.environment["PIXMILL_S3_MULTIPART"] = "1"
        place.runtime.close()
        place.runtime = None
        place.put("big.jpg")
        assert run(place, s3_event(place.source, "big.jpg"))["done"] == 1
        assert not [line for line in place.runtime.log() if line.get("result") == "access-denied"]
        assert enforced.client("sqs").receive_message(QueueUrl=place.environment["PIXMILL_HEAVY_QUEUE"])["Messages"]
        assert enforced.client("sqs").receive_message(QueueUrl=place.environment["PIXMILL_DEAD_LETTERS"])["Messages"]
    finally:
        place.close()


@pytest.mark.parametrize("granted", [True, False])
def test_a_logo_in_a_bucket_needs_the_statement_about_it(enforced, granted):
    def document(place):
        made = policy(**names(place))
        made["Statement"] = [statement for statement in made["Statement"] if granted or "assets" not in str(statement["Resource"])]
        return made

    place = function(enforced, document)
    try:
        place.s3.create_bucket(Bucket=f"assets-{place.source}")
        place.s3.put_object(Bucket=f"assets-{place.source}", Key="logo.png", Body=picture(40, 20, "PNG"))
        place.environment["PIXMILL_WATERMARK_IMAGE"] = f"s3://assets-{place.source}/logo.png"
        place.put("cat.jpg")
        kind, answer = place.start().invoke(s3_events(s3_event(place.source, "cat.jpg")))
        if granted:
            assert kind == "response" and answer["done"] == 1 and place.size("processed-cat.jpg") == (800, 600)
        else:
            assert place.keys() == [] and "access-denied" in json.dumps(answer), answer
    finally:
        place.close()


def test_without_deleting_the_role_needs_no_right_to(enforced):
    def document(place):
        made = policy(**names(place))
        for statement in made["Statement"]:
            if "s3:DeleteObject" in statement["Action"]:
                statement["Action"] = [action for action in statement["Action"] if action != "s3:DeleteObject"]
        return made

    place = function(enforced, document, PIXMILL_ON_DELETE="keep")
    try:
        place.put("cat.jpg")
        assert run(place, s3_event(place.source, "cat.jpg", "0A"))["done"] == 1
        place.s3.delete_object(Bucket=place.source, Key="cat.jpg")
        assert run(place, s3_event(place.source, "cat.jpg", "0B", "ObjectRemoved:Delete"))["done"] == 1
        assert place.keys() == ["processed-cat.jpg"]
        assert not [line for line in place.runtime.log() if line.get("result") == "access-denied"]
    finally:
        place.close()


def test_one_right_less_and_the_function_says_so(enforced):
    def document(place):
        made = policy(**names(place))
        made["Statement"] = [statement for statement in made["Statement"] if "dynamodb:GetItem" not in statement["Action"]]
        return made

    place = function(enforced, document)
    try:
        place.put("cat.jpg")
        kind, answer = place.start().invoke(s3_events(s3_event(place.source, "cat.jpg")))
        denied = json.dumps(answer)
        assert "access-denied" in denied and "dynamodb" in denied.lower() or "UpdateItem" in denied, answer
        assert place.keys() == []
        lines = place.runtime.log()
        assert [line["Failures"] for line in lines if "Failures" in line] == [1]  # the alarm's metric sees it
        assert any(line.get("message") == "not processed" and line["code"] == "access-denied" for line in lines)
    finally:
        place.close()


def test_all_else_is_denied(enforced):
    place = function(enforced, lambda place: policy(**names(place)))
    try:
        place.put("cat.jpg")
        place.s3.create_bucket(Bucket="elsewhere")
        place.s3.put_object(Bucket="elsewhere", Key="k", Body=b"x")
        s3, dynamodb, sqs, iam = (enforced.of(service, place.keys_of_role) for service in ("s3", "dynamodb", "sqs", "iam"))
        heavy = place.environment["PIXMILL_HEAVY_QUEUE"]
        tries = {
            "read elsewhere": lambda: s3.get_object(Bucket="elsewhere", Key="k"),
            "write elsewhere": lambda: s3.put_object(Bucket="elsewhere", Key="k", Body=b"y"),
            "list elsewhere": lambda: s3.list_objects_v2(Bucket="elsewhere"),
            "write the source": lambda: s3.put_object(Bucket=place.source, Key="cat.jpg", Body=b"y"),
            "delete in the source": lambda: s3.delete_object(Bucket=place.source, Key="cat.jpg"),
            "delete a bucket": lambda: s3.delete_bucket(Bucket=place.target),
            "list buckets": lambda: s3.list_buckets(),
            "change a bucket's policy": lambda: s3.put_bucket_policy(Bucket=place.source, Policy=json.dumps(ADMIN)),
            "scan the table": lambda: dynamodb.scan(TableName="images"),
            "delete a record": lambda: dynamodb.delete_item(TableName="images", Key={"ImageId": {"S": "x"}}),
            "delete the table": lambda: dynamodb.delete_table(TableName="images"),
            "take from a queue": lambda: sqs.receive_message(QueueUrl=heavy),
            "empty a queue": lambda: sqs.purge_queue(QueueUrl=heavy),
            "give itself rights": lambda: iam.put_user_policy(UserName="function", PolicyName="more", PolicyDocument=json.dumps(ADMIN)),
        }
        allowed = []
        for name, attempt in tries.items():
            try:
                attempt()
                allowed.append(name)
            except ClientError as refusal:
                assert "AccessDenied" in str(refusal), (name, refusal)
        assert allowed == []
    finally:
        place.close()


def test_no_statement_names_more_than_it_needs():
    for statement in policy()["Statement"]:
        actions, resources = ([value] if isinstance(value, str) else value for value in (statement["Action"], statement["Resource"]))
        assert not any("*" in action for action in actions)
        for resource in resources:
            assert resource.startswith("arn:aws:") and re.fullmatch(r"[^*]*(/\*|:\*)?", resource) and resource.count("*") <= 1, resource
