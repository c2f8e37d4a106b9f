"""Stand-ins for AWS on loopback: moto for its services, a Runtime API that drives `pixmill lambda`, and a proxy that injects faults."""
import http.client
import http.server
import json
import os
import pathlib
import queue
import random
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import boto3
import pytest
from botocore.config import Config
from conftest import PROGRAM

KEYS = {"AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": "testing-secret", "AWS_SESSION_TOKEN": "testing-token",
        "AWS_REGION": "us-east-1"}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Moto:
    """moto's server: S3, SQS, DynamoDB, SNS, SSM, STS."""

    def __init__(self):
        port = free_port()
        self.endpoint = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen([sys.executable, pathlib.Path(__file__).with_name("moto_server.py"), "-H", "127.0.0.1", "-p", str(port)],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(300):
            try:
                urllib.request.urlopen(self.endpoint + "/moto-api/", timeout=1)
                return
            except OSError:
                time.sleep(0.1)
        raise AssertionError("moto does not answer")

    def client(self, service, endpoint=None, region="us-east-1"):
        return boto3.client(service, endpoint_url=endpoint or self.endpoint, region_name=region, aws_access_key_id="testing",
                            aws_secret_access_key="testing-secret", config=Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}))

    def close(self):
        self.process.terminate()
        self.process.wait(timeout=20)


class Java:
    """A stand-in that ./test has put into .venv/java; ready when it answers at all."""

    def __init__(self, arguments):
        folder = pathlib.Path(__file__).resolve().parents[2] / ".venv/java"
        if not folder.exists():
            pytest.skip("./test e2e installs it")
        port = free_port()
        self.endpoint = f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(["java", "-Xmx256m", "-XX:TieredStopAtLevel=1", f"-Djava.library.path={folder}",
                                         *(argument.format(folder=folder, port=port, other=free_port()) for argument in arguments)],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(600):
            try:
                urllib.request.urlopen(self.endpoint, timeout=1)
                return
            except urllib.error.HTTPError:
                return
            except OSError:
                assert self.process.poll() is None, "java ended"
                time.sleep(0.1)
        raise AssertionError("java does not answer")

    client = Moto.client

    def close(self):
        self.process.terminate()
        self.process.wait(timeout=20)


def dynamodb_local():
    return Java(["-cp", "{folder}/*", "software.amazon.dynamodb.services.local.main.ServerRunner", "-inMemory", "-sharedDb", "-disableTelemetry",
                 "-port", "{port}"])


def s3mock():
    return Java(["-jar", "{folder}/s3mock-4.11.0-exec.jar", "--server.port={other}", "--com.adobe.testing.s3mock.httpPort={port}"])


class Runtime:
    """Lambda's Runtime API, and the function that asks it for work."""

    def __init__(self, environment, arguments=None, wait_ready=True):
        self.events, self.answers, self.init_error = queue.Queue(), {}, None
        self.asked = threading.Event()
        self.changed = threading.Condition()
        self.lines, self.count = [], 0
        self.refusals = []  # statuses for the next answers of invocations
        runtime = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                runtime.asked.set()
                event = runtime.events.get()
                if event is None: # there will be none: the function is to end
                    runtime.events.put(None)
                    self.send_response(500)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                identity, body, deadline_ms, trace = event
                self.send_response(200)
                for name, value in (("Lambda-Runtime-Aws-Request-Id", identity), ("Lambda-Runtime-Deadline-Ms", str(deadline_ms)),
                                    ("Lambda-Runtime-Trace-Id", trace), ("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:x"),
                                    ("Content-Length", str(len(body)))):
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path.endswith("/response") and runtime.refusals:
                    self.send_response(runtime.refusals.pop(0))
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                with runtime.changed:
                    if self.path.endswith("/init/error"):
                        runtime.init_error = (self.headers["Lambda-Runtime-Function-Error-Type"], json.loads(body))
                    else:
                        _, identity, kind = self.path.rsplit("/", 2)
                        runtime.answers[identity] = (kind, json.loads(body))
                    runtime.changed.notify_all()
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        environment = {"PATH": os.environ["PATH"], "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self.server.server_port}",
                       "_HANDLER": "bootstrap", "LAMBDA_TASK_ROOT": "/var/task", "AWS_LAMBDA_FUNCTION_NAME": "thumbs", "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512", "AWS_LAMBDA_LOG_FORMAT": "JSON",
                       **{name: value for name, value in os.environ.items() if name.startswith(("ASAN", "UBSAN"))}, **KEYS, **environment}
        self.process = subprocess.Popen(arguments or [PROGRAM, "lambda"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.errors = []
        self.readers = [threading.Thread(target=self._read, args=pair, daemon=True)
                        for pair in ((self.process.stdout, self.lines), (self.process.stderr, self.errors))]
        for reader in self.readers:
            reader.start()
        if wait_ready:
            assert self.asked.wait(20), self.lines

    @staticmethod
    def _read(pipe, lines):
        for line in pipe:
            lines.append(line.rstrip("\n"))

    def begin(self, event, seconds=30, trace="Root=1-5759e988-bd862e3fe1be46a994272793"):
        self.count += 1
        identity = f"request-{self.count}"
        body = event if isinstance(event, bytes) else json.dumps(event).encode()
        self.events.put((identity, body, int((time.time() + seconds) * 1000), trace))
        return identity

    def end(self, identity, patience=60):
        with self.changed:
            end = time.monotonic() + patience
            while identity not in self.answers and self.process.poll() is None and time.monotonic() < end:
                self.changed.wait(0.2)
            assert identity in self.answers, (self.process.poll(), self.lines[-20:], self.errors[-40:])
        return self.answers[identity]

    def invoke(self, event, seconds=30, **keys):
        """("response", body) or ("error", {errorMessage, errorType})."""
        return self.end(self.begin(event, seconds, **keys), seconds + 30)

    def log(self):
        """The JSON lines so far: an answer may be here before the last line about it has been read."""
        seen = -1
        while seen != len(self.lines):
            seen = len(self.lines)
            time.sleep(0.1)
        return [json.loads(line) for line in list(self.lines)]

    def close(self):
        """Ends the function as a runtime that cannot go on does, so that a sanitizer may have its say."""
        self.events.put(None)
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        finally:
            self.server.shutdown()
            self.server.server_close()
            for reader in self.readers:
                reader.join(5)
        assert not any("Sanitizer" in line or "runtime error" in line for line in self.errors), self.errors[-60:]


class FaultProxy:
    """Stands in front of an endpoint. rules: (method regex, path regex, count, fault); the first that matches and has some of
    its count left is played. A fault: {"delay": s}, {"status": 503, "body": b"…"}, {"cut": bytes}, {"meet": Barrier},
    {"hold": bytes, "until": Event} (the rest comes when the event is set), {"flip": at} (one bit of the answer), {"reset": True},
    {"pause": "after", "reached": Event, "until": Event} (it is carried out, and answered when the event is set),
    {"stop": "before" or "after", "reached": Event, "until": Event} (it is carried out or not, and not answered), {"lost": True} (the request is carried out, its answer is not heard of).
    of="PutItem": only where X-Amz-Target ends so."""

    def __init__(self, endpoint):
        self.rules, self.seen, self.lock, self.random = [], [], threading.Lock(), None
        self.connections, self.open = 0, set()  # so far; now
        host = endpoint.split("://")[1]
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def setup(self):
                super().setup()
                with proxy.lock:
                    proxy.connections += 1
                    proxy.open.add(self.connection)

            def finish(self):
                with proxy.lock:
                    proxy.open.discard(self.connection)
                super().finish()

            def stop(self, fault):
                """Tells that it has come so far, and never answers."""
                fault["reached"].set()
                fault["until"].wait(60)
                self.close_connection = True
                self.connection.close()

            def play(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                fault = proxy.fault(self.command, self.path, self.headers)
                if "delay" in fault:
                    time.sleep(fault["delay"])
                if fault.get("stop") == "before":
                    self.stop(fault)
                    return
                if "meet" in fault:
                    try:
                        fault["meet"].wait(15)
                    except threading.BrokenBarrierError:
                        pass
                if fault.get("reset"):
                    self.close_connection = True
                    self.connection.close()
                    return
                if "status" in fault:
                    answer = fault.get("body", b"")
                    self.send_response(fault["status"])
                    for name, value in fault.get("headers", {}).items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(answer)))
                    self.end_headers()
                    self.wfile.write(answer)
                    return
                connection = http.client.HTTPConnection(host, timeout=60)
                connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    connection.putheader(name, value)
                connection.endheaders(body)
                answer = connection.getresponse()
                data = answer.read()
                if fault.get("stop") == "after":
                    self.stop(fault)
                    return
                if "pause" in fault:
                    fault["reached"].set()
                    fault["until"].wait(60)
                if fault.get("lost"):
                    self.close_connection = True
                    self.connection.close()
                    return
                if "flip" in fault:
                    data = data[:fault["flip"]] + bytes([data[fault["flip"]] ^ 1]) + data[fault["flip"] + 1:]
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("connection", "transfer-encoding", "date", "server", "content-length"):
                        self.send_header(name, value)
                length = answer.getheader("Content-Length") if self.command == "HEAD" else str(len(data))
                self.send_header("Content-Length", length or "0")
                self.end_headers()
                if "cut" in fault:
                    self.wfile.write(data[:fault["cut"]])
                    self.wfile.flush()
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                if "hold" in fault:
                    self.wfile.write(data[:fault["hold"]])
                    self.wfile.flush()
                    data = data[fault["hold"]:]
                    fault["until"].wait(60)
                if self.command != "HEAD":
                    try:
                        self.wfile.write(data)
                    except OSError:
                        self.close_connection = True  # nobody waited for the rest
                connection.close()

            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = play

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.endpoint = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def fault(self, method, path, headers):
        with self.lock:
            self.seen.append((method, path, dict(headers)))
            for rule in self.rules:
                if (rule[2] > 0 and re.search(rule[0], method) and re.search(rule[1], path) and
                        headers.get("x-amz-target", "").endswith(rule[3].get("of", ""))):
                    rule[2] -= 1
                    return rule[3]
            if self.random and self.random.random() < self.rate:
                return self.random.choice(self.faults)
        return {}

    def hang_up(self):
        """Ends all connections, as a peer does with those that are idle for long."""
        with self.lock:
            for connection in self.open:
                connection.shutdown(socket.SHUT_RDWR)

    def play_at_random(self, seed, rate, *faults):
        """One of these faults for that share of the requests that no rule is about."""
        self.random, self.rate, self.faults = random.Random(seed), rate, faults

    def play(self, method, path, count, **fault):
        self.rules.append([method, path, count, fault])

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def s3_event(bucket, key, sequencer="0055AED6DCD90281E5", name="ObjectCreated:Put", **more):
    import urllib.parse
    return {"eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1", "eventTime": "2026-01-01T00:00:00.000Z", "eventName": name,
            "s3": {"s3SchemaVersion": "1.0", "bucket": {"name": bucket, "arn": f"arn:aws:s3:::{bucket}"},
                   "object": {"key": urllib.parse.quote_plus(key, safe="/"), "sequencer": sequencer, **more}}}


def s3_events(*records):
    return {"Records": list(records)}
