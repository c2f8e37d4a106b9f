"""`pixmill lambda` against moto: what Lambda gives it goes in, what S3 and the log hold afterwards is looked at."""
import io
import json
import os
import subprocess
import threading
import time

import pytest
from PIL import Image

from aws import KEYS, Runtime, s3_event, s3_events
from conftest import PROGRAM
from place import picture


def test_an_upload_becomes_a_smaller_picture(place):
    place.put("a/red flower+ü.jpg")
    runtime = place.start()
    kind, answer = runtime.invoke(s3_events(s3_event(place.source, "a/red flower+ü.jpg")))
    assert (kind, answer["done"]) == ("response", 1), runtime.lines
    assert place.keys() == ["a/processed-red flower+ü.jpg"]
    assert place.size("a/processed-red flower+ü.jpg") == (800, 600)
    head = place.s3.head_object(Bucket=place.target, Key="a/processed-red flower+ü.jpg")
    assert head["ContentType"] == "image/jpeg" and set(head["Metadata"]) >= {"pixmill-source", "pixmill-sequencer", "pixmill-recipe"}


def test_the_log_tells_the_story_and_the_metrics(place):
    place.put("cat.jpg")
    runtime = place.start()
    runtime.invoke(s3_events(s3_event(place.source, "cat.jpg")))
    lines = [line for line in runtime.log() if line.get("requestId") == "request-1"]
    said = {line.get("message"): line for line in lines}
    assert said["source"]["width"] == 1600 and said["source"]["format"] == "jpeg"
    assert said["output"]["width"] == 800 and said["output"]["height"] == 600
    assert said["event"]["coldStart"] is True and said["done"]["traceId"].startswith("Root=1-")
    for action in ("s3.GetObject", "s3.PutObject"):
        assert said[action]["result"] == "ok" and said[action]["durationMs"] > 0
    metrics = next(line for line in lines if "Pictures" in line)
    directive = metrics["_aws"]["CloudWatchMetrics"][0]
    assert directive["Namespace"] == "Pixmill" and directive["Dimensions"] == [["Service"]] and metrics["Service"] == "thumbs"
    for row in directive["Metrics"]:
        assert isinstance(metrics[row["Name"]], (int, float)) and row["Unit"] in ("Count", "Milliseconds", "Bytes")
    assert metrics["Pictures"] == 1 and metrics["Failures"] == 0 and metrics["BytesOut"] > 0
    assert "testing-secret" not in "\n".join(runtime.lines) and "testing-token" not in "\n".join(runtime.lines)


def test_a_log_of_errors_alone_still_has_the_metrics(place):
    place.environment["AWS_LAMBDA_LOG_LEVEL"] = "ERROR"
    place.put("cat.jpg")
    place.put("bad.jpg", picture()[:4000])
    runtime = place.start()
    assert runtime.invoke(s3_events(s3_event(place.source, "cat.jpg")))[0] == "response"
    lines = runtime.log()
    assert [line for line in lines if "_aws" not in line] == [] and sum(line.get("Pictures", 0) for line in lines) == 1
    assert runtime.invoke(s3_events(s3_event(place.source, "bad.jpg")))[0] == "error"
    lines = runtime.log()
    assert {line["level"] for line in lines if "_aws" not in line} == {"ERROR"} and sum(line.get("Failures", 0) for line in lines) == 1
    assert sum(line.get("ColdStarts", 0) for line in lines) == 1


def test_without_a_destination_it_cannot_start_and_says_so(place):
    del place.environment["PIXMILL_DESTINATION"]
    runtime = place.start(wait_ready=False)
    assert runtime.process.wait(20) != 0
    kind, body = runtime.init_error
    assert kind == "Pixmill.bad-config" and "PIXMILL_DESTINATION" in body["errorMessage"]


def test_the_same_event_again_changes_nothing(place):
    place.put("cat.jpg")
    runtime = place.start()
    event = s3_events(s3_event(place.source, "cat.jpg"))
    assert runtime.invoke(event)[0] == "response"
    first = place.s3.head_object(Bucket=place.target, Key="processed-cat.jpg")
    assert runtime.invoke(event)[0] == "response"
    assert place.s3.head_object(Bucket=place.target, Key="processed-cat.jpg")["LastModified"] == first["LastModified"]
    assert [method for method, path, _ in place.proxy.seen].count("PUT") == 1


def test_an_older_event_never_replaces_a_newer_result(place):
    place.put("cat.jpg")
    runtime = place.start()
    assert runtime.invoke(s3_events(s3_event(place.source, "cat.jpg", "0B")))[0] == "response"
    place.put("cat.jpg", picture(400, 400))
    assert runtime.invoke(s3_events(s3_event(place.source, "cat.jpg", "0A")))[0] == "response"
    assert place.size("processed-cat.jpg") == (800, 600)
    assert runtime.invoke(s3_events(s3_event(place.source, "cat.jpg", "0C")))[0] == "response"
    assert place.size("processed-cat.jpg") == (400, 400)


def test_outputs_follow_a_deleted_original(place):
    place.put("cat.jpg")
    runtime = place.start()
    runtime.invoke(s3_events(s3_event(place.source, "cat.jpg", "0A")))
    place.s3.delete_object(Bucket=place.source, Key="cat.jpg")
    assert runtime.invoke(s3_events(s3_event(place.source, "cat.jpg", "0B", "ObjectRemoved:Delete")))[0] == "response"
    assert place.keys() == []


def test_nobody_else_s_object_is_overwritten(place):
    place.put("cat.jpg")
    place.s3.put_object(Bucket=place.target, Key="processed-cat.jpg", Body=b"mine")
    runtime = place.start()
    kind, error = runtime.invoke(s3_events(s3_event(place.source, "cat.jpg")))
    assert (kind, error["errorType"]) == ("error", "Pixmill.output-name-taken")
    assert place.s3.get_object(Bucket=place.target, Key="processed-cat.jpg")["Body"].read() == b"mine"


def test_a_hopeless_picture_without_a_table_fails_the_invocation_with_its_code(place):
    place.put("cat.jpg", picture()[:4000])
    runtime = place.start()
    kind, error = runtime.invoke(s3_events(s3_event(place.source, "cat.jpg")))
    assert (kind, error["errorType"]) == ("error", "Pixmill.truncated-image")
    metrics = next(line for line in runtime.log() if "Pictures" in line)
    assert metrics["Code"] == "truncated-image" and metrics["_aws"]["CloudWatchMetrics"][1]["Dimensions"] == [["Service", "Code"]]


def test_a_hopeless_picture_goes_to_the_dead_letters_with_its_reason(place):
    sqs = place.moto.client("sqs")
    url = sqs.create_queue(QueueName=f"dead-{place.source}")["QueueUrl"]
    place.environment["PIXMILL_DEAD_LETTERS"] = url
    place.put("cat.jpg", b"no picture at all, but long enough to be looked at")
    place.put("dog.jpg", picture()[:4000])
    runtime = place.start()
    assert runtime.invoke(s3_events(s3_event(place.source, "dog.jpg")))[0] == "response"
    message = sqs.receive_message(QueueUrl=url, MessageAttributeNames=["All"])["Messages"][0]
    assert message["MessageAttributes"]["Code"]["StringValue"] == "truncated-image"
    assert message["MessageAttributes"]["ImageId"]["StringValue"] == f"{place.source}/dog.jpg"
    assert json.loads(message["Body"])["Records"][0]["s3"]["object"]["key"] == "dog.jpg"


def test_a_batch_reports_exactly_its_bad_messages(place):
    bodies = []
    for i in range(10):
        place.put(f"{i}.jpg", picture()[:3000] if i in (2, 7) else picture())
        bodies.append(json.dumps(s3_events(s3_event(place.source, f"{i}.jpg"))) if i != 5 else "no JSON")
    event = {"Records": [{"messageId": f"m{i}", "body": body, "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:us-east-1:1:q",
                          "attributes": {"ApproximateReceiveCount": "1"}} for i, body in enumerate(bodies)]}
    runtime = place.start()
    kind, answer = runtime.invoke(event)
    assert (kind, [item["itemIdentifier"] for item in answer["batchItemFailures"]]) == ("response", ["m2", "m5", "m7"])
    assert len(place.keys()) == 7


def test_a_batch_s_hopeless_message_is_the_dead_letter_not_the_batch(place):
    sqs = place.moto.client("sqs")
    place.environment["PIXMILL_DEAD_LETTERS"] = sqs.create_queue(QueueName=f"dead-of-{place.source}")["QueueUrl"]
    bodies = [json.dumps(s3_events(s3_event(place.source, key))) for key in ("good.jpg", "bad.jpg")]
    place.put("good.jpg")
    place.put("bad.jpg", picture()[:3000])
    event = {"Records": [{"messageId": f"m{i}", "body": body, "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:us-east-1:1:q",
                          "attributes": {"ApproximateReceiveCount": "1"}} for i, body in enumerate(bodies)]}
    kind, answer = place.start().invoke(event)
    assert (kind, answer) == ("response", {"batchItemFailures": []})
    letters = sqs.receive_message(QueueUrl=place.environment["PIXMILL_DEAD_LETTERS"], MaxNumberOfMessages=10)["Messages"]
    assert [letter["Body"] for letter in letters] == [bodies[1]]


def test_ten_records_are_fetched_side_by_side(place):
    for i in range(10):
        place.put(f"{i}.jpg", picture(200, 200))
    all_ten = threading.Barrier(10)
    place.proxy.play("GET", "jpg", 10, meet=all_ten)  # none is answered before all have been asked
    assert place.start().invoke(s3_events(*(s3_event(place.source, f"{i}.jpg") for i in range(10))))[1]["done"] == 10
    assert not all_ten.broken


@pytest.mark.parametrize("fault", [{"status": 500}, {"status": 503, "body": b"<Error><Code>SlowDown</Code></Error>"}, {"reset": True}],
                         ids=["500", "SlowDown", "reset"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
def test_a_fault_that_passes_is_tried_again(place, method, fault):
    place.put("cat.jpg")
    place.proxy.play(method, "", 2, **fault)
    kind, answer = place.start().invoke(s3_events(s3_event(place.source, "cat.jpg")))
    assert (kind, answer.get("done")) == ("response", 1), answer
    assert place.size("processed-cat.jpg") == (800, 600)


def test_a_service_says_when_to_come_again(place):
    place.put("cat.jpg")
    place.proxy.play("GET", "", 1, status=503, headers={"Retry-After": "1"})
    place.proxy.play("GET", "", 1, status=503, headers={"Retry-After": "25"})
    runtime = place.start()
    start = time.monotonic()
    kind, error = runtime.invoke(s3_events(s3_event(place.source, "cat.jpg")), seconds=60)
    assert (kind, error["errorType"]) == ("error", "Pixmill.throttled") and time.monotonic() - start >= 1
    assert [method for method, _, _ in place.proxy.seen].count("GET") == 2  # nor is an invocation held up for so long
    assert runtime.invoke(s3_events(s3_event(place.source, "cat.jpg")))[0] == "response"


def test_a_fault_that_stays_fails_the_invocation_and_leaves_it_to_be_tried_again(place):
    place.put("cat.jpg")
    place.proxy.play("PUT", "", 1000, status=503, body=b"<Error><Code>SlowDown</Code></Error>")
    runtime = place.start()
    kind, error = runtime.invoke(s3_events(s3_event(place.source, "cat.jpg")), seconds=4)
    assert (kind, error["errorType"]) == ("error", "Pixmill.throttled")
    place.proxy.rules.clear()
    assert runtime.invoke(s3_events(s3_event(place.source, "cat.jpg")))[0] == "response"
    assert place.size("processed-cat.jpg") == (800, 600)


def test_a_cut_download_goes_on_where_it_was_cut(place):
    noise = Image.effect_noise((1600, 1200), 80)
    out = io.BytesIO()
    noise.save(out, "PNG")
    place.put("noise.png", out.getvalue())
    place.proxy.play("GET", "noise", 1, cut=300000)
    assert place.start().invoke(s3_events(s3_event(place.source, "noise.png")))[0] == "response"
    assert place.size("processed-noise.jpg") == (800, 600)
    ranges = [headers["range"] for method, path, headers in place.proxy.seen if method == "GET" and "range" in headers]
    assert ranges and ranges[0].startswith("bytes=") and ranges[0] != "bytes=0-"
    assert [line["requestId"] for line in place.runtime.log() if line.get("message") == "a download broke and goes on"] == ["request-1"]
    etag = place.s3.head_object(Bucket=place.source, Key="noise.png")["ETag"]
    assert {headers.get("if-match") for method, _, headers in place.proxy.seen if "range" in headers} == {etag}  # the rest of the same object


def test_a_bit_that_changed_on_the_way_is_noticed(place):
    out = io.BytesIO()
    Image.effect_noise((1600, 1200), 80).save(out, "PNG", compress_level=0) # without the checksum it might decode
    place.s3.put_object(Bucket=place.source, Key="noise.png", Body=out.getvalue(), ChecksumAlgorithm="CRC32")
    place.proxy.play("GET", "noise", 1, flip=500000)
    runtime = place.start()
    kind, error = runtime.invoke(s3_events(s3_event(place.source, "noise.png")))
    assert (kind, error["errorType"]) == ("error", "Pixmill.network"), error
    assert place.keys() == []
    assert any("checksum" in line.get("reason", "") for line in runtime.log())
    assert runtime.invoke(s3_events(s3_event(place.source, "noise.png")))[0] == "response"
    assert place.keys() == ["processed-noise.jpg"]


@pytest.mark.parametrize("place", [{"PIXMILL_S3_MULTIPART": "1", "PIXMILL_S3_PAYER": "requester"}], indirect=True)
def test_a_big_output_goes_up_in_parts_and_the_requester_pays(place):
    place.put("cat.jpg")
    runtime = place.start()
    kind, answer = runtime.invoke(s3_events(s3_event(place.source, "cat.jpg")))
    assert (kind, answer.get("done")) == ("response", 1), answer
    assert place.size("processed-cat.jpg") == (800, 600)
    head = place.s3.head_object(Bucket=place.target, Key="processed-cat.jpg")
    assert head["ETag"].strip('"').endswith("-1") and "pixmill-source" in head["Metadata"] and head["ContentType"] == "image/jpeg"
    asked = [(method, path) for method, path, _ in place.proxy.seen]
    assert any("uploadId=" in path and method == "PUT" for method, path in asked) and any("uploads" in path for _, path in asked)
    assert all(headers.get("x-amz-request-payer") == "requester" for _, _, headers in place.proxy.seen)
    assert runtime.invoke(s3_events(s3_event(place.source, "cat.jpg")))[0] == "response" # its own ETag is known again
    assert [method for method, path in asked].count("POST") == [method for method, _, _ in place.proxy.seen].count("POST")


def test_a_multipart_upload_that_fails_leaves_no_parts(place):
    place.environment["PIXMILL_S3_MULTIPART"] = "1"
    place.put("cat.jpg")
    place.proxy.play("POST", "uploadId", 1000, status=500)
    kind, error = place.start().invoke(s3_events(s3_event(place.source, "cat.jpg")), seconds=4)
    assert kind == "error"
    assert place.s3.list_multipart_uploads(Bucket=place.target).get("Uploads", []) == [] and place.keys() == []


def test_an_output_whose_answer_was_lost_is_known_as_our_own(place):
    place.put("cat.jpg")
    place.proxy.play("PUT", "processed", 1, lost=True)
    kind, answer = place.start().invoke(s3_events(s3_event(place.source, "cat.jpg")))
    assert (kind, answer.get("done")) == ("response", 1), answer
    assert place.size("processed-cat.jpg") == (800, 600)


def test_somebody_who_writes_meanwhile_is_judged_again(place):
    place.put("cat.jpg")
    place.proxy.play("PUT", "processed", 1, status=412, body=b"<Error><Code>PreconditionFailed</Code></Error>")
    place.proxy.play("PUT", "processed", 1, status=409, body=b"<Error><Code>ConditionalRequestConflict</Code></Error>")
    assert place.start().invoke(s3_events(s3_event(place.source, "cat.jpg")))[0] == "response"
    assert place.size("processed-cat.jpg") == (800, 600)


def test_the_deadline_ends_the_work_in_time(place):
    place.put("cat.jpg")
    runtime = place.start()
    kind, error = runtime.invoke(s3_events(s3_event(place.source, "cat.jpg")), seconds=2)
    assert (kind, error["errorType"]) == ("error", "Pixmill.out-of-time")
    assert runtime.invoke(s3_events(s3_event(place.source, "cat.jpg")))[0] == "response"


def test_a_fetch_that_stalls_ends_before_the_deadline(place):
    place.put("cat.jpg")
    place.proxy.play("GET", "cat", 1, delay=40)  # longer than any silence is borne
    runtime = place.start()
    identity = runtime.begin(s3_events(s3_event(place.source, "cat.jpg")), seconds=6)
    deadline = time.time() + 6
    kind, error = runtime.end(identity)
    assert (kind, error["errorType"]) == ("error", "Pixmill.network") and time.time() < deadline
    assert runtime.invoke(s3_events(s3_event(place.source, "cat.jpg")))[0] == "response"


def test_what_is_too_heavy_goes_to_the_heavy_queue(place):
    sqs = place.moto.client("sqs")
    url = sqs.create_queue(QueueName=f"heavy-{place.source}")["QueueUrl"]
    place.environment.update(PIXMILL_HEAVY_QUEUE=url, PIXMILL_HEAVY_PIXELS="1000000", PIXMILL_HEAVY_FORMATS="png")
    place.put("ü big.jpg")
    place.put("small.jpg", picture(300, 300))
    place.put("a.png", picture(10, 10, "PNG"))
    runtime = place.start()
    for key in ("ü big.jpg", "small.jpg", "a.png"):
        assert runtime.invoke(s3_events(s3_event(place.source, key)))[0] == "response"
    assert place.keys() == ["processed-small.jpg"]
    bodies = [json.loads(message["Body"]) for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]]
    assert sorted(body["Records"][0]["s3"]["object"]["key"] for body in bodies) == ["%C3%BC%20big.jpg", "a.png"]


def test_queues_that_keep_an_order_take_what_is_sent(place):
    sqs = place.moto.client("sqs")
    heavy, dead = (sqs.create_queue(QueueName=f"{name}-{place.source}.fifo", Attributes={"FifoQueue": "true"})["QueueUrl"] for name in ("heavy", "dead"))
    place.environment.update(PIXMILL_HEAVY_QUEUE=heavy, PIXMILL_HEAVY_FORMATS="png", PIXMILL_DEAD_LETTERS=dead)
    place.put("a.png", picture(10, 10, "PNG"))
    place.put("\x01bad.jpg", picture()[:3000])
    runtime = place.start()
    for _ in range(2):  # the same event another time is another message
        assert runtime.invoke(s3_events(s3_event(place.source, "a.png")))[0] == "response"
    assert runtime.invoke(s3_events(s3_event(place.source, "\x01bad.jpg")))[0] == "response"
    assert len(sqs.receive_message(QueueUrl=heavy, MaxNumberOfMessages=10)["Messages"]) == 2
    (letter,) = sqs.receive_message(QueueUrl=dead, MessageAttributeNames=["All"])["Messages"]
    assert letter["MessageAttributes"]["ImageId"]["StringValue"] == f"{place.source}/?bad.jpg"  # SQS takes no such character


def test_a_configuration_in_s3_is_read_and_read_again(place):
    place.s3.put_object(Bucket=place.target, Key="pixmill.yaml", Body=b"recipe: {outputs: [{width: 320}]}")
    place.environment["PIXMILL_CONFIG"] = f"s3://{place.target}/pixmill.yaml"
    place.put("cat.jpg")
    runtime = place.start()
    assert runtime.invoke(s3_events(s3_event(place.source, "cat.jpg")))[0] == "response"
    assert place.size("processed-cat.jpg") == (320, 240)
    place.s3.put_object(Bucket=place.target, Key="pixmill.yaml", Body=b"recipe: {outputs: [{width: 160}]}")
    time.sleep(5.2)
    assert runtime.invoke(s3_events(s3_event(place.source, "cat.jpg")))[0] == "response"
    assert place.size("processed-cat.jpg") == (160, 120)


def test_a_configuration_that_cannot_be_read_again_in_time_stays(place):
    place.s3.put_object(Bucket=place.target, Key="pixmill.yaml", Body=b"recipe: {outputs: [{width: 320}]}")
    place.environment["PIXMILL_CONFIG"] = f"s3://{place.target}/pixmill.yaml"
    place.put("cat.jpg")
    runtime = place.start()
    time.sleep(5.2)
    place.proxy.play("HEAD", "pixmill.yaml", 10, delay=40)
    kind, answer = runtime.invoke(s3_events(s3_event(place.source, "cat.jpg")), seconds=25)
    assert (kind, answer.get("done")) == ("response", 1), answer
    assert place.size("processed-cat.jpg") == (320, 240)
    assert any(line.get("message", "").startswith("the configuration cannot be read again") for line in runtime.log())


def test_a_start_whose_configuration_does_not_come_says_so(place):
    place.environment["PIXMILL_CONFIG"] = f"s3://{place.target}/pixmill.yaml"
    place.proxy.play("GET", "pixmill.yaml", 10, delay=40)
    runtime = place.start(wait_ready=False)
    assert runtime.process.wait(30) != 0
    assert runtime.init_error[0] == "Pixmill.network"


def test_the_function_s_name_bootstrap_is_enough(place, tmp_path):
    from conftest import PROGRAM
    (tmp_path / "bootstrap").symlink_to(PROGRAM)
    place.put("cat.jpg")
    runtime = place.start(arguments=[str(tmp_path / "bootstrap")])
    assert runtime.invoke(s3_events(s3_event(place.source, "cat.jpg")))[0] == "response"


def test_an_event_of_no_known_shape_is_named(place):
    runtime = place.start()
    kind, error = runtime.invoke({"key1": "value1", "key2": "value2", "key3": "value3"})
    assert (kind, error["errorType"]) == ("error", "Pixmill.bad-event") and "hello-world" in error["errorMessage"]


# ---- with a table ----

def test_the_record_is_an_item(tabled):
    tabled.put("a/cat.jpg")
    runtime = tabled.start()
    assert runtime.invoke(s3_events(s3_event(tabled.source, "a/cat.jpg", "0055AED6DCD90281E5")))[0] == "response"
    record = tabled.record("a/cat.jpg")
    assert (record["Status"], record["Format"], record["Width"], record["Height"]) == ("done", "jpeg", 1600, 1200)
    assert record["Sequencer"] == "0055aed6dcd90281e5".ljust(32, "0") and record["Filename"] == "cat.jpg"
    output = record["Outputs"][0]
    assert (output["Key"], output["Width"], output["Height"]) == ("a/processed-cat.jpg", 800, 600)
    assert output["ETag"] == tabled.s3.head_object(Bucket=tabled.target, Key="a/processed-cat.jpg")["ETag"].strip('"')
    assert record["TraceId"].startswith("Root=1-") and "Failure" not in record
    assert {"dynamodb.GetItem", "dynamodb.UpdateItem", "dynamodb.PutItem"} <= {line.get("message") for line in runtime.log()}


def test_with_a_table_a_hopeless_picture_is_recorded_and_does_not_fail_the_invocation(tabled):
    tabled.put("cat.jpg", picture()[:4000])
    kind, answer = tabled.start().invoke(s3_events(s3_event(tabled.source, "cat.jpg")))
    assert kind == "response" and answer["failed"][0]["code"] == "truncated-image"
    record = tabled.record("cat.jpg")
    assert (record["Status"], record["Error"]["Code"], record["Failure"]) == ("failed", "truncated-image", "truncated-image")
    found = tabled.dynamodb.scan(TableName=tabled.table, IndexName="failures")["Items"]
    assert [item["ImageId"]["S"] for item in found] == [f"{tabled.source}/cat.jpg"]


def test_with_a_table_events_order_themselves_too(tabled):
    tabled.put("cat.jpg")
    runtime = tabled.start()
    event = s3_events(s3_event(tabled.source, "cat.jpg", "0B"))
    for _ in range(2):
        assert runtime.invoke(event)[0] == "response"
    assert [method for method, path, _ in tabled.proxy.seen].count("PUT") == 1
    tabled.put("cat.jpg", picture(400, 400))
    assert runtime.invoke(s3_events(s3_event(tabled.source, "cat.jpg", "0A")))[0] == "response"
    assert tabled.size("processed-cat.jpg") == (800, 600)
    tabled.s3.delete_object(Bucket=tabled.source, Key="cat.jpg")
    assert runtime.invoke(s3_events(s3_event(tabled.source, "cat.jpg", "0C", "ObjectRemoved:Delete")))[0] == "response"
    assert tabled.keys() == [] and tabled.record("cat.jpg")["Status"] == "deleted"
    assert int(tabled.record("cat.jpg")["ExpiresAt"]) > time.time() + 29 * 86400


def test_a_throttled_table_is_waited_for_and_then_left_to_another_try(tabled):
    tabled.put("cat.jpg")
    throttled = b'{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"slow"}'
    tabled.table_proxy.play("POST", "", 2, status=400, body=throttled)
    runtime = tabled.start()
    assert runtime.invoke(s3_events(s3_event(tabled.source, "cat.jpg")))[0] == "response"
    tabled.put("dog.jpg")
    tabled.table_proxy.play("POST", "", 1000, status=400, body=throttled)
    kind, error = runtime.invoke(s3_events(s3_event(tabled.source, "dog.jpg")), seconds=5)
    assert (kind, error["errorType"]) == ("error", "Pixmill.throttled")
    tabled.table_proxy.rules.clear()
    assert runtime.invoke(s3_events(s3_event(tabled.source, "dog.jpg")))[0] == "response"
    assert tabled.record("dog.jpg")["Status"] == "done"


@pytest.mark.parametrize("step", ["UpdateItem", "PutItem"])
def test_a_step_whose_answer_was_lost_is_known_as_our_own(tabled, step):
    tabled.put("cat.jpg")
    tabled.table_proxy.play("POST", "", 1, lost=True, of=step)
    runtime = tabled.start()
    kind, answer = runtime.invoke(s3_events(s3_event(tabled.source, "cat.jpg")))
    assert (kind, answer.get("done")) == ("response", 1), answer
    assert {"done"} == {line["message"] for line in runtime.log() if line.get("message") in ("done", "not processed")}
    record = tabled.record("cat.jpg")
    assert (record["Status"], record["Lease"]["Token"], record["Lease"]["Until"]) == ("done", 1, 0)
    assert [headers["x-amz-target"].rsplit(".")[-1] for _, _, headers in tabled.table_proxy.seen].count(step) == 2


def test_two_functions_that_lose_an_answer_still_make_one_result(tabled):
    tabled.put("cat.jpg")
    tabled.table_proxy.play("POST", "", 2, lost=True, of="UpdateItem")
    first, second = tabled.start(), Runtime(tabled.environment)
    try:
        event = s3_events(s3_event(tabled.source, "cat.jpg"))
        started = [(runtime, runtime.begin(event)) for runtime in (first, second)]
        answers = [runtime.end(identity) for runtime, identity in started]
        assert sorted(kind for kind, _ in answers) in (["error", "response"], ["response", "response"]), answers
        assert tabled.record("cat.jpg")["Status"] == "done"
        assert [method for method, path, _ in tabled.proxy.seen if "processed" in path].count("PUT") == 1
    finally:
        second.close()


def test_a_lease_that_cannot_be_read_is_told_and_not_taken(tabled):
    tabled.put("cat.jpg")
    tabled.dynamodb.put_item(TableName=tabled.table, Item={"ImageId": {"S": f"{tabled.source}/cat.jpg"}, "Status": {"S": "processing"}, "Lease": {
        "M": {"Owner": {"S": "x"}, "Until": {"S": "tomorrow"}, "Token": {"N": "4"}}}})
    kind, error = tabled.start().invoke(s3_events(s3_event(tabled.source, "cat.jpg")))
    assert kind == "error" and "Lease" in error["errorMessage"], error
    assert tabled.keys() == []


def test_a_claim_that_nobody_finishes_expires(tabled):
    tabled.environment["PIXMILL_RECORD_DAYS"] = "7"
    tabled.put("cat.jpg")
    tabled.table_proxy.play("POST", "", 1000, status=500, of="PutItem")
    assert tabled.start().invoke(s3_events(s3_event(tabled.source, "cat.jpg")), seconds=4)[0] == "error"
    assert tabled.record("cat.jpg")["Status"] == "processing"
    assert int(tabled.record("cat.jpg")["ExpiresAt"]) > time.time() + 6 * 86400


def test_what_somebody_else_works_on_is_tried_again_later(tabled):
    tabled.put("cat.jpg")
    tabled.dynamodb.put_item(TableName=tabled.table, Item={"ImageId": {"S": f"{tabled.source}/cat.jpg"}, "Status": {"S": "processing"}, "Lease": {
        "M": {"Owner": {"S": "x"}, "Token": {"N": "4"}, "Until": {"N": str(int(time.time() * 1000) + 3000)}}}})
    runtime = tabled.start()
    kind, error = runtime.invoke(s3_events(s3_event(tabled.source, "cat.jpg")))
    assert (kind, error["errorType"]) == ("error", "Pixmill.claimed")
    time.sleep(3)
    assert runtime.invoke(s3_events(s3_event(tabled.source, "cat.jpg")))[0] == "response"
    assert tabled.record("cat.jpg")["Lease"]["Token"] == 5


def test_what_is_handed_over_waits_in_the_record(tabled):
    url = tabled.moto.client("sqs").create_queue(QueueName=f"heavy-t-{tabled.source}")["QueueUrl"]
    tabled.environment.update(PIXMILL_HEAVY_QUEUE=url, PIXMILL_HEAVY_BYTES="1kB")
    tabled.put("cat.jpg")
    assert tabled.start().invoke(s3_events(s3_event(tabled.source, "cat.jpg")))[0] == "response"
    assert tabled.record("cat.jpg")["Status"] == "queued"


def test_records_are_listed_from_dynamodb(tabled):
    for key, body in (("a/cat.jpg", picture()), ("a/bad.jpg", picture()[:3000]), ("b/dog.jpg", picture())):
        tabled.put(key, body)
    runtime = tabled.start()
    runtime.invoke(s3_events(*(s3_event(tabled.source, key) for key in ("a/cat.jpg", "a/bad.jpg", "b/dog.jpg"))))
    environment = {**os.environ, **KEYS, "AWS_ENDPOINT_URL": tabled.table_proxy.endpoint}

    def records(*arguments):
        done = subprocess.run([PROGRAM, "records", "--json", "--table", tabled.table, *arguments], env=environment, capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        return sorted(json.loads(line)["ImageId"].split("/", 1)[1] for line in done.stdout.splitlines())

    def targets():
        return [headers["x-amz-target"].rsplit(".")[-1] for _, _, headers in tabled.table_proxy.seen]

    assert records() == ["a/bad.jpg", "a/cat.jpg", "b/dog.jpg"]
    assert records("--key", f"{tabled.source}/a/*") == ["a/bad.jpg", "a/cat.jpg"]
    assert len(records("--limit", "1")) == 1
    tabled.table_proxy.seen.clear()
    assert records("--key", f"{tabled.source}/a/cat.jpg") == ["a/cat.jpg"] and targets() == ["GetItem"]
    assert records("--status", "failed", "--code", "truncated-image") == ["a/bad.jpg"] and targets()[-1] == "Query"
    assert records("--status", "failed", "--code", "corrupt-image") == []
    assert records("--status", "failed") == ["a/bad.jpg"]
    done = subprocess.run([PROGRAM, "records", "--table", tabled.table, "--follow"], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and "--follow" in done.stderr
    done = subprocess.run([PROGRAM, "records", "--table", "nowhere"], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode != 0 and "nowhere" in done.stderr


def test_a_table_without_the_index_is_read_whole(tabled):
    tabled.dynamodb.create_table(TableName=f"{tabled.table}-bare", BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "ImageId", "KeyType": "HASH"}],
                                 AttributeDefinitions=[{"AttributeName": "ImageId", "AttributeType": "S"}])
    tabled.environment["PIXMILL_TABLE"] = f"{tabled.table}-bare"
    tabled.put("bad.jpg", picture()[:3000])
    tabled.start().invoke(s3_events(s3_event(tabled.source, "bad.jpg")))
    done = subprocess.run([PROGRAM, "records", "--json", "--status", "failed", "--code", "truncated-image", "--table", f"{tabled.table}-bare"],
                          env={**os.environ, **KEYS, "AWS_ENDPOINT_URL": tabled.table_proxy.endpoint}, capture_output=True, text=True, timeout=60)
    assert [json.loads(line)["Filename"] for line in done.stdout.splitlines()] == ["bad.jpg"], done.stderr
