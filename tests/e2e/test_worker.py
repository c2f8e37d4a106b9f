"""`pixmill worker` against moto: messages in, outputs out, and nothing lost."""
import io
import json
import os
import subprocess
import threading
import time

import pytest
from PIL import Image

from aws import KEYS, FaultProxy, s3_event, s3_events
from conftest import PROGRAM
from place import Place, add_table, make_table, picture


class Worker(Place):
    def __init__(self, moto, **environment):
        super().__init__(moto, **environment)
        self.sqs = moto.client("sqs")
        self.dead = self.sqs.create_queue(QueueName=f"dead-{self.source}")["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=self.dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        self.queue = self.sqs.create_queue(QueueName=f"queue-{self.source}", Attributes={
            "RedrivePolicy": json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": "3"})})["QueueUrl"]
        self.environment.update(PIXMILL_QUEUE=self.queue, PIXMILL_LOG_LEVEL="debug")
        self.process = None

    def run(self):
        self.lines = []
        self.process = subprocess.Popen([PROGRAM, "worker"], env={**os.environ, **KEYS, **self.environment}, stdout=subprocess.PIPE, text=True)
        self.reader = threading.Thread(target=lambda: self.lines.extend(self.process.stdout), daemon=True)
        self.reader.start()

    def send(self, key, sequencer="0A"):
        self.sqs.send_message(QueueUrl=self.queue, MessageBody=json.dumps(s3_events(s3_event(self.source, key, sequencer))))

    def left(self, queue):
        about = self.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
        return int(about["ApproximateNumberOfMessages"]) + int(about["ApproximateNumberOfMessagesNotVisible"])

    def wait(self, true, seconds=30):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            if true():
                return
            time.sleep(0.1)
        counts = {queue.rpartition("/")[2]: self.sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"] for queue in (self.queue, self.dead)}
        raise AssertionError((counts, self.lines[-40:]))

    def stop(self):
        self.process.terminate()
        code = self.process.wait(30)
        self.reader.join(10) # what it said last, too
        return code

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
        super().close()


@pytest.fixture
def worker(moto):
    worker = Worker(moto)
    yield worker
    worker.close()


@pytest.mark.parametrize("with_table", [False, True], ids=["bare", "table"])
def test_a_message_becomes_outputs_and_is_gone(worker, with_table):
    if with_table:
        make_table(worker.moto.client("dynamodb"), f"images-{worker.source}")
        worker.environment["PIXMILL_TABLE"] = f"images-{worker.source}"
    for i in range(5):
        worker.put(f"{i}.jpg")
        worker.send(f"{i}.jpg")
    worker.run()
    worker.wait(lambda: worker.left(worker.queue) == 0)
    assert len(worker.keys()) == 5 and worker.size("processed-0.jpg") == (800, 600)
    assert worker.stop() == 0
    said = [json.loads(line) for line in worker.lines]
    assert {"platform.start", "platform.report"} <= {line.get("type") for line in said} and said[-1]["message"] == "stopped"


def test_a_watermark_is_laid_over_what_the_worker_makes(worker):
    """From a bucket; the mark's colour is in its corner and nowhere else, and without the logo the job fails by name."""
    bucket = f"assets-{worker.source}"
    worker.s3.create_bucket(Bucket=bucket)
    worker.s3.put_object(Bucket=bucket, Key="logo.png", Body=picture(40, 20, "PNG", (20, 30, 220)))
    worker.environment.update(PIXMILL_WATERMARK_IMAGE=f"s3://{bucket}/logo.png", PIXMILL_WATERMARK_POSITION="top-left", PIXMILL_WATERMARK_MARGIN="0")
    worker.put("cat.jpg")
    worker.send("cat.jpg")
    worker.run()
    worker.wait(lambda: worker.left(worker.queue) == 0)
    image = Image.open(io.BytesIO(worker.s3.get_object(Bucket=worker.target, Key="processed-cat.jpg")["Body"].read()))
    assert image.size == (800, 600)
    assert all(abs(a - b) < 12 for place, colour in (((100, 40), (20, 30, 220)), ((700, 500), (200, 120, 40))) for a, b in zip(image.getpixel(place), colour))
    worker.s3.delete_object(Bucket=bucket, Key="logo.png")
    time.sleep(1.1)  # it is looked at once a second
    worker.put("dog.jpg")
    worker.send("dog.jpg")
    worker.wait(lambda: any("upload it" in line for line in worker.lines))
    assert worker.keys() == ["processed-cat.jpg"] and worker.stop() == 0


def test_poison_goes_to_the_dead_letters_and_the_good_go_on(worker):
    worker.environment["PIXMILL_DEAD_LETTERS"] = worker.dead
    for i in range(6):
        worker.put(f"{i}.jpg", picture()[:3000] if i == 1 else picture())
        worker.send(f"{i}.jpg")
    worker.run()
    worker.wait(lambda: worker.left(worker.queue) == 0)
    letter = worker.sqs.receive_message(QueueUrl=worker.dead, MessageAttributeNames=["All"])["Messages"][0]
    assert letter["MessageAttributes"]["Code"]["StringValue"] == "truncated-image"
    assert len(worker.keys()) == 5


def test_without_dead_letters_the_queue_s_own_redrive_takes_poison(worker):
    worker.put("bad.jpg", picture()[:3000])
    worker.send("bad.jpg")
    worker.run()
    worker.wait(lambda: worker.left(worker.dead) == 1 and worker.left(worker.queue) == 0)
    worker.stop()
    tries = [line for line in map(json.loads, worker.lines) if line.get("message") == "not processed"]
    assert len(tries) == 3


def test_a_long_job_keeps_its_message(worker):
    worker.environment.update(PIXMILL_VISIBILITY="2", PIXMILL_WORKERS="2")
    worker.put("cat.jpg")
    worker.proxy.play("GET", "cat", 1, delay=5)
    worker.send("cat.jpg")
    worker.run()
    worker.wait(lambda: worker.left(worker.queue) == 0)
    assert [method for method, path, _ in worker.proxy.seen if "cat" in path].count("GET") == 1


def test_a_message_that_is_to_come_again_is_let_go(worker):
    worker.environment["PIXMILL_VISIBILITY"] = "2"  # a heartbeat that held on to it would renew that for ever
    worker.put("cat.jpg")
    worker.proxy.play("GET", "cat", 6, status=500)  # all tries of the first delivery
    worker.send("cat.jpg")
    worker.run()
    worker.wait(lambda: worker.left(worker.queue) == 0)
    assert worker.keys() == ["processed-cat.jpg"]


@pytest.mark.parametrize("step", ["ReceiveMessage", "DeleteMessage", "UpdateItem", "PutItem"])
def test_a_lost_answer_loses_no_message(worker, step):
    add_table(worker, worker.moto)
    proxy = FaultProxy(worker.moto.endpoint)
    worker.environment.update(PIXMILL_VISIBILITY="2", AWS_ENDPOINT_URL_SQS=proxy.endpoint)
    (worker.table_proxy if step.endswith("Item") else proxy).play("POST", "", 1, lost=True, of=step)
    worker.put("cat.jpg")
    worker.send("cat.jpg")
    worker.run()
    worker.wait(lambda: worker.left(worker.queue) == 0)
    assert worker.stop() == 0
    assert worker.record("cat.jpg")["Status"] == "done" and worker.keys() == ["processed-cat.jpg"]
    assert [method for method, path, _ in worker.proxy.seen if "processed" in path].count("PUT") == 1
    worker.table_proxy.close()
    proxy.close()


def test_a_dead_letter_whose_answer_was_lost_is_there(worker):
    proxy = FaultProxy(worker.moto.endpoint)
    worker.environment.update(PIXMILL_DEAD_LETTERS=worker.dead, AWS_ENDPOINT_URL_SQS=proxy.endpoint)
    proxy.play("POST", "", 1, lost=True, of="SendMessage")
    worker.put("bad.jpg", picture()[:3000])
    worker.send("bad.jpg")
    worker.run()
    worker.wait(lambda: worker.left(worker.queue) == 0)
    assert worker.stop() == 0
    assert worker.left(worker.dead) >= 1 # at least once, as SQS has it
    proxy.close()


def test_dead_letters_of_sqs_are_replayed(worker):
    worker.environment["PIXMILL_DEAD_LETTERS"] = worker.dead
    for key in ("a/1.jpg", "a/2.jpg", "b/1.jpg"):
        worker.put(key, picture()[:3000])
        worker.send(key)
    worker.run()
    worker.wait(lambda: worker.left(worker.queue) == 0)
    assert worker.stop() == 0
    environment = {**os.environ, **KEYS, "AWS_ENDPOINT_URL": worker.moto.endpoint}

    def replay(*arguments):
        return subprocess.run([PROGRAM, "replay", "--json", *arguments], env=environment, capture_output=True, text=True, timeout=60)

    where = ("--dead-letters", worker.dead, "--queue", worker.queue)
    assert json.loads(replay("--code", "out-of-time", *where).stdout) == {"replayed": 0}
    assert json.loads(replay("--key", f"{worker.source}/a/*", *where).stdout) == {"replayed": 2} # the others were given back
    assert worker.left(worker.queue) == 2 and worker.left(worker.dead) == 1
    for key in ("a/1.jpg", "a/2.jpg"):
        worker.put(key)
    worker.run()
    worker.wait(lambda: worker.left(worker.queue) == 0)
    assert worker.keys() == ["a/processed-1.jpg", "a/processed-2.jpg"]
    assert json.loads(replay("--all", *where).stdout) == {"replayed": 1}
    refused = replay("--all", "--dead-letters", worker.dead)
    assert refused.returncode != 0 and "--queue" in refused.stderr


def test_a_killed_worker_loses_nothing(worker):
    worker.environment["PIXMILL_VISIBILITY"] = "2"
    worker.put("cat.jpg")
    worker.proxy.play("GET", "cat", 1, delay=3)
    worker.send("cat.jpg")
    worker.run()
    worker.wait(lambda: any(method == "GET" for method, _, _ in worker.proxy.seen))
    worker.process.kill()
    worker.process.wait()
    worker.run()
    worker.wait(lambda: worker.left(worker.queue) == 0)
    assert worker.size("processed-cat.jpg") == (800, 600)


def test_sigterm_lets_running_jobs_end(worker):
    worker.put("cat.jpg")
    worker.proxy.play("GET", "cat", 1, delay=2)
    worker.send("cat.jpg")
    worker.run()
    worker.wait(lambda: any(method == "GET" for method, _, _ in worker.proxy.seen))
    assert worker.stop() == 0
    assert worker.left(worker.queue) == 0 and worker.keys() == ["processed-cat.jpg"]


def test_a_message_that_comes_with_sigterm_is_given_back_at_once(worker):
    sqs = FaultProxy(worker.moto.endpoint)
    worker.environment.update(PIXMILL_WORKERS="1", AWS_ENDPOINT_URL_SQS=sqs.endpoint)
    held = {"pause": "after", "reached": threading.Event(), "until": threading.Event()}
    worker.put("cat.jpg")
    worker.send("cat.jpg")
    sqs.play("POST", "", 1, of="ReceiveMessage", **held)
    worker.run()
    assert held["reached"].wait(30)
    worker.process.terminate()
    worker.wait(lambda: any('"stopping"' in line for line in worker.lines))
    time.sleep(0.3)  # the line comes just before the deed
    held["until"].set()
    assert worker.process.wait(30) == 0
    about = worker.sqs.get_queue_attributes(QueueUrl=worker.queue, AttributeNames=["All"])["Attributes"]
    assert (about["ApproximateNumberOfMessages"], about["ApproximateNumberOfMessagesNotVisible"]) == ("1", "0")
    assert worker.keys() == []
    sqs.close()


def test_its_configuration_may_be_the_function_s_in_s3(worker):
    worker.s3.put_object(Bucket=worker.source, Key="conf/pixmill.yaml", Body=b"recipe: {outputs: [{width: 320}]}")
    worker.environment["PIXMILL_CONFIG"] = f"s3://{worker.source}/conf/pixmill.yaml"
    worker.put("cat.jpg")
    worker.send("cat.jpg")
    worker.run()
    worker.wait(lambda: worker.left(worker.queue) == 0)
    assert worker.size("processed-cat.jpg") == (320, 240)


def test_without_a_queue_it_says_what_is_missing(worker):
    del worker.environment["PIXMILL_QUEUE"]
    done = subprocess.run([PROGRAM, "worker"], env={**os.environ, **KEYS, **worker.environment}, capture_output=True, text=True, timeout=20)
    assert done.returncode == 2 and "PIXMILL_QUEUE" in done.stderr
