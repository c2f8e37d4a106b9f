#!/usr/bin/env python3
"""What a picture costs on Lambda: python3 bench/lambda.py [PICTURE...], as root (it makes control groups).

pixmill, Node with sharp and Python with Pillow get the same events from one Runtime API, against one S3 stand-in (`pixmill serve`).
Each runs in a control group that has what Lambda gives at a memory setting: so many MB, and MB/1769 of a CPU (AWS Lambda developer
guide, "Configure Lambda function memory"). A setting works when every picture comes out and nothing is killed for memory.

Init is from the start of the process to its first question for work; a duration from the event's hand-out to the answer. Lambda
bills both, in whole milliseconds. The handlers in bench/lambda are what their users write; needs node, npm and pip at the first run."""
import argparse
import http.server
import json
import os
import pathlib
import queue
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

root = pathlib.Path(__file__).resolve().parents[1]
program = os.environ.get("PIXMILL", str(root / "build/pixmill"))
cache = root / "build/bench-lambda"
SETTINGS = [128, 192, 256, 384, 512, 1024, 1769]
FULL_CPU_MB = 1769
DOLLARS_A_GB_SECOND, DOLLARS_A_REQUEST = 0.0000166667, 0.20 / 1e6  # x86_64, us-east-1, as published for 2026


# ---- a memory setting, as a control group of either version ----

class Group:
    V1 = pathlib.Path("/sys/fs/cgroup/cpu").exists()

    def __init__(self, megabytes):
        name = f"pixmill-bench-{os.getpid()}-{megabytes}"
        quota = max(1000, int(100000 * megabytes / FULL_CPU_MB))
        if self.V1:
            self.folders = [pathlib.Path(f"/sys/fs/cgroup/{kind}/{name}") for kind in ("memory", "cpu")]
            values = [(0, "memory.limit_in_bytes", megabytes << 20), (1, "cpu.cfs_period_us", 100000), (1, "cpu.cfs_quota_us", quota)]
            self.peak_file, self.killed_file = "memory.max_usage_in_bytes", "memory.oom_control"
        else:
            self.folders = [pathlib.Path(f"/sys/fs/cgroup/{name}")]
            values = [(0, "memory.max", megabytes << 20), (0, "memory.swap.max", 0), (0, "cpu.max", f"{quota} 100000")]
            self.peak_file, self.killed_file = "memory.peak", "memory.events"
        for folder in self.folders:
            folder.mkdir()
        for index, file, value in values:
            (self.folders[index] / file).write_text(str(value))

    def enter(self):
        for folder in self.folders:
            (folder / "cgroup.procs").write_text(str(os.getpid()))

    def peak(self):
        return int((self.folders[0] / self.peak_file).read_text())

    def killed(self):
        return any(line.split()[0] == "oom_kill" and line.split()[1] != "0" for line in (self.folders[0] / self.killed_file).read_text().splitlines())

    def close(self):
        for folder in self.folders:
            for _ in range(100):
                for pid in (folder / "cgroup.procs").read_text().split():
                    try:
                        os.kill(int(pid), signal.SIGKILL)
                    except ProcessLookupError:
                        pass
                try:
                    folder.rmdir()
                    break
                except OSError:
                    time.sleep(0.05)


# ---- the Runtime API ----

class Function:
    """One contestant at one setting: started, asked, ended."""

    def __init__(self, command, environment, megabytes):
        self.events, self.answers, self.asked = queue.Queue(), queue.Queue(), threading.Event()
        function = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *_):
                pass

            def do_GET(self):
                function.first = getattr(function, "first", time.monotonic())
                function.asked.set()
                body = function.events.get()
                if body is None:
                    self.close_connection = True
                    return
                function.begun = time.monotonic()
                self.send_response(200)
                self.send_header("Lambda-Runtime-Aws-Request-Id", "bench")
                self.send_header("Lambda-Runtime-Deadline-Ms", str(int(time.time() * 1000) + 120000))
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_POST(self):
                ended = time.monotonic()
                body = self.rfile.read(int(self.headers["Content-Length"]))
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()
                function.answers.put((ended - function.begun, self.path.endswith("/response") and json.loads(body).get("done") == 1, body))

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.handle_error = lambda *_: None  # a function that is killed hangs up
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.group = Group(megabytes)
        environment = {"PATH": os.environ["PATH"], "HOME": "/tmp", "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self.server.server_port}", "AWS_LAMBDA_LOG_FORMAT": "JSON",
                       "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(megabytes), "AWS_LAMBDA_FUNCTION_NAME": "bench", **environment}
        self.started = time.monotonic()
        self.process = subprocess.Popen(command, env=environment, preexec_fn=self.group.enter, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def works(self):
        return self.process.poll() is None and not self.group.killed()

    def init(self):
        for _ in range(200):  # ten seconds, as Lambda gives an init
            if self.asked.wait(0.05):
                return self.first - self.started
            if not self.works():
                return None
        return None

    def invoke(self, bucket, key):
        """Seconds; None if the picture did not come out."""
        self.events.put(json.dumps({"Records": [{"eventSource": "aws:s3", "eventName": "ObjectCreated:Put", "awsRegion": "us-east-1", "s3": {
            "bucket": {"name": bucket}, "object": {"key": urllib.parse.quote_plus(key), "sequencer": f"{time.monotonic_ns():016X}"}}}]}).encode())
        for _ in range(150):
            try:
                seconds, good, _ = self.answers.get(timeout=0.1)
                return seconds if good and not self.group.killed() else None
            except queue.Empty:
                if not self.works():
                    return None
        return None

    def close(self):
        self.process.kill()
        self.process.wait()
        self.events.put(None)
        peak = self.group.peak()
        self.group.close()
        self.server.shutdown()
        self.server.server_close()
        return peak


# ---- what they run against ----

class Store:
    """An S3 endpoint of its own process; its buckets are nobody's source."""

    def __init__(self):
        self.process = subprocess.Popen([program, "serve", "--listen", "127.0.0.1:0", "--ephemeral"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        ready = json.loads(self.process.stdout.readline())
        self.endpoint = ready["endpoint"]
        self.curl = ["curl", "-sS", "--fail", "--aws-sigv4", "aws:amz:us-east-1:s3", "-u", f"{ready['accessKeyId']}:{ready['secretAccessKey']}",
                     "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD"]
        self.environment = {"AWS_ENDPOINT_URL_S3": self.endpoint, "AWS_ACCESS_KEY_ID": ready["accessKeyId"], "AWS_REGION": "us-east-1",
                            "AWS_SECRET_ACCESS_KEY": ready["secretAccessKey"]}

    def put(self, path, file=None):
        subprocess.run([*self.curl, *(["-T", str(file)] if file else ["-X", "PUT"]), f"{self.endpoint}/{path}", "-o", "/dev/null"], check=True)

    def close(self):
        self.process.terminate()
        self.process.wait()


def install():
    """The other two, once."""
    cache.mkdir(parents=True, exist_ok=True)
    if not (cache / "node_modules/sharp").exists():
        shutil.copy(root / "bench/lambda/package.json", cache)
        subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund"], cwd=cache, check=True)
    if not (cache / "venv/bin/python").exists():
        subprocess.run([sys.executable, "-m", "venv", cache / "venv"], check=True)
        subprocess.run([cache / "venv/bin/pip", "install", "-q", "-r", root / "bench/lambda/requirements.txt"], check=True)
    shutil.copy(root / "bench/lambda/handler.mjs", cache)
    return {"pixmill": [program, "lambda"], "sharp": ["node", str(cache / "handler.mjs")],
            "Pillow": [str(cache / "venv/bin/python"), str(root / "bench/lambda/handler.py")]}


# ---- one run of each, and what it comes to ----

def ask(function, bucket, keys, rounds):
    init = function.init()
    if init is None:
        return None
    durations = []
    for key in keys * (rounds + 1):  # the first round is not counted as warm
        seconds = function.invoke(bucket, key)
        if seconds is None:
            return None
        durations.append(seconds)
    return {"init": init, "cold": durations[0], "warm": durations[len(keys):]}


def measure(command, store, megabytes, bucket, keys, rounds):
    """Seconds and bytes; None if the setting does not work."""
    function = Function(command, {**store.environment, "PIXMILL_DESTINATION": "outputs", "DESTINATION": "outputs"}, megabytes)
    try:
        result = ask(function, bucket, keys, rounds)
    finally:
        peak = function.close()
    return result and {**result, "peak": peak}


def billed(result):
    """Milliseconds for an average picture, warm."""
    return statistics.mean(-(-seconds * 1000 // 1) for seconds in result["warm"])


def gigabyte_seconds(megabytes, milliseconds):
    return megabytes / 1024 * milliseconds / 1000


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pictures", nargs="*")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--settings", type=lambda text: [int(each) for each in text.split(",")], default=SETTINGS)
    choices = parser.parse_args()
    pictures = [pathlib.Path(each) for each in choices.pictures] or sorted(
        path for path in (root / "samples").rglob("*") if path.suffix.lower() in (".jpg", ".jpeg", ".png"))
    contestants, store = install(), Store()
    store.put("pictures"), store.put("outputs")
    keys = []
    for index, picture in enumerate(pictures):
        keys.append(f"{index}{picture.suffix.lower()}")
        store.put(f"pictures/{keys[-1]}", picture)
    print(f"{len(pictures)} pictures, {sum(p.stat().st_size for p in pictures) / 1e6:.1f} MB; {choices.rounds} warm rounds; a new function at each setting")
    print(f"{'MB':>5} {'':<8} {'init ms':>8} {'cold ms':>8} {'warm ms':>8} {'billed ms':>10} {'peak MB':>8} {'GB-s/1000':>10} {'$/million':>10}")
    best, least = {}, {}
    for megabytes in choices.settings:
        for name, command in contestants.items():
            result = measure(command, store, megabytes, "pictures", keys, choices.rounds)
            if not result:
                print(f"{megabytes:>5} {name:<8} does not work")
                continue
            cost = billed(result)
            gbs = gigabyte_seconds(megabytes, cost)
            dollars = (gbs * DOLLARS_A_GB_SECOND + DOLLARS_A_REQUEST) * 1e6
            print(f"{megabytes:>5} {name:<8} {result['init'] * 1000:>8.0f} {result['cold'] * 1000:>8.0f} {statistics.median(result['warm']) * 1000:>8.0f} "
                  f"{cost:>10.0f} {result['peak'] / 1048576:>8.0f} {gbs * 1000:>10.1f} {dollars:>10.2f}", flush=True)
            least.setdefault(name, (megabytes, gbs, dollars, result["init"]))
            if name not in best or gbs < best[name][1]:
                best[name] = (megabytes, gbs, dollars, result["init"])
    store.close()
    for title, table in (("at the smallest setting that works", least), ("at each one's cheapest setting", best)):
        print(f"\n{title}:")
        for name, (megabytes, gbs, dollars, init) in table.items():
            print(f"  {name:<8} {megabytes:>5} MB  {gbs * 1000:>8.1f} GB-s a thousand  {dollars:>7.2f} $ a million  init {init * 1000:.0f} ms"
                  f"  ratio {table['pixmill'][1] / gbs:.2f}" if "pixmill" in table else name)


if __name__ == "__main__":
    main()
