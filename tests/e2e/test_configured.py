"""What a configuration changes, and what the log tells of a picture: each with a service of its own."""
import io
import json
import pathlib
import time

import pytest
from botocore.exceptions import ClientError
from conftest import Service
from PIL import Image


def jpeg(width=1600, height=1000):
    out = io.BytesIO()
    Image.effect_noise((width, height), 30).convert("RGB").save(out, "JPEG", quality=60)
    return out.getvalue()


@pytest.fixture
def configured(tmp_path):
    """Starts a service with a configuration, stops it at the end."""
    services = []

    def start(text):
        path = tmp_path / "pixmill.yaml"
        path.write_text(text)
        services.append(Service("--config", str(path)))
        return services[-1]
    yield start
    for service in services:
        service.close()


def processed(service):
    return [each["Key"] for each in service.s3.list_objects_v2(Bucket="processed-bucket").get("Contents", [])]


def test_one_upload_makes_every_output_of_the_recipe(configured):
    service = configured("""
recipe:
  outputs:
    - { id: web, name: "{dir}{id}/{stem}.jpg", width: 640 }
    - { id: square, name: "{dir}{id}/{stem}-{width}x{height}.png", width: 200, height: 200, fit: cover, format: png }
""")
    service.s3.put_object(Bucket="source-bucket", Key="in/a.jpg", Body=jpeg())
    record = service.wait_record("in/a.jpg")
    assert [(out["Id"], out["Key"], out["Width"], out["Height"]) for out in record["Outputs"]] == [
        ("web", "in/web/a.jpg", 640, 400), ("square", "in/square/a-200x200.png", 200, 200)]
    for out in record["Outputs"]:
        got = service.s3.get_object(Bucket="processed-bucket", Key=out["Key"])
        image = Image.open(io.BytesIO(got["Body"].read()))
        assert image.size == (out["Width"], out["Height"]) and got["ContentType"] == f"image/{out['Format']}"


def test_metadata_and_headers_as_configured(configured):
    service = configured("keep_metadata: true\ncache_control: no-store\n")
    service.s3.put_object(Bucket="source-bucket", Key="a.jpg", Body=jpeg(), Metadata={"photographer": "Ada"})
    service.wait_record("a.jpg")
    got = service.s3.head_object(Bucket="processed-bucket", Key="processed-a.jpg")
    assert got["Metadata"]["photographer"] == "Ada" and got["CacheControl"] == "no-store"


def test_metadata_stays_behind_by_default(service):
    service.s3.put_object(Bucket="source-bucket", Key="secret-meta.jpg", Body=jpeg(), Metadata={"photographer": "Ada"})
    service.wait_record("secret-meta.jpg")
    assert "photographer" not in service.s3.head_object(Bucket="processed-bucket", Key="processed-secret-meta.jpg")["Metadata"]


def test_outputs_stay_when_told_to(configured):
    service = configured("on_delete: keep\n")
    service.s3.put_object(Bucket="source-bucket", Key="a.jpg", Body=jpeg())
    service.wait_record("a.jpg")
    service.s3.delete_object(Bucket="source-bucket", Key="a.jpg")
    service.wait_record("a.jpg", "deleted")
    assert processed(service) == ["processed-a.jpg"]


def test_what_others_made_is_overwritten_only_when_told_to(configured):
    service = configured("overwrite: any\n")
    service.s3.put_object(Bucket="processed-bucket", Key="processed-a.jpg", Body=b"somebody's")
    service.s3.put_object(Bucket="source-bucket", Key="a.jpg", Body=jpeg())
    assert service.wait_record("a.jpg")["Status"] == "done"
    assert service.s3.get_object(Bucket="processed-bucket", Key="processed-a.jpg")["Body"].read(2) == b"\xff\xd8"


def test_one_bucket_with_two_prefixes(configured):
    service = configured("source: source-bucket\ndestination: source-bucket\nsource_prefix: in/\ndestination_prefix: out/\n"
                         "recipe: { outputs: [ { name: \"{stem}.jpg\" } ] }\n")
    for key in ["in/a.jpg", "elsewhere.jpg"]:
        service.s3.put_object(Bucket="source-bucket", Key=key, Body=jpeg())
    service.wait_record("in/a.jpg")
    time.sleep(0.5)
    keys = [each["Key"] for each in service.s3.list_objects_v2(Bucket="source-bucket")["Contents"]]
    assert keys == ["elsewhere.jpg", "in/a.jpg", "out/a.jpg"] and list(service.records()) == ["source-bucket/in/a.jpg"]


def test_limits_are_those_of_the_configuration(configured):
    service = configured("limits: { pixels: 1000000, input_bytes: 5MiB }\n")
    service.s3.put_object(Bucket="source-bucket", Key="wide.jpg", Body=jpeg())
    service.s3.put_object(Bucket="source-bucket", Key="long.jpg", Body=jpeg(300, 200) + bytes(6 << 20))
    assert service.wait_record("wide.jpg")["Error"]["Code"] == "too-many-pixels"
    assert service.wait_record("long.jpg")["Error"]["Code"] == "too-many-bytes"


def log_lines(service, key):
    lines = [json.loads(line) for line in (pathlib.Path(service.data) / "log/pixmill.jsonl").read_text().splitlines()]
    requests = {line["requestId"] for line in lines if line.get("key") == f"source-bucket/{key}" and "requestId" in line}
    return [line for line in lines if line.get("requestId") in requests or line.get("record", {}).get("requestId") in requests]


def test_log_tells_the_whole_story_of_a_picture(service):
    service.s3.put_object(Bucket="source-bucket", Key="story.jpg", Body=jpeg())
    service.wait_record("story.jpg")
    time.sleep(0.3)
    lines = log_lines(service, "story.jpg")
    kinds = [line.get("type") or line["message"] for line in lines]
    assert kinds[0] == "platform.start" and kinds[-1] == "platform.report"
    assert [kind for kind in kinds if kind in ("store.open", "table.claim", "source", "output", "store.put_set", "table.finish", "done")] == [
        "store.open", "table.claim", "source", "output", "store.put_set", "table.finish", "done"]
    source = next(line for line in lines if line.get("message") == "source")
    output = next(line for line in lines if line.get("message") == "output")
    assert (source["width"], source["height"], output["width"], output["height"]) == (1600, 1000, 800, 500)
    metrics = lines[-1]["record"]["metrics"]
    assert lines[-1]["record"]["status"] == "success" and metrics["durationMs"] > 0 and metrics["maxMemoryUsedMB"] > 0
    for line in lines:
        assert line.get("timestamp") or line.get("time")


def test_log_names_the_code_of_a_failure(service):
    service.s3.put_object(Bucket="source-bucket", Key="cut-story.jpg", Body=jpeg()[:3000])
    service.wait_record("cut-story.jpg")
    time.sleep(0.3)
    lines = log_lines(service, "cut-story.jpg")
    failure = next(line for line in lines if line.get("code") == "truncated-image")
    assert failure["level"] == "ERROR" and failure["reason"]
    assert lines[-1]["record"]["status"] == "error"


def test_terminating_lets_running_jobs_end(tmp_path):
    service = Service()
    for i in range(20):
        service.s3.put_object(Bucket="source-bucket", Key=f"{i}.jpg", Body=jpeg())
    service.close()  # asserts that it ends by itself, with 0


def test_secret_is_in_no_log(service):
    with pytest.raises(ClientError):
        service.client(secret_key="wrong-secret-of-a-client").list_buckets()
    text = (pathlib.Path(service.data) / "log/pixmill.jsonl").read_text()
    assert service.secret_key not in text and "wrong-secret-of-a-client" not in text
