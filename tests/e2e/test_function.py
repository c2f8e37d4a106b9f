"""What a function does beside its pictures: settings from elsewhere, several invocations at once, word to others, regions."""
import json
import re
import signal
import threading
import time

import pytest

from aws import s3_event, s3_events
from place import picture


def event(place, *keys):
    return s3_events(*(s3_event(place.source, key) for key in keys))


def test_a_parameter_holds_the_configuration_and_is_read_again(place):
    ssm, name = place.moto.client("ssm"), f"/pixmill/{place.source}"
    ssm.put_parameter(Name=name, Value="recipe: {outputs: [{width: 320}]}", Type="SecureString")
    place.environment["PIXMILL_CONFIG"] = f"ssm:{name}"
    place.put("cat.jpg")
    runtime = place.start()
    assert runtime.invoke(event(place, "cat.jpg"))[0] == "response"
    assert place.size("processed-cat.jpg") == (320, 240)
    ssm.put_parameter(Name=name, Value="recipe: {outputs: [{width: 160}]}", Type="SecureString", Overwrite=True)
    time.sleep(5.2)  # how long a configuration is not looked at again
    assert runtime.invoke(event(place, "cat.jpg"))[0] == "response"
    assert place.size("processed-cat.jpg") == (160, 120)
    ssm.put_parameter(Name=name, Value="recipe: {outputs: [{wdth: 160}]}", Type="SecureString", Overwrite=True)
    time.sleep(5.2)
    place.put("dog.jpg")
    assert runtime.invoke(event(place, "dog.jpg"))[0] == "response"  # a mistake is told, and what was there stays
    assert place.size("processed-dog.jpg") == (160, 120)
    assert any("wdth" in line.get("reason", "") and line["level"] == "ERROR" for line in runtime.log())


def test_a_parameter_that_is_not_there_fails_the_start(place):
    place.environment["PIXMILL_CONFIG"] = "ssm:/pixmill/nowhere"
    runtime = place.start(wait_ready=False)
    assert runtime.process.wait(30) != 0
    assert "/pixmill/nowhere" in runtime.init_error[1]["errorMessage"]


def subscribed(place, region="us-east-1"):
    """(SNS, the ARN of a queue, a function that gives its messages)."""
    sqs, sns = place.moto.client("sqs", region=region), place.moto.client("sns", region=region)
    queue = sqs.create_queue(QueueName=f"told-{place.source}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]

    def messages():
        return [json.loads(message["Body"]) for message in sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", [])]

    return sns, arn, messages


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1"])
def test_a_topic_is_told_of_every_record_wherever_it_is(place, region):
    sns, arn, messages = subscribed(place, region)
    topic = sns.create_topic(Name=f"told-{place.source}")["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    place.environment["PIXMILL_NOTIFY"] = topic
    place.put("ü & cat.jpg")
    place.put("bad.jpg", picture()[:3000])
    place.start().invoke(event(place, "ü & cat.jpg", "bad.jpg"))
    records = {record["ImageId"].split("/", 1)[1]: record for record in (json.loads(message["Message"]) for message in messages())}
    assert records["ü & cat.jpg"]["Status"] == "done" and records["ü & cat.jpg"]["Outputs"][0]["Width"] == 800
    assert records["bad.jpg"]["Status"] == "failed" and records["bad.jpg"]["Error"]["Code"] == "truncated-image"


@pytest.mark.parametrize("region", ["us-east-1", "eu-west-1"])
def test_a_bus_is_told_of_every_record_wherever_it_is(place, region):
    _, arn, messages = subscribed(place, region)
    events, bus = place.moto.client("events", region=region), f"bus-{place.source}"
    bus_arn = events.create_event_bus(Name=bus)["EventBusArn"]
    events.put_rule(Name="all", EventBusName=bus, EventPattern=json.dumps({"source": ["pixmill"]}))
    events.put_targets(Rule="all", EventBusName=bus, Targets=[{"Id": "1", "Arn": arn}])
    place.environment["PIXMILL_NOTIFY"] = bus if region == "us-east-1" else bus_arn
    place.put("cat.jpg")
    place.start().invoke(event(place, "cat.jpg"))
    (message,) = messages()
    assert message["source"] == "pixmill" and message["detail"]["Status"] == "done" and message["detail"]["ImageId"] == f"{place.source}/cat.jpg"


def test_a_topic_that_is_not_there_does_not_fail_the_picture(place):
    place.environment["PIXMILL_NOTIFY"] = "arn:aws:sns:us-east-1:123456789012:nobody"
    place.put("cat.jpg")
    runtime = place.start()
    kind, answer = runtime.invoke(event(place, "cat.jpg"))
    assert (kind, answer["done"]) == ("response", 1)
    assert any(line.get("message") == "nobody could be told" and line["level"] == "WARN" and "nobody" in line["reason"] for line in runtime.log())


def test_invocations_run_side_by_side_where_the_runtime_wants_that(place):
    place.environment["AWS_LAMBDA_MAX_CONCURRENCY"] = "4"
    for i in range(8):
        place.put(f"{i}.jpg", picture(200, 200))
    meeting = threading.Barrier(4)
    place.proxy.play("GET", "jpg", 8, meet=meeting)  # four are asked for before one is answered
    runtime = place.start()
    started = {runtime.begin(event(place, f"{i}.jpg")): i for i in range(8)}
    for identity, i in started.items():
        kind, answer = runtime.end(identity)
        assert (kind, answer["done"]) == ("response", 1), answer
    assert not meeting.broken and len(place.keys()) == 8
    lines = runtime.log()
    for identity, i in started.items():  # each one's story can be told apart
        keys = {line["key"].rsplit("/", 1)[-1] for line in lines if line.get("requestId") == identity and line.get("message") == "done"}
        assert keys == {f"{i}.jpg"}


def test_connections_are_kept_and_a_freeze_that_outlasts_them_is_survived(place):
    for i in range(5):
        place.put(f"{i}.jpg", picture(200, 200))
    runtime = place.start()
    for i in range(4):
        assert runtime.invoke(event(place, f"{i}.jpg"))[0] == "response"
    before = place.proxy.connections
    assert before <= 2 and len(place.proxy.seen) > 8  # the next request may go out while a picture still comes in
    runtime.process.send_signal(signal.SIGSTOP)  # as Lambda does between invocations
    place.proxy.hang_up()
    runtime.process.send_signal(signal.SIGCONT)
    kind, answer = runtime.invoke(event(place, "4.jpg"))
    assert (kind, answer.get("done")) == ("response", 1), answer
    assert place.proxy.connections > before and place.size("processed-4.jpg") == (200, 200)


def test_an_answer_that_the_runtime_does_not_take_is_the_invocation_s_failure(place):
    place.put("cat.jpg")
    runtime = place.start()
    runtime.refusals.append(413)
    kind, error = runtime.invoke(event(place, "cat.jpg"))
    assert (kind, error["errorType"]) == ("error", "Pixmill.too-many-bytes"), error
    assert runtime.invoke(event(place, "cat.jpg"))[0] == "response"  # and it goes on


def test_a_runtime_that_cannot_go_on_ends_the_function(place):
    place.put("cat.jpg")
    runtime = place.start()
    runtime.refusals.append(500)
    runtime.begin(event(place, "cat.jpg"))
    assert runtime.process.wait(30) != 0
    assert any("cannot go on" in line for line in runtime.errors)


def test_with_too_little_time_left_it_goes_to_the_heavy_queue(place):
    sqs = place.moto.client("sqs")
    url = sqs.create_queue(QueueName=f"later-{place.source}")["QueueUrl"]
    place.environment.update(PIXMILL_HEAVY_QUEUE=url, PIXMILL_HEAVY_SECONDS="30")
    place.put("cat.jpg")
    runtime = place.start()
    assert runtime.invoke(event(place, "cat.jpg"), seconds=20)[0] == "response"
    assert place.keys() == []
    (message,) = sqs.receive_message(QueueUrl=url)["Messages"]
    assert json.loads(message["Body"])["Records"][0]["s3"]["object"]["key"] == "cat.jpg"
    assert any("heavy.seconds" in line.get("reason", "") for line in runtime.log())
    assert runtime.invoke(event(place, "cat.jpg"), seconds=60)[0] == "response"
    assert place.keys() == ["processed-cat.jpg"]


def test_buckets_that_a_key_of_kms_encrypts_are_read_and_written(place):
    """Their ETags are no MD5, so nothing may be concluded from them but that they differ."""
    for bucket in (place.source, place.target):
        place.s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": {
            "SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "arn:aws:kms:us-east-1:123456789012:key/x"}}]})
    runtime = place.start()
    for sequencer, size in (("0A", (1600, 1200)), ("0B", (900, 900))):
        place.put("cat.jpg", picture(*size))
        assert place.s3.head_object(Bucket=place.source, Key="cat.jpg")["ServerSideEncryption"] == "aws:kms"
        kind, answer = runtime.invoke(s3_events(s3_event(place.source, "cat.jpg", sequencer)))
        assert (kind, answer["done"]) == ("response", 1), answer
    assert place.size("processed-cat.jpg") == (800, 800)


REDIRECT = {"status": 301, "headers": {"x-amz-bucket-region": "eu-central-1"},
            "body": b"<Error><Code>PermanentRedirect</Code><Message>elsewhere</Message></Error>"}
MALFORMED = {"status": 400, "body": b"<Error><Code>AuthorizationHeaderMalformed</Code><Message>the region 'us-east-1' is wrong; expecting 'eu-central-1'"
                                    b"</Message><Region>eu-central-1</Region></Error>"}


@pytest.mark.parametrize("refusal", [REDIRECT, MALFORMED], ids=["a redirect", "the error"])
def test_a_bucket_s_region_is_learnt(place, refusal):
    place.put("cat.jpg")
    place.proxy.play("GET", "cat", 1, **refusal)
    runtime = place.start()
    assert runtime.invoke(event(place, "cat.jpg"))[0] == "response"
    assert place.keys() == ["processed-cat.jpg"]

    def regions(method):
        return [re.search("Credential=[^/]+/[0-9]+/([^/]+)/", headers["authorization"]).group(1)
                for asked, path, headers in place.proxy.seen if asked == method and place.source in path]

    assert regions("GET") == ["us-east-1", "eu-central-1"]
    place.put("dog.jpg")
    assert runtime.invoke(event(place, "dog.jpg"))[0] == "response"
    assert regions("GET")[2:] == ["eu-central-1"]  # and kept
