"""kill -9 at random under upload load: every acknowledged object is there, every job reaches its end, no output is torn.

Five rounds here; PIXMILL_LONG=1 makes it twenty."""
import hashlib
import io
import json
import os
import random
import signal
import subprocess
import threading
import time

import boto3
from botocore.config import Config
from PIL import Image

from conftest import PROGRAM

ROUNDS = 20 if os.environ.get("PIXMILL_LONG") else 5
KEYS = {"PIXMILL_ACCESS_KEY_ID": "DURABLE", "PIXMILL_SECRET_ACCESS_KEY": "durable-secret"}


def start(data):
    process = subprocess.Popen([PROGRAM, "serve", "--listen", "127.0.0.1:0", "--data", str(data)], stdout=subprocess.DEVNULL,
                               stderr=subprocess.PIPE, text=True, env=os.environ | KEYS)
    line = process.stderr.readline()
    assert "listens on" in line, line
    threading.Thread(target=process.stderr.read, daemon=True).start()
    return process, line.split("listens on ")[1].split(";")[0]


def client(endpoint):
    return boto3.client("s3", endpoint_url=endpoint, region_name="us-east-1", aws_access_key_id="DURABLE",
                        aws_secret_access_key="durable-secret",
                        config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 0}, connect_timeout=2, read_timeout=5))


def pictures(count=8):
    bodies = []
    for i in range(count):
        image = Image.effect_noise((900 + 40 * i, 600), 60).convert("RGB")
        out = io.BytesIO()
        image.save(out, "JPEG", quality=70 + i)
        bodies.append(out.getvalue())
    return bodies


def upload(endpoint, round_number, worker, bodies, acknowledged, stopping):
    s3 = client(endpoint)
    count = 0
    while not stopping.is_set():
        key, body = f"r{round_number}/w{worker}-{count}.jpg", random.choice(bodies)
        try:
            s3.put_object(Bucket="source-bucket", Key=key, Body=body)
        except Exception:
            return  # the service was killed: this one was not acknowledged
        acknowledged[key] = hashlib.sha256(body).hexdigest()
        count += 1


def test_kill_9_loses_nothing(tmp_path):
    bodies, acknowledged = pictures(), {}
    data = tmp_path / "data"
    for round_number in range(ROUNDS):
        process, endpoint = start(data)
        stopping = threading.Event()
        threads = [threading.Thread(target=upload, args=(endpoint, round_number, worker, bodies, acknowledged, stopping))
                   for worker in range(4)]
        for thread in threads:
            thread.start()
        time.sleep(random.uniform(0.15, 1.0))
        process.send_signal(signal.SIGKILL)
        process.wait()
        stopping.set()
        for thread in threads:
            thread.join()
    assert len(acknowledged) > ROUNDS

    process, endpoint = start(data)
    s3 = client(endpoint)
    records = {}
    for _ in range(1200):
        out = subprocess.run([PROGRAM, "records", "--json", "--data", str(data)], capture_output=True, text=True, check=True).stdout
        records = {record["ImageId"]: record for record in map(json.loads, out.splitlines())}
        if all(records.get(f"source-bucket/{key}", {}).get("Status") == "done" for key in acknowledged):
            break
        time.sleep(0.1)
    for key, digest in acknowledged.items():
        assert hashlib.sha256(s3.get_object(Bucket="source-bucket", Key=key)["Body"].read()).hexdigest() == digest
        record = records.get(f"source-bucket/{key}")
        assert record and record["Status"] == "done", (key, record)
        output = record["Outputs"][0]
        body = s3.get_object(Bucket="processed-bucket", Key=output["Key"])["Body"].read()
        assert hashlib.md5(body).hexdigest() == output["ETag"].strip('"')
        Image.open(io.BytesIO(body)).load()
    process.terminate()
    assert process.wait(timeout=30) == 0
