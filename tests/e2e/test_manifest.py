"""The manifest through a running service: stored with its outputs, renewed with them, gone with the original."""
import json

import pytest
from botocore.exceptions import ClientError

from conftest import Service
from test_pipeline import fetch, picture, put

RECIPE = """\
manifest: "{dir}{stem}.json"
recipe:
  outputs:
    - {id: large, name: "{dir}{stem}-{width}.jpg", width: 800}
    - {id: small, name: "{dir}{stem}-{width}.png", width: 200, format: png, crop: "0%,0%,50%,100%"}
"""


@pytest.fixture(scope="module")
def listed(tmp_path_factory):
    path = tmp_path_factory.mktemp("manifest") / "pixmill.yaml"
    path.write_text(RECIPE)
    service = Service("--config", str(path))
    yield service
    service.close()


def manifest(service, key):
    answer = fetch(service, key)
    return answer, json.loads(answer["Body"].read())


def test_it_names_what_there_is(listed):
    put(listed, "a/cat.png", picture(1600, 1000, "PNG"))
    record = listed.wait_record("a/cat.png")
    answer, told = manifest(listed, "a/cat.json")
    assert answer["ContentType"] == "application/json" and answer["Metadata"]["pixmill-source"]
    assert (told["width"], told["height"], told["placeholder"], told["colour"]) == (1600, 1000, record["Placeholder"], record["Colour"])
    assert [(o["id"], o["key"], o["width"], o["height"], o["type"]) for o in told["outputs"]] == [
        ("large", "a/cat-800.jpg", 800, 500, "image/jpeg"), ("small", "a/cat-200.png", 200, 250, "image/png")]
    for output in told["outputs"]:
        assert fetch(listed, output["key"])["ContentLength"] == output["bytes"]
    assert [(o["Id"], o["Format"], o["Key"]) for o in record["Outputs"]][2:] == [("manifest", "json", "a/cat.json")]


def test_a_new_original_renews_it_and_a_deleted_one_takes_it_along(listed):
    put(listed, "again.jpg", picture(1000, 500))
    first = listed.wait_record("again.jpg")["ETag"]
    put(listed, "again.jpg", picture(300, 600))
    for _ in range(200):
        if listed.wait_record("again.jpg")["ETag"] != first:
            break
    assert [o["key"] for o in manifest(listed, "again.json")[1]["outputs"]] == ["again-300.jpg", "again-150.png"]
    listed.s3.delete_object(Bucket="source-bucket", Key="again.jpg")
    listed.wait_record("again.jpg", "deleted")
    for key in ("again.json", "again-300.jpg", "again-150.png", "again-800.jpg"):
        with pytest.raises(ClientError) as refused:
            fetch(listed, key)
        assert refused.value.response["Error"]["Code"] == "NoSuchKey"


def test_it_never_replaces_what_is_not_its_own(listed):
    listed.s3.put_object(Bucket="processed-bucket", Key="mine.json", Body=b"by hand")
    put(listed, "mine.jpg", picture(300, 200))
    assert listed.wait_record("mine.jpg", "failed")["Error"]["Code"] == "output-name-taken"
    assert fetch(listed, "mine.json")["Body"].read() == b"by hand"
    with pytest.raises(ClientError):  # nor is anything else there by halves
        fetch(listed, "mine-300.jpg")
