"""Many uploads from 16 connections: all done, no descriptor left open, no memory kept.

200 twice here; PIXMILL_LONG=1 makes it 1,000 twice and holds the memory to 5 %."""
import io
import os
import pathlib
import threading
import time

from PIL import Image

COUNT = 1000 if os.environ.get("PIXMILL_LONG") else 200
SLACK = 1.05 if os.environ.get("PIXMILL_LONG") else 1.25


def body():
    out = io.BytesIO()
    Image.effect_noise((640, 480), 40).convert("RGB").save(out, "JPEG")
    return out.getvalue()


def descriptors(process):
    """How many are open: (those of the database, the others). A connection to the database is kept for the next reader; there are never
    more than threads that read at once, which the first round may not have been."""
    of_database = others = 0
    for name in os.listdir(f"/proc/{process.pid}/fd"):
        try:
            target = os.readlink(f"/proc/{process.pid}/fd/{name}")
        except FileNotFoundError:
            continue
        is_database = "/pixmill.db" in target
        of_database += is_database
        others += not is_database
    return of_database, others


def threads(process):
    return len(os.listdir(f"/proc/{process.pid}/task"))


def resident(process):
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0])


def upload_all(service, prefix, content):
    failures = []

    def work(worker):
        s3 = service.client()
        for i in range(worker, COUNT, 16):
            try:
                s3.put_object(Bucket="source-bucket", Key=f"{prefix}/{i}.jpg", Body=content)
            except Exception as failure:
                failures.append(failure)
        s3.close()
    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    for _ in range(1200):
        done = sum(1 for key, record in service.records().items() if key.startswith(f"source-bucket/{prefix}/") and record["Status"] == "done")
        if done == COUNT:
            return
        time.sleep(0.2)
    raise AssertionError(f"{done} of {COUNT} are done")


def settled_descriptors(process, wanted):
    """The others, when they are as few as wanted, or after ten seconds."""
    for _ in range(100):
        if descriptors(process)[1] <= wanted:
            break
        time.sleep(0.1)
    return descriptors(process)[1]


def test_uploads_leave_nothing_behind(own_service):
    content = body()
    upload_all(own_service, "warm", content)
    time.sleep(1)
    before, memory = descriptors(own_service.process)[1], resident(own_service.process)
    upload_all(own_service, "again", content)
    time.sleep(1)
    assert settled_descriptors(own_service.process, before) <= before
    assert descriptors(own_service.process)[0] <= 2 * threads(own_service.process) + 1  # file and log each, one shared memory
    if not os.environ.get("PIXMILL_SANITIZED"):  # a sanitizer keeps what was freed for a while
        assert resident(own_service.process) <= memory * SLACK
