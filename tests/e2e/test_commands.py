"""The commands around the service, from outside: what serve refuses, and what records, logs, replay, check, keys and
explain say of a service that has done a good picture and a bad one."""

import json
import os
import signal
import socket
import struct
import subprocess
import time
import zlib

import boto3
import botocore.config
import botocore.exceptions
import pytest

PIXMILL = os.environ.get("PIXMILL", "build/pixmill")


def pixmill(*arguments, code=0, stdin=None, **environment):
    """Runs a command to its end and wants its exit code; gives what it printed."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("PIXMILL_")}
    done = subprocess.run([PIXMILL, *map(str, arguments)], input=stdin, capture_output=True, text=True, timeout=60,
                          env={**clean, **environment})
    assert done.returncode == code, done
    return done


def refused(*arguments, code, **environment):
    """The one line on stderr of a command that is to fail."""
    done = pixmill(*arguments, code=code, **environment)
    lines = done.stderr.strip().splitlines()
    assert len(lines) == 1, done.stderr
    return lines[0]


def png(width, height):
    """A grey picture."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + bytes((x + y) & 255 for x in range(width)) for y in range(height))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def records(data, *filters):
    return [json.loads(line) for line in pixmill("records", "--data", data, "--json", *filters).stdout.splitlines()]


def wait_for(what, seconds=20):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = what()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError("waited in vain")


def client_of(ready, key=None, secret=None):
    return boto3.client("s3", endpoint_url=ready["endpoint"], region_name=ready["region"],
                        aws_access_key_id=key or ready["accessKeyId"],
                        aws_secret_access_key=secret or ready["secretAccessKey"],
                        config=botocore.config.Config(s3={"addressing_style": "path"}, retries={"max_attempts": 1}))


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    """A service that has done one picture, failed at another, and met what is no picture."""
    folder = tmp_path_factory.mktemp("running")
    process = subprocess.Popen([PIXMILL, "serve", "--ephemeral"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                               text=True, cwd=folder)
    ready = json.loads(process.stdout.readline())
    s3 = client_of(ready)
    s3.put_object(Bucket=ready["sourceBucket"], Key="a/good.png", Body=png(1000, 500))
    s3.put_object(Bucket=ready["sourceBucket"], Key="a/bad.png", Body=png(400, 400)[:90])
    s3.put_object(Bucket=ready["sourceBucket"], Key="a/note.txt", Body=b"no picture at all")
    wait_for(lambda: len([r for r in records(ready["data"]) if r["Status"] in ("done", "failed", "skipped")]) == 3)
    yield ready
    process.send_signal(signal.SIGTERM)
    assert process.wait(35) == 0
    assert not os.path.exists(ready["data"])


# ---- serve refuses ----

def test_refuses_to_listen_beyond_this_machine(tmp_path):
    line = refused("serve", "--listen", "0.0.0.0:0", "--data", tmp_path / "d", code=2)
    assert "--behind-proxy" in line and "--allow-plain-http" in line and "HTTP" in line
    assert not (tmp_path / "d").exists()


def test_says_that_the_port_is_taken(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = "127.0.0.1:%d" % taken.getsockname()[1]
        done = pixmill("serve", "--listen", address, "--data", tmp_path, code=1)
        assert address in done.stderr.splitlines()[-1]


def test_says_that_the_folder_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    assert str(tmp_path / "file") in refused("serve", "--listen", "127.0.0.1:0", "--data", tmp_path / "file" / "d", code=1)


def test_names_file_and_line_of_an_unknown_key(tmp_path):
    path = tmp_path / "pixmill.yaml"
    path.write_text("source: a\ndestination: b\nsauce: c\n")
    for command in "serve", "check", "records":
        line = refused(command, "--config", path, code=2)
        assert f"{path}:3" in line and "sauce" in line


def test_refuses_half_a_key(tmp_path):
    line = refused("serve", "--listen", "127.0.0.1:0", "--data", tmp_path, code=2, PIXMILL_ACCESS_KEY_ID="x")
    assert "PIXMILL_SECRET_ACCESS_KEY" in line


def test_refuses_a_second_server_of_a_folder(running):
    assert running["data"] in refused("serve", "--listen", "127.0.0.1:0", "--data", running["data"], code=1)


def started(folder, **environment):
    """serve in a folder of its own until it listens; gives the process and what it said to people."""
    process = subprocess.Popen([PIXMILL, "serve", "--listen", "127.0.0.1:0", "--data", folder], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, text=True, env={**os.environ, **environment})
    listening = json.loads(process.stdout.readline())
    assert listening["message"] == "listening"
    said = ""
    while "aws s3 ls" not in said:
        said += process.stderr.readline()
    return process, {"endpoint": "http://" + listening["address"], "region": "us-east-1"}, said


def exported(said, name):
    return said.split(name + "=")[1].split()[0]


def test_shows_the_secret_at_the_first_start_only(tmp_path):
    process, ready, said = started(tmp_path)
    key, secret = exported(said, "AWS_ACCESS_KEY_ID"), exported(said, "AWS_SECRET_ACCESS_KEY")
    assert exported(said, "AWS_ENDPOINT_URL") == ready["endpoint"]
    assert len(client_of(ready, key, secret).list_buckets()["Buckets"]) == 2
    process.terminate()
    assert process.wait(35) == 0

    process, ready, said = started(tmp_path)
    assert key in said and secret not in said
    assert len(client_of(ready, key, secret).list_buckets()["Buckets"]) == 2
    process.send_signal(signal.SIGINT)
    assert process.wait(35) == 0
    assert secret not in "".join(path.read_text() for path in (tmp_path / "log").iterdir())


def test_takes_the_key_of_the_environment(tmp_path):
    process, ready, said = started(tmp_path, PIXMILL_ACCESS_KEY_ID="mine", PIXMILL_SECRET_ACCESS_KEY="my secret key")
    assert client_of(ready, "mine", "my secret key").list_buckets()["Buckets"] and "my secret key" not in said
    process.terminate()
    assert process.wait(35) == 0


def test_does_after_kill_9_what_was_acknowledged_before(tmp_path):
    process, ready, said = started(tmp_path)
    s3 = client_of(ready, exported(said, "AWS_ACCESS_KEY_ID"), exported(said, "AWS_SECRET_ACCESS_KEY"))
    for i in range(10):
        s3.put_object(Bucket="source-bucket", Key=f"{i}.png", Body=png(300, 300))
    process.kill()
    process.wait()
    process, ready, said = started(tmp_path)
    wait_for(lambda: len(records(tmp_path, "--status", "done")) == 10)
    process.terminate()
    assert process.wait(35) == 0


# ---- records ----

def test_records_tell_what_became_of_each_picture(running):
    by_name = {r["Filename"]: r for r in records(running["data"])}
    good, bad, note = by_name["good.png"], by_name["bad.png"], by_name["note.txt"]
    assert good["Status"] == "done" and (good["Width"], good["Height"]) == (1000, 500)
    assert [(o["Key"], o["Width"], o["Height"]) for o in good["Outputs"]] == [("a/processed-good.jpg", 800, 400)]
    assert bad["Status"] == "failed" and bad["Error"]["Code"] == "truncated-image"
    assert note["Status"] == "skipped" and note["Error"]["Code"] == "unsupported-format"


def test_records_are_filtered(running):
    data = running["data"]
    assert [r["Filename"] for r in records(data, "--status", "done")] == ["good.png"]
    assert [r["Filename"] for r in records(data, "--code", "truncated-image")] == ["bad.png"]
    assert [r["Filename"] for r in records(data, "--key", "a/good.png")] == ["good.png"]
    assert len(records(data, "--key", "a/*")) == 3 and not records(data, "--key", "b/*")
    assert len(records(data, "--since", "1h")) == 3 and not records(data, "--until", "1h")
    assert len(records(data, "--limit", "1")) == 1
    assert "yesterday" in refused("records", "--data", data, "--since", "yesterday", code=2)


def test_records_for_people_show_sizes(running):
    text = pixmill("records", "--data", running["data"]).stdout
    assert "1000x500" in text and "800x400" in text and "truncated-image" in text


def test_records_follow_what_changes(running):
    follower = subprocess.Popen([PIXMILL, "records", "--data", running["data"], "--json", "--follow", "--key", "later/*"],
                                stdout=subprocess.PIPE, text=True)
    try:
        time.sleep(0.5)
        client_of(running).put_object(Bucket=running["sourceBucket"], Key="later/x.png", Body=png(10, 10))
        while (record := json.loads(follower.stdout.readline()))["Status"] != "done":
            pass
        assert record["Filename"] == "x.png"
    finally:
        follower.kill()
        follower.wait()


def test_no_folder_is_said_and_none_is_made(tmp_path):
    for command in (["records"], ["logs"], ["replay", "--all"], ["keys", "list"]):
        assert str(tmp_path / "none") in refused(*command, "--data", tmp_path / "none", code=1)
    assert not (tmp_path / "none").exists()


# ---- logs ----

def test_logs_are_filtered_by_key_and_level(running):
    lines = [json.loads(line) for line in pixmill("logs", "--data", running["data"], "--json").stdout.splitlines()]
    assert any(line.get("message") == "listening" for line in lines)
    about = pixmill("logs", "--data", running["data"], "--key", "a/good.png").stdout
    assert "good.png" in about and "bad.png" not in about and "listening" not in about
    assert "listening" not in pixmill("logs", "--data", running["data"], "--level", "warn").stdout
    assert "chatty" in refused("logs", "--data", running["data"], "--level", "chatty", code=2)


def test_logs_follow_over_a_rotation(tmp_path):
    (tmp_path / "log").mkdir()
    path = tmp_path / "log" / "pixmill.jsonl"
    def line(message):
        return json.dumps({"timestamp": "2026-11-24T07:05:03.250Z", "level": "INFO", "message": message}) + "\n"
    path.write_text(line("one"))
    follower = subprocess.Popen([PIXMILL, "logs", "--data", tmp_path, "--json", "--follow"], stdout=subprocess.PIPE, text=True)
    try:
        assert "one" in follower.stdout.readline()
        with path.open("a") as file:
            file.write(line("two"))
        path.rename(tmp_path / "log" / "pixmill.jsonl.1")
        path.write_text(line("three"))
        assert "two" in follower.stdout.readline()
        assert "three" in follower.stdout.readline()
    finally:
        follower.kill()
        follower.wait()


# ---- replay ----

def test_replay_wants_to_be_told_which(running):
    assert "--all" in refused("replay", "--data", running["data"], code=2)
    assert pixmill("replay", "--data", running["data"], "--key", "b/*").stdout == "0 back in the queue\n"
    assert "no-such-code" in refused("replay", "--data", running["data"], "--code", "no-such-code", code=2)


def test_replay_does_a_dead_letter_again(running):
    before = records(running["data"], "--key", "a/bad.png")[0]["ProcessedAt"]
    assert json.loads(pixmill("replay", "--data", running["data"], "--key", "a/bad.png", "--json").stdout) == {"replayed": 1}
    wait_for(lambda: records(running["data"], "--key", "a/bad.png", "--status", "failed")
             and records(running["data"], "--key", "a/bad.png")[0]["ProcessedAt"] > before)


# ---- keys ----

def test_keys_work_from_the_next_request_until_disabled(running):
    key = json.loads(pixmill("keys", "add", "--data", running["data"], "--json").stdout)
    s3 = client_of(running, key["accessKeyId"], key["secretAccessKey"])
    assert s3.list_buckets()["Buckets"]
    assert key["secretAccessKey"] not in pixmill("keys", "list", "--data", running["data"]).stdout
    pixmill("keys", "disable", key["accessKeyId"], "--data", running["data"])
    with pytest.raises(botocore.exceptions.ClientError):
        s3.list_buckets()
    assert "nobody" in refused("keys", "disable", "nobody", "--data", running["data"], code=1)


# ---- check and explain ----

def test_check_says_what_is_right(tmp_path):
    path = tmp_path / "pixmill.yaml"
    path.write_text("source: here\ndestination: there\n")
    assert "here/ -> there/" in pixmill("check", "--config", path, "--data", tmp_path).stdout
    assert "here" in pixmill("check", "--config", path, "--show").stdout


def test_check_refuses_one_place_for_both(tmp_path):
    path = tmp_path / "pixmill.yaml"
    path.write_text("source: here\ndestination: here\n")
    assert "here" in refused("check", "--config", path, code=2)


def event(name):
    return json.dumps({"Records": [{"eventVersion": "2.1", "eventSource": "aws:s3", "eventName": name,
                                    "eventTime": "2026-11-24T07:05:03.250Z", "awsRegion": "us-east-1",
                                    "s3": {"bucket": {"name": "source-bucket"},
                                           "object": {"key": "a+b/c%2Bd.jpg", "sequencer": "0055AED6DCD90281E5"}}}]})


def test_explain_names_the_job_of_an_event(tmp_path):
    path = tmp_path / "event.json"
    path.write_text(event("ObjectCreated:Put"))
    job = json.loads(pixmill("explain", path, "--json").stdout)
    assert (job["job"], job["bucket"], job["key"]) == ("update", "source-bucket", "a b/c+d.jpg") and job["reason"]
    path.write_text(event("ObjectRemoved:Delete"))
    assert json.loads(pixmill("explain", path, "--json").stdout)["job"] == "remove"


def test_explain_judges_by_the_configuration(tmp_path):
    path, config = tmp_path / "event.json", tmp_path / "other.yaml"
    path.write_text(event("ObjectCreated:Put"))
    config.write_text("source: another-bucket\n")
    job = json.loads(pixmill("explain", path, "--json", "--config", config).stdout)
    assert job["job"] == "ignore" and "another-bucket" in job["reason"]


def test_explain_judges_as_the_function_does(tmp_path):
    path = tmp_path / "event.json"
    path.write_text(event("ObjectCreated:Put").replace("source-bucket", "photos"))
    assert json.loads(pixmill("explain", path, "--json").stdout)["job"] == "ignore"  # `serve` has a source of its own
    config = tmp_path / "pixmill.yaml"
    for destination, job in (("thumbs", "update"), ("photos", "ignore")):
        config.write_text(f"destination: {destination}\n")
        assert json.loads(pixmill("explain", path, "--json", "--aws", "--config", config).stdout)["job"] == job
    config.write_text("recipe: {outputs: [{width: 100}]}\n")
    assert "PIXMILL_DESTINATION" in refused("explain", path, "--aws", "--config", config, code=2)


def test_explain_refuses_what_is_no_event():
    pixmill("explain", "-", stdin="[1, 2", code=1)
    assert "nowhere.json" in refused("explain", "nowhere.json", code=1)
