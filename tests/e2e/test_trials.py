"""What DESIGN.md promises of events that come twice, late, in any order, of workers that die and of services that fail (FIGURES.md,
T20 to T28). Short here; PIXMILL_LONG=1 has the numbers of the trials. Seeds are fixed: a failure comes again."""
import concurrent.futures
import io
import json
import os
import random
import threading
import time

import pytest
from PIL import Image

from aws import FaultProxy, Runtime, s3_event, s3_events
from conftest import TABLES
from place import Place, add_table
from test_worker import Worker

LONG = bool(os.environ.get("PIXMILL_LONG"))


def size(short, long):
    return long if LONG else short


def picture(width, height=24):
    """A small one that its width tells from all others."""
    out = io.BytesIO()
    Image.new("RGB", (width, height), (width % 256, 90, 200)).save(out, "JPEG")
    return out.getvalue()


def open_mill(moto, request):
    place = Place(moto)
    if request.param == "bare":
        place.record = lambda key: None
    else:
        add_table(place, request.getfixturevalue(request.param))
    yield place
    place.close()
    if request.param != "bare":
        place.table_proxy.close()


@pytest.fixture(params=["bare", *TABLES])
def mill(moto, request):
    """A place with and without a table; record(key) is None without."""
    yield from open_mill(moto, request)


@pytest.fixture(params=["bare", "dynamodb_local"])
def racing_mill(moto, request):
    """moto's table tells nobody who came first: two threads of it can both find a condition true, and read a half-written item."""
    yield from open_mill(moto, request)


class Functions:
    """Several functions behind one event source that delivers again what failed, as Lambda and SQS do."""

    def __init__(self, place, count):
        self.runtimes = [Runtime(place.environment) for _ in range(count)]

    def deliver(self, batches, tries=60):
        left = list(batches)
        lock = threading.Lock()

        def work(runtime):
            while True:
                with lock:
                    if not left:
                        return
                    batch = left.pop(0)
                for attempt in range(tries):
                    kind, answer = runtime.invoke(s3_events(*batch))
                    if kind == "response":
                        break
                    time.sleep(0.02 * (1 + attempt % 10))
                assert kind == "response", answer

        with concurrent.futures.ThreadPoolExecutor() as pool:
            for future in [pool.submit(work, runtime) for runtime in self.runtimes]:
                future.result()

    def close(self):
        for runtime in self.runtimes:
            runtime.close()


def widths(place):
    """{key of an output: its width}, of all that is in the destination."""
    found = {}
    for page in place.s3.get_paginator("list_objects_v2").paginate(Bucket=place.target):
        for entry in page.get("Contents", []):
            found[entry["Key"]] = Image.open(io.BytesIO(place.s3.get_object(Bucket=place.target, Key=entry["Key"])["Body"].read())).size[0]
    return found


def batches_of(events, count):
    return [events[i:i + count] for i in range(0, len(events), count)]


def test_t20_events_that_come_again_and_shuffled_make_the_same_end(mill):
    order, keys, events, expected = random.Random(20), size(30, 1350), [], {}
    for i in range(keys):
        key = f"{i}.jpg"
        versions = order.randint(1, 4)
        for version in range(versions):
            events += [s3_event(mill.source, key, f"{version + 1:02X}")] * order.randint(1, 5)
        expected[f"processed-{i}.jpg"] = 20 + i % 700
        mill.put(key, picture(20 + i % 700))
    order.shuffle(events)
    functions = Functions(mill, 3)
    try:
        functions.deliver(batches_of(events, 4))
        assert widths(mill) == expected
        for i in range(keys):
            record = mill.record(f"{i}.jpg")
            assert record is None or (record["Status"], len(record["Outputs"])) == ("done", 1)
    finally:
        functions.close()


def test_t21_any_order_of_puts_and_deletions_ends_with_what_is_there(mill):
    order, histories, expected, events = random.Random(21), size(25, 1000), {}, []
    for i in range(histories):
        key, sequencer, present = f"{i}.jpg", order.randrange(1 << 20), None
        for _ in range(order.randint(1, 5)):
            sequencer += order.randint(1, 1 << 12)
            text = f"{sequencer:X}"  # of unequal lengths
            if present and order.random() < 0.4:
                mill.s3.delete_object(Bucket=mill.source, Key=key)
                present = None
                events.append(s3_event(mill.source, key, text, "ObjectRemoved:Delete"))
            else:
                present = 20 + order.randrange(700)
                mill.put(key, picture(present))
                events.append(s3_event(mill.source, key, text))
        if present:
            expected[f"processed-{i}.jpg"] = present
    events += order.sample(events, len(events) // 2)
    order.shuffle(events)
    functions = Functions(mill, 2)
    try:
        functions.deliver(batches_of(events, 3))
        assert widths(mill) == expected
        for i in range(histories):
            record = mill.record(f"{i}.jpg")
            assert record is None or record["Status"] == ("done" if f"processed-{i}.jpg" in expected else "deleted"), record
    finally:
        functions.close()


def test_t22_every_kind_of_key_is_the_object_s_own(mill):
    keys = ["a b+c.jpg", "100%.jpg", "%41.jpg", "ü/ß é.jpg", "日本/写真.jpg", "\U0001f431\U0001f4f7.jpg", "a/../b.jpg", "./c.jpg", "//d.jpg", "e//f.jpg", "q?x=1&y=2#z.jpg",
            "quote\"s'<>.jpg", "tilde~!*().jpg", "x" * 200 + "/" + "y" * 200 + "/" + "ü" * 300 + ".jpg", "no extension", ".hidden.jpg",
            "d" * 1001 + "/a." + "x" * 20]  # 1,024 bytes, the most that there are
    for i, key in enumerate(keys):
        mill.put(key, picture(30 + i))
    functions = Functions(mill, 1)
    try:
        functions.deliver([[s3_event(mill.source, key)] for key in keys])

        def output(key):
            folder, slash, name = key.rpartition("/")
            stem = name[:name.rindex(".")] if "." in name[1:] else name
            return f"{folder}{slash}processed-{stem}.jpg"

        found = widths(mill)
        assert {key: found.get(output(key)) for key in keys} == {key: 30 + i for i, key in enumerate(keys)}
        assert len(found) == len(keys)
        (runtime,) = functions.runtimes
        kind, answer = runtime.invoke({"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "2026-01-01T00:00:00.000Z", "Bucket": mill.source,
                                       "RequestId": "x", "HostId": "y"})
        assert (kind, answer["failed"]) == ("response", [])
    finally:
        functions.close()


def test_t26_what_pixmill_made_is_never_its_own_input(mill):
    """An output's event comes back, as a bucket that is wired to itself would send it; and outputs are copied into the source."""
    functions = Functions(mill, 1)
    count = size(20, 1000)
    try:
        for i in range(count):
            mill.put(f"{i}.jpg", picture(40))
        functions.deliver(batches_of([s3_event(mill.source, f"{i}.jpg") for i in range(count)], 10))
        functions.deliver(batches_of([s3_event(mill.target, f"processed-{i}.jpg") for i in range(count)], 10))
        for i in range(count):
            mill.s3.copy_object(Bucket=mill.source, Key=f"copy-{i}.jpg", CopySource={"Bucket": mill.target, "Key": f"processed-{i}.jpg"})
        functions.deliver(batches_of([s3_event(mill.source, f"copy-{i}.jpg") for i in range(count)], 10))
        assert set(widths(mill)) == {f"processed-{i}.jpg" for i in range(count)}
        said = [line.get("code") for line in functions.runtimes[0].log() if line.get("message") == "not processed"]
        assert said == ["recursive"] * count
    finally:
        functions.close()


STEPS = {
    "taken": ("sqs", "ReceiveMessage", "after"), "before the fetch": ("s3", "GET /SOURCE", "before"), "before the claim": ("table", "UpdateItem", "before"),
    "claimed": ("table", "UpdateItem", "after"), "before the first output": ("s3", "PUT web", "before"), "first output stored": ("s3", "PUT web", "after"),
    "before the second": ("s3", "PUT thumb", "before"), "all outputs stored": ("s3", "PUT thumb", "after"), "before the record": ("table", "PutItem", "before"),
    "recorded": ("table", "PutItem", "after"), "before the acknowledgement": ("sqs", "DeleteMessage", "before"), "acknowledged": ("sqs", "DeleteMessage", "after"),
}


def held_at(place, step, moto, sqs=None):
    """Gives the place a table and a recipe of two outputs, and plays one fault that holds the program at the step."""
    service, what, when = STEPS[step]
    add_table(place, moto)
    place.environment.update(PIXMILL_LIMITS_SECONDS="2", PIXMILL_RECIPE=json.dumps(
        {"outputs": [{"id": "web", "name": "web-{stem}.jpg", "width": 60}, {"id": "thumb", "name": "thumb-{stem}.jpg", "width": 30}]}))
    fault = {"stop": when, "reached": threading.Event(), "until": threading.Event()}
    if service == "s3":
        method, path = what.replace("SOURCE", place.source).split()
        place.proxy.play(method, path, 1, **fault)
    else:
        (sqs if service == "sqs" else place.table_proxy).play("POST", "", 1, of=what, **fault)
    return fault


def killed_at(moto, step):
    """Kills a worker with -9 while it is held at the step, starts another, and looks at the end."""
    worker, sqs = Worker(moto), FaultProxy(moto.endpoint)
    fault = held_at(worker, step, moto, sqs)
    worker.environment.update(PIXMILL_VISIBILITY="2", PIXMILL_WORKERS="1", AWS_ENDPOINT_URL_SQS=sqs.endpoint)
    try:
        worker.put("cat.jpg", picture(100))
        worker.send("cat.jpg")
        worker.run()
        assert fault["reached"].wait(30), (step, worker.lines[-5:])
        worker.process.kill()
        worker.process.wait()
        fault["until"].set()
        worker.run()
        worker.wait(lambda: any("taking jobs" in line for line in worker.lines) and worker.left(worker.queue) == 0, 60)
        assert worker.stop() == 0
        assert widths(worker) == {"web-cat.jpg": 60, "thumb-cat.jpg": 30}, step
        record = worker.record("cat.jpg")
        assert (record["Status"], sorted(output["Key"] for output in record["Outputs"])) == ("done", ["thumb-cat.jpg", "web-cat.jpg"]), step
        assert worker.left(worker.dead) == 0
    finally:
        worker.close()
        worker.table_proxy.close()
        sqs.close()


def function_killed_at(moto, step):
    """The same of a function; Lambda delivers the event again."""
    place = Place(moto)
    fault = held_at(place, step, moto)
    event = s3_events(s3_event(place.source, "cat.jpg"))
    try:
        place.put("cat.jpg", picture(100))
        first = place.start()
        first.begin(event, seconds=5)
        assert fault["reached"].wait(30), (step, first.lines[-5:])
        first.process.kill()
        first.process.wait()
        fault["until"].set()
        second = Runtime(place.environment)
        for _ in range(40):
            kind, answer = second.invoke(event)
            if kind == "response":
                break
            assert answer["errorType"] == "Pixmill.claimed", answer  # the dead one's lease runs out
            time.sleep(0.5)
        second.close()
        assert kind == "response" and widths(place) == {"web-cat.jpg": 60, "thumb-cat.jpg": 30}, step
        assert place.record("cat.jpg")["Status"] == "done"
    finally:
        place.close()
        place.table_proxy.close()


def test_t23_a_job_whose_function_is_killed_at_any_step_ends_whole(moto):
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        for future in [pool.submit(function_killed_at, moto, step) for step in STEPS if STEPS[step][0] != "sqs" for _ in range(size(1, 4))]:
            future.result()


def test_t23_a_job_whose_worker_is_killed_at_any_step_ends_whole(moto):
    with concurrent.futures.ThreadPoolExecutor(6) as pool:
        for future in [pool.submit(killed_at, moto, step) for step in STEPS for _ in range(size(1, 4))]:
            future.result()


@pytest.mark.parametrize("own", [False, True], ids=["the queue's redrive", "dead letters of its own"])
def test_t24_poison_does_not_stand_in_the_way(moto, own):
    worker = Worker(moto)
    try:
        if own:
            worker.environment["PIXMILL_DEAD_LETTERS"] = worker.dead
        arn = worker.sqs.get_queue_attributes(QueueUrl=worker.dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        worker.sqs.set_queue_attributes(QueueUrl=worker.queue, Attributes={"RedrivePolicy": json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": "5"})})
        order, good, bad = random.Random(24), size(60, 1000), size(6, 50)
        keys = [f"good/{i}.jpg" for i in range(good)] + [f"bad/{i}.jpg" for i in range(bad)]
        order.shuffle(keys)
        for key in keys:
            worker.put(key, picture(40) if key.startswith("good") else picture(40)[:300])
            worker.send(key)
        worker.run()
        worker.wait(lambda: worker.left(worker.queue) == 0 and worker.left(worker.dead) == bad, size(60, 500))
        assert worker.stop() == 0
        assert len(widths(worker)) == good
        failures = [line["key"] for line in map(json.loads, worker.lines) if line.get("message") == "not processed"]
        assert sorted(failures) == sorted(f"{worker.source}/bad/{i}.jpg" for i in range(bad) for _ in range(1 if own else 5))  # maxReceiveCount
        letters = []
        while got := worker.sqs.receive_message(QueueUrl=worker.dead, MaxNumberOfMessages=10, MessageAttributeNames=["All"]).get("Messages"):
            letters += got
        assert len(letters) == bad
        assert not own or {letter["MessageAttributes"]["Code"]["StringValue"] for letter in letters} == {"truncated-image"}
    finally:
        worker.close()


def test_t27_of_two_at_once_one_makes_the_result(racing_mill):
    functions = Functions(racing_mill, 2)
    try:
        for i in range(size(10, 100)):
            racing_mill.put(f"{i}.jpg", picture(50))
            event = s3_events(s3_event(racing_mill.source, f"{i}.jpg"))
            started = [(runtime, runtime.begin(event)) for runtime in functions.runtimes]
            answers = [runtime.end(identity) for runtime, identity in started]
            assert "response" in [kind for kind, _ in answers], answers
            for kind, error in answers:
                assert kind == "response" or error["errorType"] in ("Pixmill.claimed", "Pixmill.throttled"), error
            stored = [path for method, path, _ in racing_mill.proxy.seen if method == "PUT" and path.endswith(f"processed-{i}.jpg")]
            record = racing_mill.record(f"{i}.jpg")
            assert record is None or (record["Status"], len(stored)) == ("done", 1)
        assert widths(racing_mill) == {f"processed-{i}.jpg": 50 for i in range(size(10, 100))}
    finally:
        functions.close()


def test_t27_of_two_workers_with_the_same_message_one_makes_the_result(moto, dynamodb_local):
    """The queue delivers a message twice while it is worked on, for longer than its visibility."""
    worker = Worker(moto)
    add_table(worker, dynamodb_local)
    worker.environment.update(PIXMILL_VISIBILITY="2", PIXMILL_WORKERS="4")
    count = size(8, 100)
    other = Worker(moto)
    other.environment = {**worker.environment}
    try:
        for i in range(count):
            worker.put(f"{i}.jpg", picture(50))
            worker.proxy.play("GET", f"/{i}.jpg", 1, delay=3)
            worker.send(f"{i}.jpg")
            worker.send(f"{i}.jpg")
        worker.run()
        other.run()
        worker.wait(lambda: worker.left(worker.queue) == 0, size(60, 600))
        assert worker.stop() == 0 and other.stop() == 0 and worker.left(worker.dead) == 0
        stored = [path for method, path, _ in worker.proxy.seen if method == "PUT" and "processed-" in path]
        assert len(stored) == len(set(stored)) == count
        assert widths(worker) == {f"processed-{i}.jpg": 50 for i in range(count)}
        assert all(worker.record(f"{i}.jpg")["Status"] == "done" for i in range(count))
    finally:
        worker.close()
        other.close()
        worker.table_proxy.close()


def test_t28_one_fault_in_ten_loses_no_event(moto):
    worker, sqs = Worker(moto), FaultProxy(moto.endpoint)
    add_table(worker, moto)
    throttled = {"status": 400, "body": b'{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"slow"}'}
    slow_down = {"status": 503, "body": b"<Error><Code>SlowDown</Code></Error>"}
    worker.environment.update(PIXMILL_VISIBILITY="5", PIXMILL_LIMITS_SECONDS="5", PIXMILL_MAX_ATTEMPTS="100", PIXMILL_WORKERS="4", AWS_ENDPOINT_URL_SQS=sqs.endpoint)
    worker.sqs.set_queue_attributes(QueueUrl=worker.queue, Attributes={"RedrivePolicy": ""})
    worker.proxy.play_at_random(1, 0.1, slow_down, {"status": 500}, {"reset": True}, {"lost": True}, {"delay": 0.5})
    worker.table_proxy.play_at_random(2, 0.1, throttled, {"status": 500}, {"reset": True}, {"lost": True}, {"delay": 0.5})
    sqs.play_at_random(3, 0.1, {"status": 500}, {"reset": True}, {"lost": True}, {"delay": 0.5})
    try:
        count = size(60, 10000)
        for i in range(count):
            worker.put(f"{i}.jpg", picture(20 + i % 700))
            worker.send(f"{i}.jpg")
        worker.run()
        worker.wait(lambda: worker.left(worker.queue) == 0, size(120, 3000))
        assert worker.stop() == 0
        assert widths(worker) == {f"processed-{i}.jpg": 20 + i % 700 for i in range(count)}
        assert all(worker.record(f"{i}.jpg")["Status"] == "done" for i in range(count))
    finally:
        worker.close()
        worker.table_proxy.close()
        sqs.close()
