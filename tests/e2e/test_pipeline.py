"""A picture goes in, its processed version comes out: every promise by a client that is not ours."""
import io
import os
import struct
import subprocess
import urllib.request
import zlib

import pytest
from botocore.exceptions import ClientError
from PIL import Image


def picture(width=1600, height=1000, form="JPEG", mode="RGB", **options):
    image = Image.linear_gradient("L").resize((width, height)).convert(mode)
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def deep():
    """16 bits a sample."""
    out = io.BytesIO()
    Image.new("I;16", (1000, 600), 30000).save(out, "PNG")
    return out.getvalue()


def put(service, key, body, **options):
    service.s3.put_object(Bucket="source-bucket", Key=key, Body=body, **options)


def fetch(service, key):
    return service.s3.get_object(Bucket="processed-bucket", Key=key)


def test_picture_comes_out_resized_with_its_headers(service):
    put(service, "a/b/photo.png", picture(form="PNG"), ContentDisposition="inline")
    record = service.wait_record("a/b/photo.png")
    assert record["Status"] == "done" and (record["Width"], record["Height"]) == (1600, 1000)
    answer = fetch(service, "a/b/processed-photo.jpg")
    assert answer["ContentType"] == "image/jpeg" and "max-age" in answer["CacheControl"]
    assert answer["ContentDisposition"] == "inline"
    image = Image.open(io.BytesIO(answer["Body"].read()))
    assert image.format == "JPEG" and image.size == (800, 500)


CLAIMS = b"\x89PNG\r\n\x1a\n" + b"".join(
    struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    for kind, data in [(b"IHDR", struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(bytes(5000)))])


@pytest.mark.parametrize("name,body,status,code", [
    ("text.jpg", b"this is no picture", "skipped", "unsupported-format"),
    ("empty.jpg", b"", "skipped", "unsupported-format"),
    ("cut.jpg", picture()[:4000], "failed", "truncated-image"),
    ("huge.png", CLAIMS, "failed", "too-many-pixels"),
    ("really-png.jpg", picture(form="PNG"), "done", None),
    ("cmyk.jpg", picture(mode="CMYK"), "done", None),
    ("deep.png", deep(), "done", None),
    ("e.JPG", picture(), "done", None), ("f.jpeg", picture(), "done", None), ("no-extension", picture(), "done", None),
    (".jpg", picture(), "done", None),
])
def test_judged_by_content_not_by_name(service, name, body, status, code):
    put(service, f"judge/{name}", body)
    record = service.wait_record(f"judge/{name}")
    assert record["Status"] == status
    assert (record.get("Error") or {}).get("Code") == code


@pytest.mark.parametrize("key", ["with space.jpg", "plus+and%percent.jpg", "ümläut.jpg", "emoji-🐘.jpg", "../x.jpg", "a//b.jpg", "n" * 1000 + ".jpg"])
def test_keys_come_back_exactly(service, key):
    body = picture(300, 200)
    put(service, key, body)
    assert service.s3.get_object(Bucket="source-bucket", Key=key)["Body"].read() == body
    status = service.wait_record(key)["Status"]
    assert status == "done"
    folder, _, name = key.rpartition("/")
    fetch(service, (folder + "/" if "/" in key else "") + "processed-" + name)


def test_same_key_again_replaces_its_output(service):
    put(service, "again.jpg", picture(1000, 500))
    service.wait_record("again.jpg")
    put(service, "again.jpg", picture(500, 1000))
    for _ in range(100):
        if service.wait_record("again.jpg")["Height"] == 1000:
            break
    assert Image.open(io.BytesIO(fetch(service, "processed-again.jpg")["Body"].read())).size == (500, 1000)


def test_clash_of_names_is_told_and_nothing_is_overwritten(service):
    put(service, "clash/cat.jpg", picture(400, 300))
    service.wait_record("clash/cat.jpg")
    before = fetch(service, "clash/processed-cat.jpg")["ETag"]
    put(service, "clash/cat.png", picture(500, 300, "PNG"))
    error = service.wait_record("clash/cat.png", "failed")["Error"]
    assert error["Code"] == "output-name-taken"
    for told in ["clash/processed-cat.jpg", "source-bucket/clash/cat.jpg", "source-bucket/clash/cat.png", "{filename}"]:
        assert told in error["Message"]
    assert fetch(service, "clash/processed-cat.jpg")["ETag"] == before


def test_deleted_original_takes_its_outputs_along(service):
    put(service, "gone.jpg", picture())
    service.wait_record("gone.jpg")
    service.s3.delete_object(Bucket="source-bucket", Key="gone.jpg")
    service.wait_record("gone.jpg", "deleted")
    with pytest.raises(ClientError) as refused:
        fetch(service, "processed-gone.jpg")
    assert refused.value.response["Error"]["Code"] == "NoSuchKey"


def test_multipart_upload_of_any_size(service, tmp_path):
    body = os.urandom(20 << 20)
    (tmp_path / "large.bin").write_bytes(body)
    service.s3.upload_file(str(tmp_path / "large.bin"), "processed-bucket", "large.bin")
    assert service.s3.get_object(Bucket="processed-bucket", Key="large.bin")["Body"].read() == body
    part = service.s3.get_object(Bucket="processed-bucket", Key="large.bin", Range="bytes=-5")
    assert part["Body"].read() == body[-5:] and part["ResponseMetadata"]["HTTPStatusCode"] == 206


def test_wrong_keys_are_refused_as_s3_does(service):
    for keys, code in [({"secret_key": "wrong"}, "SignatureDoesNotMatch"), ({"access_key": "NOBODY"}, "InvalidAccessKeyId")]:
        with pytest.raises(ClientError) as refused:
            service.client(**keys).list_buckets()
        assert refused.value.response["Error"]["Code"] == code


def test_presigned_addresses_work_until_they_are_changed(service):
    put(service, "signed.jpg", picture(100, 100))
    address = service.s3.generate_presigned_url("get_object", Params={"Bucket": "source-bucket", "Key": "signed.jpg"}, ExpiresIn=60)
    assert urllib.request.urlopen(address).status == 200
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(address.replace("signed.jpg", "other.jpg"))
    assert refused.value.code == 403


def test_listing_pages_and_groups(service):
    service.s3.create_bucket(Bucket="listing")
    for key in ["a/1", "a/2", "b", "c/3"]:
        service.s3.put_object(Bucket="listing", Key=key, Body=b"x")
    answer = service.s3.list_objects_v2(Bucket="listing", Delimiter="/")
    assert [each["Prefix"] for each in answer["CommonPrefixes"]] == ["a/", "c/"] and answer["Contents"][0]["Key"] == "b"
    pages = service.s3.get_paginator("list_objects_v2").paginate(Bucket="listing", PaginationConfig={"PageSize": 1})
    assert [each["Key"] for page in pages for each in page["Contents"]] == ["a/1", "a/2", "b", "c/3"]
    with pytest.raises(ClientError) as refused:
        service.s3.delete_bucket(Bucket="listing")
    assert refused.value.response["Error"]["Code"] == "BucketNotEmpty"
    service.s3.delete_objects(Bucket="listing", Delete={"Objects": [{"Key": key} for key in ["a/1", "a/2", "b", "c/3"]]})
    service.s3.delete_bucket(Bucket="listing")


def test_copy_keeps_the_bytes(service):
    put(service, "copy.txt", b"plain", Metadata={"colour": "blue"})
    service.s3.copy_object(Bucket="processed-bucket", Key="copied.txt", CopySource={"Bucket": "source-bucket", "Key": "copy.txt"})
    answer = fetch(service, "copied.txt")
    assert answer["Body"].read() == b"plain" and answer["Metadata"] == {"colour": "blue"}


def test_conditional_put(service):
    service.s3.put_object(Bucket="processed-bucket", Key="once", Body=b"1", IfNoneMatch="*")
    with pytest.raises(ClientError) as refused:
        service.s3.put_object(Bucket="processed-bucket", Key="once", Body=b"2", IfNoneMatch="*")
    assert refused.value.response["Error"]["Code"] == "PreconditionFailed"


def test_aws_command_line(service, tmp_path):
    environment = os.environ | {"AWS_ACCESS_KEY_ID": service.access_key, "AWS_SECRET_ACCESS_KEY": service.secret_key,
                                "AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": service.endpoint}
    (tmp_path / "in").mkdir()
    (tmp_path / "in/cli photo.jpg").write_bytes(picture())
    for words in (["cp", str(tmp_path / "in/cli photo.jpg"), "s3://source-bucket/cli/"],
                  ["sync", str(tmp_path / "in"), "s3://source-bucket/synced/"]):
        subprocess.run(["aws", "s3", *words], env=environment, check=True, capture_output=True, timeout=60)
    assert service.wait_record("cli/cli photo.jpg")["Status"] == "done"
    assert service.wait_record("synced/cli photo.jpg")["Status"] == "done"
