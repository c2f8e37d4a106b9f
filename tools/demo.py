"""Uploads pictures with curl (which signs by itself), waits for their records, checks and prints every output.

Called by ./run with the endpoint, the keys, the data folder and the program; python3 and curl are all it needs."""
import json
import os
import pathlib
import struct
import subprocess
import sys
import time
import urllib.parse

endpoint, key_id, secret, data, program, *names = sys.argv[1:]
curl = ["curl", "-sS", "--fail-with-body", "--aws-sigv4", "aws:amz:us-east-1:s3", "-u", f"{key_id}:{secret}",
        "-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD"]
endings = {".jpg", ".jpeg", ".png"}


def pictures():
    if names:
        return [(pathlib.Path(name), pathlib.Path(name).name) for name in names]
    folder = pathlib.Path(__file__).resolve().parents[1] / "samples"
    return [(path, str(path.relative_to(folder))) for path in sorted(folder.rglob("*")) if path.suffix.lower() in endings]


def address(bucket, key):
    return f"{endpoint}/{bucket}/{urllib.parse.quote(key, safe='/-_.~')}"


def records():
    out = subprocess.run([program, "records", "--json", "--data", data], capture_output=True, text=True, check=True).stdout
    return {record["ImageId"]: record for record in map(json.loads, out.splitlines())}


def jpeg_size(content):
    """Width and height from the frame header (T.81 B.2.2); refuses EXIF, which no output may carry."""
    at = 2
    while content[:2] == b"\xff\xd8" and at + 9 < len(content):
        marker, length = content[at + 1], struct.unpack(">H", content[at + 2:at + 4])[0]
        if marker == 0xE1:
            raise ValueError("carries EXIF")
        if 0xC0 <= marker <= 0xC2:
            height, width = struct.unpack(">HH", content[at + 5:at + 9])
            return width, height
        at += 2 + length
    raise ValueError("not a JPEG")


def wrong_with(record):
    if record is None or record["Status"] != "done":
        error = (record or {}).get("Error") or {}
        return f"{(record or {}).get('Status', 'no record')}: {error.get('Code', '')} {error.get('Message', '')}"
    for output in record["Outputs"]:
        got = subprocess.run([*curl, address(output["Bucket"], output["Key"])], capture_output=True)
        if got.returncode or len(got.stdout) != output["Bytes"]:
            return f"{output['Key']} cannot be fetched"
        if output["Format"] != "jpeg":
            continue
        try:
            width, height = jpeg_size(got.stdout)
        except ValueError as problem:
            return f"{output['Key']} {problem}"
        scale = min(1, 800 / record["Width"])
        if abs(width - record["Width"] * scale) > 1 or abs(height - record["Height"] * scale) > 1:
            return f"{output['Key']} is {width}x{height}"
    return None


def size(count):
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"


keys = []
for path, key in pictures():
    sent = subprocess.run([*curl, "-T", str(path), address("source-bucket", key)], capture_output=True, text=True)
    if sent.returncode:
        sys.exit(f"run: cannot upload {path}: {sent.stderr.strip()} {sent.stdout.strip()}")
    keys.append(f"source-bucket/{key}")
deadline = time.monotonic() + 60
found = {}
while time.monotonic() < deadline:
    found = records()
    if all(found.get(key, {}).get("Status") in ("done", "failed", "skipped") for key in keys):
        break
    time.sleep(0.1)

bad = 0
table = [("source", "", "", "", "output", "", "", "saved", "time")]
for key in keys:
    record = found.get(key)
    problem = wrong_with(record)
    if problem:
        bad += 1
        print(f"WRONG: {key}: {problem}")
        continue
    for output in record["Outputs"]:
        saved = 100 - 100 * output["Bytes"] / max(1, record["Bytes"])
        table.append((key, f"{record['Width']}x{record['Height']}", size(record["Bytes"]), "->", output["Key"],
                      f"{output['Width']}x{output['Height']}", size(output["Bytes"]), f"{saved:.0f} %", f"{record['Milliseconds']} ms"))
widths = [max(len(row[column]) for row in table) for column in range(len(table[0]))]
print()
for row in table:
    print("  ".join(cell.ljust(width) if column in (0, 3, 4) else cell.rjust(width)
                    for column, (cell, width) in enumerate(zip(row, widths))))

waits = []
with open(os.path.join(data, "log", "pixmill.jsonl"), encoding="utf-8") as log:
    for line in log:
        entry = json.loads(line)
        if entry.get("message") == "done" and entry.get("key") in keys and "sinceEventMs" in entry:
            waits.append(entry["sinceEventMs"])
waits.sort()
if waits:
    print(f"\nfrom the upload's 200 to `done`: p95 {waits[min(len(waits) - 1, int(len(waits) * 0.95))]} ms over {len(waits)} pictures")
sys.exit(1 if bad or not keys else 0)
