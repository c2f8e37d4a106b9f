#!/usr/bin/env python3
"""What serving costs beside the engine: python3 bench/serve.py [PICTURE] [COUNT]; prints one JSON object.

A fresh `pixmill serve` gets COUNT uploads of one picture over 4 connections (curl, which signs by itself). Engine is the CPU time
of the transforms; all is that of every pixmill process: service, zygote, children. The client is not counted."""
import json
import os
import pathlib
import subprocess
import sys
import time

root = pathlib.Path(__file__).resolve().parents[1]
program = os.environ.get("PIXMILL", str(root / "build/pixmill"))
picture = sys.argv[1] if len(sys.argv) > 1 else str(root / "samples/sea-sunset.jpg")
count = int(sys.argv[2]) if len(sys.argv) > 2 else 200
tick = os.sysconf("SC_CLK_TCK")


def stat(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return {"cpu": sum(map(int, fields[11:13])) / tick, "children": sum(map(int, fields[13:15])) / tick, "parent": int(fields[1])}


def peak(pid):
    return int(pathlib.Path(f"/proc/{pid}/status").read_text().split("VmHWM:")[1].split()[0]) * 1024


def cpu(service):
    zygotes = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if stat_or_none(pid, service)]
    return stat(service)["cpu"] + sum(stat(pid)["cpu"] + stat(pid)["children"] for pid in zygotes)


def stat_or_none(pid, parent):
    try:
        return stat(pid)["parent"] == parent
    except (FileNotFoundError, ProcessLookupError):
        return False


start = time.monotonic()
service = subprocess.Popen([program, "serve", "--listen", "127.0.0.1:0", "--ephemeral"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
ready = json.loads(service.stdout.readline())
start_ms = (time.monotonic() - start) * 1000
curl = ["curl", "-sS", "--fail", "--parallel", "--parallel-max", "4", "--aws-sigv4", "aws:amz:us-east-1:s3", "-u",
        f"{ready['accessKeyId']}:{ready['secretAccessKey']}", "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD"]
before = cpu(service.pid)
begin = time.monotonic()
config = "\n".join(f'upload-file = "{picture}"\nurl = "{ready["endpoint"]}/source-bucket/{i}.jpg"\noutput = "/dev/null"' for i in range(count))
subprocess.run([*curl, "-K", "-"], input=config, text=True, check=True)
uploaded = time.monotonic()
log = pathlib.Path(ready["data"]) / "log/pixmill.jsonl"
done = []
while len(done) < count:
    time.sleep(0.05)
    done = [entry for entry in map(json.loads, log.read_text().splitlines()) if entry.get("message") == "done"]
finished = time.monotonic()
spent = cpu(service.pid) - before
engine = sum(entry["engineUs"] for entry in done) / 1e6
print(json.dumps({
    "picture": os.path.basename(picture), "count": count, "startMs": round(start_ms, 1),
    "engineMs": round(engine / count * 1000, 2), "allMs": round(spent / count * 1000, 2), "engineOfAll": round(engine / spent, 3),
    "uploadsPerSecond": round(count / (uploaded - begin), 1), "finishedPerSecond": round(count / (finished - begin), 1),
    "servicePeakMB": round(peak(service.pid) / 1e6, 1), "childPeakMB": round(max(entry["peakBytes"] for entry in done) / 1e6, 1),
}))
service.terminate()
service.wait()
