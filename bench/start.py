#!/usr/bin/env python3
"""How soon the function is ready: python3 bench/start.py [RUNS]. From the start of the process to its first question for work, beside
a bare `python3 -c pass`; and the part that the program itself measures (the metric InitDuration), without loading and linking."""
import json
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import time

program = os.environ.get("PIXMILL", str(pathlib.Path(__file__).resolve().parents[1] / "build/pixmill"))
runs = int(sys.argv[1]) if len(sys.argv) > 1 else 50
ENVIRONMENT = {"PATH": os.environ["PATH"], "PIXMILL_DESTINATION": "thumbs", "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
TEST_EVENT = json.dumps({"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "photos"}).encode()


def start():
    """(milliseconds to the first question, InitDuration)."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        begin = time.monotonic()
        process = subprocess.Popen([program, "lambda"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                   env={**ENVIRONMENT, "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.getsockname()[1]}"})
        connection, _ = server.accept()
        connection.recv(4096)
        ready = (time.monotonic() - begin) * 1000
        connection.sendall(b"HTTP/1.1 200 OK\r\nLambda-Runtime-Aws-Request-Id: 1\r\nLambda-Runtime-Deadline-Ms: %d\r\nContent-Length: %d\r\n\r\n%s"
                           % ((time.time() + 30) * 1000, len(TEST_EVENT), TEST_EVENT))
        own = next(line["InitDuration"] for line in map(json.loads, process.stdout) if "InitDuration" in line)
        process.kill()
        process.wait()
        connection.close()
    return ready, own


def python():
    begin = time.monotonic()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return (time.monotonic() - begin) * 1000


def show(name, values):
    print(f"{name}: {min(values):.1f} to {max(values):.1f} ms, median {statistics.median(values):.1f} of {len(values)}")


starts = [start() for _ in range(runs)]
show("ready", [ready for ready, _ in starts])
show("its own start (InitDuration)", [own for _, own in starts])
show("python3 -c pass", [python() for _ in range(runs)])
