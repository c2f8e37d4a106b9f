"""The program as `bootstrap` under AWS's own Lambda runtime interface emulator: one invocation of each kind, whose log is read as
CloudWatch would, in both of its formats; and a bridge that carries the notifications of `pixmill serve` to the emulator."""
import collections
import concurrent.futures
import io
import json
import os
import pathlib
import re
import signal
import threading
import time

import pytest
from botocore.exceptions import ClientError
from PIL import Image

from aws import s3_event, s3_events
from emf import check_emf
from emulator import Bridge, Emulator
from place import picture

LEVELS = "TRACE|DEBUG|INFO|WARN|ERROR|FATAL"
ERRORS = pathlib.Path(__file__).resolve().parents[2] / "docs/errors.md"
CODES = {"ok", *re.findall(r"^\| `([a-z0-9-]+)`", ERRORS.read_text(), re.MULTILINE)}
S3_ACTIONS = {"GET": "GetObject", "HEAD": "HeadObject", "PUT": "PutObject", "DELETE": "DeleteObject"}
THROTTLED = b'{"__type":"com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException","message":"slow"}'


def noise(width=1600, height=1200):
    out = io.BytesIO()
    Image.effect_noise((width, height), 80).convert("RGB").save(out, "JPEG")
    return out.getvalue()


# ---- reading the log ----

def read_json(text, request_id):
    line = json.loads(text)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["timestamp"]) and re.fullmatch(LEVELS, line["level"]), text
    assert line["requestId"] == request_id, text
    return line


def read_text(text):
    """'07:05:03.250 INFO  stored output key=a/b.jpg ms=3' as the JSON line would be."""
    found = re.fullmatch(rf"\d\d:\d\d:\d\d\.\d{{3}} ({LEVELS}) +(.*)", text)
    assert found, text
    message, *fields = re.split(r" (\w+)=", found[2])
    line = {"level": found[1], "message": message}
    for name, value in zip(fields[::2], fields[1::2]):
        try:
            line[name] = json.loads(value)
        except ValueError:
            line[name] = value
    return line


class Story:
    """What the log holds of one invocation: `lines` between its START and END, the `metrics` of its pictures, and its cold start."""

    def __init__(self, log, format):
        starts = [i for i, text in enumerate(log) if text.startswith("START RequestId: ")]
        assert starts, log
        self.request_id = re.fullmatch(r"START RequestId: ([0-9a-f-]{36}) Version: \$LATEST", log[starts[-1]])[1]
        rest = log[starts[-1] + 1:]
        end = rest.index(f"END RequestId: {self.request_id}")
        assert rest[end + 1].startswith(f"REPORT RequestId: {self.request_id}\t")
        metrics = [check_emf(text) for text in rest[:end] if text.startswith('{"_aws":')]
        self.metrics = [line for line in metrics if "Pictures" in line]
        self.cold_starts = [line for line in metrics if line not in self.metrics]
        others = [text for text in rest[:end] if not text.startswith('{"_aws":')]
        self.lines = [read_json(text, self.request_id) if format == "JSON" else read_text(text) for text in others]
        if format == "Text":
            assert not [text for text in others if text.startswith("{")], "JSON between the text"

    def all(self, message):
        return [line for line in self.lines if line["message"] == message]

    def one(self, message):
        found = self.all(message)
        assert len(found) == 1, (message, self.lines)
        return found[0]

    def actions(self, service):
        """How often each action was sent, as the log has it; every line of one has a target, a duration and a result."""
        count = collections.Counter()
        for line in self.lines:
            if line["message"].startswith(service + "."):
                assert line["target"] and isinstance(line["durationMs"], (int, float)) and line["durationMs"] >= 0, line
                assert line["result"] in CODES and isinstance(line["httpStatus"], int), line
                count[line["message"].partition(".")[2]] += line["tries"]
        return count

    def codes(self):
        """The codes of pictures that failed, by key."""
        return {line["key"].partition("/")[2]: line["code"] for line in self.all("not processed")}


class Stage:
    """The emulator with the program, and a place with a table, whose proxies count every request and inject faults."""

    def __init__(self, place, folder, format):
        self.place, self.folder, self.format, self.emulator, self.held, self.warm = place, folder, format, None, threading.Event(), False
        place.environment["AWS_LAMBDA_LOG_FORMAT"] = format

    def start(self, seconds=30):
        self.emulator = Emulator(self.folder / "function", self.place.environment, seconds)

    def hold(self, pattern, bytes, count=1):
        """Keeps back what comes after so many bytes of these downloads, until `held` is set."""
        self.place.proxy.play("GET", pattern, count, hold=bytes, until=self.held)

    def invoke(self, *keys):
        """(the answer, the log's story); every request that the proxies saw has to be in the log."""
        place = self.place
        place.proxy.seen.clear()
        place.table_proxy.seen.clear()
        answer = self.emulator.invoke(s3_events(*(s3_event(place.source, key) for key in keys)))
        story = Story(self.emulator.lines(), self.format)
        assert story.actions("s3") == collections.Counter(S3_ACTIONS[method] for method, _, _ in place.proxy.seen)
        targets = [{name.lower(): value for name, value in headers.items()}["x-amz-target"] for _, _, headers in place.table_proxy.seen]
        assert story.actions("dynamodb") == collections.Counter(target.partition(".")[2] for target in targets)
        assert story.one("event")["jobs"] == len(keys) == len(story.metrics) and story.one("event")["coldStart"] is not self.warm
        assert [line["ColdStarts"] for line in story.cold_starts] == ([] if self.warm else [1])
        self.warm = True
        for line in story.metrics + story.cold_starts:
            assert line["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Pixmill" and line["Service"] == "thumbs"
            assert line["requestId"] == story.request_id
        for line in story.metrics:
            assert line["Pictures"] + line["Failures"] == 1
        assert {line["ImageId"].partition("/")[2]: line["Code"] for line in story.metrics if line["Failures"]} == story.codes()
        return answer, story

    def close(self):
        self.held.set()
        if self.emulator:
            self.emulator.close()


@pytest.fixture(params=["JSON", "Text"])
def stage(tabled, tmp_path, request):
    stage = Stage(tabled, tmp_path, request.param)
    yield stage
    stage.close()


# ---- one invocation of each kind ----

one_table = pytest.mark.parametrize("tabled", ["moto"], indirect=True)  # what differs by the table's make is tried elsewhere

@one_table
def test_a_good_picture_s_story_is_in_the_log(stage):
    stage.place.put("a/cat.jpg")
    stage.start()
    answer, story = stage.invoke("a/cat.jpg")
    assert (answer["done"], answer["failed"]) == (1, []) and stage.place.size("a/processed-cat.jpg") == (800, 600)
    source, output = story.one("source"), story.one("output")
    assert (source["width"], source["height"], source["format"]) == (1600, 1200, "jpeg")
    assert (output["width"], output["height"]) == (800, 600) and output["bytes"] > 0
    assert {"GetObject", "PutObject"} <= set(story.actions("s3")) and {"GetItem", "UpdateItem", "PutItem"} <= set(story.actions("dynamodb"))
    metrics = story.metrics[0]
    assert not story.codes() and metrics["BytesOut"] == output["bytes"]
    stages = [metrics[f"{stage}Duration"] for stage in ("Fetch", "Engine", "Store", "Table")]
    assert all(stage > 0 for stage in stages) and sum(stages) <= metrics["Duration"], metrics
    assert story.cold_starts[0]["InitDuration"] > 0
    assert not [line for line in story.lines if line["level"] in ("ERROR", "FATAL")]


@one_table
def test_a_hopeless_picture_s_code_is_in_the_log_and_the_invocation_succeeds(stage):
    stage.place.put("cat.jpg", picture()[:4000])
    stage.start()
    answer, story = stage.invoke("cat.jpg")
    assert answer["failed"][0]["code"] == "truncated-image" and story.codes() == {"cat.jpg": "truncated-image"}
    assert stage.place.record("cat.jpg")["Status"] == "failed" and stage.place.keys() == []
    assert story.one("not processed")["level"] == "ERROR" and not story.all("output")


@one_table
def test_a_throttled_table_fails_the_invocation_and_the_next_try_does_it(stage):
    stage.place.put("cat.jpg")
    stage.start(seconds=5)
    stage.place.table_proxy.play("POST", "", 1000, status=400, body=THROTTLED)
    answer, story = stage.invoke("cat.jpg")
    assert answer["errorType"] == "Pixmill.throttled", answer
    assert story.one("the invocation failed")["code"] == "throttled"
    assert {line["result"] for line in story.lines if line["message"].startswith("dynamodb.")} == {"throttled"}
    stage.place.table_proxy.rules.clear()
    answer, story = stage.invoke("cat.jpg")
    assert answer["done"] == 1 and stage.place.size("processed-cat.jpg") == (800, 600)


@one_table
def test_the_deadline_ends_all_that_runs_or_waits_and_the_next_try_does_it(stage):
    keys = [f"{i}.jpg" for i in range(min(os.cpu_count() or 1, 14) + 2)]  # more than have a core
    body = noise()
    for key in keys:
        stage.place.put(key, body)
    stage.hold("", len(body) // 2, count=len(keys))
    stage.start(seconds=5)
    answer, story = stage.invoke(*keys)
    assert answer["errorType"] == "Pixmill.out-of-time", answer
    assert story.one("the invocation failed")["code"] == "out-of-time" and story.codes() == dict.fromkeys(keys, "out-of-time")
    assert {stage.place.record(key)["Status"] for key in keys} == {"queued"} and stage.place.keys() == []
    stage.held.set()
    answer, story = stage.invoke(keys[0])
    assert answer["done"] == 1 and stage.place.keys() == [f"processed-{keys[0]}"]


def crash(emulator, bytes, patience=30):
    """Lets the process die that has been given so many bytes of a picture: emulator > bootstrap > zygote > it."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        parents = emulator.descendants()
        for pid in parents:
            if parents.get(parents.get(parents[pid])) != emulator.process.pid:
                continue
            try:
                sizes = [entry.stat().st_size for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir()]
            except OSError:
                continue  # it has ended
            if bytes in sizes:
                os.kill(pid, signal.SIGABRT)  # of which a sanitizer says nothing in the log
                return
        time.sleep(0.01)
    raise AssertionError("no process works on the picture")


@one_table
def test_a_decoder_that_crashes_costs_its_own_record_of_ten(stage):
    keys = [f"{i}.jpg" for i in range(10)]
    for key in keys:
        stage.place.put(key, noise() if key == "6.jpg" else picture())
    stage.hold("/6.jpg", 54321)
    stage.start(seconds=60)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        invocation = pool.submit(stage.invoke, *keys)
        crash(stage.emulator, 54321)
        stage.held.set()
        answer, story = invocation.result(90)
    assert (answer["jobs"], answer["done"], [failed["code"] for failed in answer["failed"]]) == (10, 9, ["decoder-crashed"])
    assert story.codes() == {"6.jpg": "decoder-crashed"} and stage.place.record("6.jpg")["Error"]["Code"] == "decoder-crashed"
    assert stage.place.keys() == [f"processed-{key}" for key in keys if key != "6.jpg"]
    assert len(story.all("source")) == len(story.all("output")) == 9


# ---- from an upload to the picture ----

@pytest.fixture
def bridged(own_service, tmp_path):
    own_service.s3.create_bucket(Bucket="lambda-bucket")
    emulator = Emulator(tmp_path / "function", {
        "AWS_ENDPOINT_URL_S3": own_service.endpoint, "AWS_ACCESS_KEY_ID": own_service.access_key, "AWS_SESSION_TOKEN": "",
        "AWS_SECRET_ACCESS_KEY": own_service.secret_key, "PIXMILL_DESTINATION": "lambda-bucket"})
    own_service.bridge = Bridge(own_service, emulator)
    yield own_service
    own_service.bridge.close()
    emulator.close()


def wait_for(what, seconds=60):
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end
        time.sleep(0.05)
    return found


def test_an_upload_to_our_own_endpoint_goes_all_the_way_through_the_function(bridged):
    s3, bridge = bridged.s3, bridged.bridge

    def output():
        try:
            return s3.get_object(Bucket="lambda-bucket", Key="holiday/processed-red flower+ü.jpg")["Body"].read()
        except ClientError as error:
            assert error.response["Error"]["Code"] == "NoSuchKey"

    def size():
        body = output()
        if body:
            image = Image.open(io.BytesIO(body))
            image.load()
            return image.size

    s3.put_object(Bucket="source-bucket", Key="holiday/red flower+ü.jpg", Body=noise())
    assert wait_for(size) == (800, 600), bridge.answers
    s3.put_object(Bucket="source-bucket", Key="holiday/red flower+ü.jpg", Body=noise(900, 1800))
    wait_for(lambda: size() == (800, 1600))
    s3.put_object(Bucket="source-bucket", Key="broken.jpg", Body=noise()[:20000])
    wait_for(lambda: [answer for answer in bridge.answers if answer.get("errorType") == "Pixmill.truncated-image"])
    s3.delete_object(Bucket="source-bucket", Key="holiday/red flower+ü.jpg")
    wait_for(lambda: output() is None)
    assert bridged.records() == {} and "Contents" not in s3.list_objects_v2(Bucket="processed-bucket")
