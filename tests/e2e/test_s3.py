"""The S3 dialect from outside: every operation, errors by their codes, names that break clumsy servers, bodies in chunks."""
import base64
import datetime
import hashlib
import http.client
import os
import re
import socket
import threading
import time
import urllib.parse
import zlib

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

EMPTY = hashlib.sha256(b"").hexdigest()
KEYS = ["plain", "a//b", "a/../x", "./x", "x/", "a+b", "a b", "a%b", "a%2Fb", "a%252Fb", "ümläut", "emoji-\U0001f600", "quote\"'<>&",
        "query?x=1&y=2", "hash#x", "back\\slash", "semi;colon,comma", "star*()!~", "=", "&", "x" * 1024, "ü" * 512, "tab\tkey"]


@pytest.fixture(scope="module")
def bucket(service):
    name = "s3-tests"
    service.s3.create_bucket(Bucket=name)
    return name


def code_of(call, **arguments):
    """The error's code and HTTP status of a call that must fail."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    error = caught.value.response
    return error["Error"]["Code"], error["ResponseMetadata"]["HTTPStatusCode"]


def raw(service, method, path, headers=None, body=None, payload=None, secret=None, when=None, sign=True):
    """One signed request by hand: path is as it goes over the wire. Returns status, headers, body."""
    host = urllib.parse.urlsplit(service.endpoint).netloc
    headers = dict(headers or {})
    if sign:
        headers = signed(service, method, path, headers, payload or hashlib.sha256(body or b"").hexdigest(), secret, when)
    connection = http.client.HTTPConnection(host, timeout=20)
    connection.request(method, path, body=body, headers={"Host": host, **headers})
    answer = connection.getresponse()
    found = answer.status, dict(answer.getheaders()), answer.read()
    connection.close()
    return found


def signed(service, method, path, headers, payload, secret=None, when=None):
    host = urllib.parse.urlsplit(service.endpoint).netloc
    headers = {"Host": host, "x-amz-content-sha256": payload, **headers}
    request = AWSRequest(method, service.endpoint + path, headers=headers)
    auth = S3SigV4Auth(Credentials(service.access_key, secret or service.secret_key), "s3", "us-east-1")
    stamp = (when or datetime.datetime.now(datetime.timezone.utc)).strftime("%Y%m%dT%H%M%SZ")
    request.context.update(timestamp=stamp, payload_signing_enabled=False)
    request.headers["X-Amz-Date"] = stamp
    auth.payload = lambda request: payload
    canonical = auth.canonical_request(request)
    signature = auth.signature(auth.string_to_sign(request, canonical), request)
    names = auth.signed_headers(auth.headers_to_sign(request))
    request.headers["Authorization"] = (f"AWS4-HMAC-SHA256 Credential={service.access_key}/{stamp[:8]}/us-east-1/s3/aws4_request, "
                                        f"SignedHeaders={names}, Signature={signature}")
    return dict(request.headers.items())


def code_in(body):
    return re.search(rb"<Code>(\w+)</Code>", body).group(1).decode()


# ---- buckets ----

def test_buckets_are_made_listed_and_removed(service):
    s3 = service.s3
    s3.create_bucket(Bucket="one-more")
    assert "one-more" in [b["Name"] for b in s3.list_buckets()["Buckets"]]
    assert s3.head_bucket(Bucket="one-more")["ResponseMetadata"]["HTTPHeaders"]["x-amz-bucket-region"] == "us-east-1"
    assert s3.get_bucket_location(Bucket="one-more")["LocationConstraint"] is None
    assert "Status" not in s3.get_bucket_versioning(Bucket="one-more")
    assert code_of(s3.create_bucket, Bucket="one-more") == ("BucketAlreadyOwnedByYou", 409)
    s3.put_object(Bucket="one-more", Key="x", Body=b"x")
    assert code_of(s3.delete_bucket, Bucket="one-more") == ("BucketNotEmpty", 409)
    s3.delete_object(Bucket="one-more", Key="x")
    s3.delete_bucket(Bucket="one-more")
    assert code_of(s3.head_bucket, Bucket="one-more") == ("404", 404)
    assert code_of(s3.list_objects_v2, Bucket="one-more") == ("NoSuchBucket", 404)


def test_a_bad_bucket_name_is_refused(service):
    assert code_in(raw(service, "PUT", "/Bad_Name")[2]) == "InvalidBucketName"


def test_sub_resources_that_are_not_there_change_nothing(service, bucket):
    s3 = service.s3
    s3.put_object(Bucket=bucket, Key="safe", Body=b"safe")
    for method, path in [("DELETE", f"/{bucket}?website"), ("DELETE", f"/{bucket}?publicAccessBlock"), ("PUT", f"/{bucket}/safe?legal-hold"),
                         ("PUT", f"/{bucket}/safe?acl"), ("DELETE", f"/{bucket}/safe?tagging"), ("GET", f"/{bucket}?policy"),
                         ("GET", f"/{bucket}?versions"), ("GET", f"/{bucket}/safe?versionId=abc")]:
        status, _, body = raw(service, method, path, body=b"" if method == "PUT" else None)
        assert (status, code_in(body)) == (501, "NotImplemented"), (method, path)
    assert s3.get_object(Bucket=bucket, Key="safe")["Body"].read() == b"safe"


# ---- objects ----

def test_an_object_comes_back_with_its_headers(service, bucket):
    s3 = service.s3
    put = s3.put_object(Bucket=bucket, Key="headers", Body=b"hello", ContentType="text/plain", CacheControl="max-age=5",
                        ContentDisposition="inline", ContentEncoding="identity", ContentLanguage="en", Metadata={"colour": "red", "Size": "2"})
    etag = '"' + hashlib.md5(b"hello").hexdigest() + '"'
    assert put["ETag"] == etag
    for got in (s3.get_object(Bucket=bucket, Key="headers"), s3.head_object(Bucket=bucket, Key="headers")):
        assert got["ETag"] == etag and got["ContentLength"] == 5 and got["AcceptRanges"] == "bytes"
        assert (got["ContentType"], got["CacheControl"], got["ContentDisposition"]) == ("text/plain", "max-age=5", "inline")
        assert (got["ContentEncoding"], got["ContentLanguage"]) == ("identity", "en")
        assert got["Metadata"] == {"colour": "red", "size": "2"}
        assert got["ResponseMetadata"]["HTTPHeaders"]["server"] == "pixmill"
        assert got["ResponseMetadata"]["RequestId"] and got["ResponseMetadata"]["HTTPHeaders"]["x-amz-id-2"]
    got = s3.get_object(Bucket=bucket, Key="headers", ResponseContentType="image/x", ResponseContentDisposition="attachment; filename=a")
    assert (got["ContentType"], got["ContentDisposition"]) == ("image/x", "attachment; filename=a")
    s3.put_object(Bucket=bucket, Key="bare", Body=b"")
    assert s3.head_object(Bucket=bucket, Key="bare")["ContentType"] == "binary/octet-stream"
    assert s3.get_object(Bucket=bucket, Key="bare")["Body"].read() == b""


@pytest.mark.parametrize("key", KEYS, ids=range(len(KEYS)))
def test_any_name_is_stored_listed_and_removed(service, bucket, key):
    """The path is sent as it is: HTTP libraries would tidy up dots and slashes."""
    path = f"/{bucket}/" + urllib.parse.quote(key, safe="/")
    status, _, body = raw(service, "PUT", path, body=key.encode())
    assert status == 200, body
    status, _, body = raw(service, "GET", path)
    assert (status, body) == (200, key.encode())
    assert key in [o["Key"] for o in service.s3.list_objects_v2(Bucket=bucket, Prefix=key)["Contents"]]
    deleted = service.s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": key}]}) if "\t" not in key else None
    if deleted:
        assert deleted["Deleted"][0]["Key"] == key
        assert raw(service, "GET", path)[0] == 404


def test_names_that_cannot_be_are_refused(service, bucket):
    assert code_in(raw(service, "PUT", f"/{bucket}/" + "x" * 1025, body=b"")[2]) == "KeyTooLongError"
    assert raw(service, "PUT", f"/{bucket}/a%00b", body=b"")[0] == 400
    assert raw(service, "GET", f"/{bucket}/a%zz", sign=False)[0] == 400
    assert code_in(raw(service, "PUT", f"/{bucket}/a%FF", body=b"")[2]) == "InvalidArgument"


def test_errors_have_S3s_codes(service, bucket):
    s3 = service.s3
    assert code_of(s3.get_object, Bucket=bucket, Key="absent") == ("NoSuchKey", 404)
    assert code_of(s3.head_object, Bucket=bucket, Key="absent") == ("404", 404)
    assert code_of(s3.put_object, Bucket="absent-bucket", Key="x", Body=b"x" * 100000) == ("NoSuchBucket", 404)
    assert code_of(s3.delete_object, Bucket="absent-bucket", Key="x") == ("NoSuchBucket", 404)
    assert s3.delete_object(Bucket=bucket, Key="absent")["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert code_of(s3.put_object, Bucket=bucket, Key="m", Body=b"", Metadata={"a": "x" * 2100}) == ("MetadataTooLarge", 400)
    assert raw(service, "PATCH", f"/{bucket}/x", body=b"")[0] == 405


def test_ranges(service, bucket):
    s3 = service.s3
    s3.put_object(Bucket=bucket, Key="range", Body=b"0123456789")
    for asked, content, body in [("bytes=0-3", "bytes 0-3/10", b"0123"), ("bytes=4-", "bytes 4-9/10", b"456789"),
                                 ("bytes=-2", "bytes 8-9/10", b"89"), ("bytes=-99", "bytes 0-9/10", b"0123456789"),
                                 ("bytes=8-99", "bytes 8-9/10", b"89")]:
        got = s3.get_object(Bucket=bucket, Key="range", Range=asked)
        assert (got["ResponseMetadata"]["HTTPStatusCode"], got["ContentRange"], got["Body"].read()) == (206, content, body)
    assert code_of(s3.get_object, Bucket=bucket, Key="range", Range="bytes=10-") == ("InvalidRange", 416)
    for asked in ("bytes=5-2", "bytes=a-b", "bytes=0-1,3-4", "lines=1-2", "bytes=-", "bytes=+1-2"):
        assert s3.get_object(Bucket=bucket, Key="range", Range=asked)["Body"].read() == b"0123456789"


def test_conditions(service, bucket):
    s3 = service.s3
    etag = s3.put_object(Bucket=bucket, Key="condition", Body=b"1")["ETag"]
    assert code_of(s3.put_object, Bucket=bucket, Key="condition", Body=b"2", IfNoneMatch="*") == ("PreconditionFailed", 412)
    assert code_of(s3.put_object, Bucket=bucket, Key="condition", Body=b"2", IfMatch='"0"') == ("PreconditionFailed", 412)
    assert code_of(s3.put_object, Bucket=bucket, Key="condition-absent", Body=b"2", IfMatch=etag) == ("NoSuchKey", 404)
    assert code_of(s3.get_object, Bucket=bucket, Key="condition", IfNoneMatch=etag) == ("304", 304)
    assert code_of(s3.get_object, Bucket=bucket, Key="condition", IfMatch='"0"') == ("PreconditionFailed", 412)
    modified = s3.head_object(Bucket=bucket, Key="condition")["LastModified"]
    day = datetime.timedelta(days=1)
    assert code_of(s3.get_object, Bucket=bucket, Key="condition", IfModifiedSince=modified) == ("304", 304)
    assert code_of(s3.get_object, Bucket=bucket, Key="condition", IfUnmodifiedSince=modified - day) == ("PreconditionFailed", 412)
    assert s3.get_object(Bucket=bucket, Key="condition", IfMatch=etag, IfModifiedSince=modified - day)["Body"].read() == b"1"
    etag = s3.put_object(Bucket=bucket, Key="condition", Body=b"2", IfMatch=etag)["ETag"]
    s3.put_object(Bucket=bucket, Key="condition-new", Body=b"2", IfNoneMatch="*")


def test_copies(service, bucket):
    s3 = service.s3
    etag = s3.put_object(Bucket=bucket, Key="from ü+%", Body=b"copy", ContentType="text/plain", Metadata={"a": "1"})["ETag"]
    source = {"Bucket": bucket, "Key": "from ü+%"}
    assert s3.copy_object(Bucket=bucket, Key="to", CopySource=source)["CopyObjectResult"]["ETag"] == etag
    got = s3.get_object(Bucket=bucket, Key="to")
    assert (got["Body"].read(), got["ContentType"], got["Metadata"]) == (b"copy", "text/plain", {"a": "1"})
    s3.copy_object(Bucket=bucket, Key="to", CopySource=source, MetadataDirective="REPLACE", ContentType="x/y", Metadata={"b": "2"})
    got = s3.head_object(Bucket=bucket, Key="to")
    assert (got["ContentType"], got["Metadata"]) == ("x/y", {"b": "2"})
    assert code_of(s3.copy_object, Bucket=bucket, Key="to", CopySource={"Bucket": bucket, "Key": "to"}) == ("InvalidRequest", 400)
    assert code_of(s3.copy_object, Bucket=bucket, Key="to", CopySource={"Bucket": bucket, "Key": "absent"}) == ("NoSuchKey", 404)
    assert code_of(s3.copy_object, Bucket=bucket, Key="to", CopySource=source, CopySourceIfMatch='"0"') == ("PreconditionFailed", 412)
    assert code_of(s3.copy_object, Bucket=bucket, Key="to", CopySource=source, CopySourceIfNoneMatch=etag) == ("PreconditionFailed", 412)
    assert s3.copy_object(Bucket=bucket, Key="to", CopySource=source, CopySourceIfMatch=etag)["CopyObjectResult"]["ETag"] == etag


def test_many_are_deleted_at_once(service, bucket):
    s3 = service.s3
    names = [f"many/{i}" for i in range(40)]
    for name in names:
        s3.put_object(Bucket=bucket, Key=name, Body=b"x")
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": n} for n in names] + [{"Key": f"absent/{i}"} for i in range(960)]})
    assert len(answer["Deleted"]) == 1000 and "Errors" not in answer
    assert "Contents" not in s3.list_objects_v2(Bucket=bucket, Prefix="many/")
    assert "Deleted" not in s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": "x"}], "Quiet": True})
    assert code_of(s3.delete_objects, Bucket="absent-bucket", Delete={"Objects": [{"Key": "x"}]}) == ("NoSuchBucket", 404)
    path = f"/{bucket}?delete"
    bomb = b'<!DOCTYPE d [<!ENTITY a "aaaa">]><Delete><Object><Key>&a;</Key></Object></Delete>'
    for body in (bomb, b"", b"<Delete>", b"<Delete></Delete>", b"<Delete>" + b"<Object><Key>x</Key></Object>" * 1001 + b"</Delete>"):
        status, _, answer = raw(service, "POST", path, body=body)
        assert (status, code_in(answer)) == (400, "MalformedXML")


def test_lists_come_in_pages(service):
    s3 = service.s3
    s3.create_bucket(Bucket="lists")
    names = sorted([f"dir{i}/file{k}" for i in range(3) for k in range(4)] + ["top", "a b+ü"])
    for name in names:
        s3.put_object(Bucket="lists", Key=name, Body=b"x")
    pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket="lists", PaginationConfig={"PageSize": 5}))
    assert [len(p["Contents"]) for p in pages] == [5, 5, 4]
    assert [o["Key"] for p in pages for o in p["Contents"]] == names
    pages = list(s3.get_paginator("list_objects").paginate(Bucket="lists", PaginationConfig={"PageSize": 5}))
    assert [o["Key"] for p in pages for o in p["Contents"]] == names
    found = s3.list_objects_v2(Bucket="lists", Delimiter="/")
    assert [p["Prefix"] for p in found["CommonPrefixes"]] == ["dir0/", "dir1/", "dir2/"]
    assert [o["Key"] for o in found["Contents"]] == ["a b+ü", "top"] and found["KeyCount"] == 5
    pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket="lists", Delimiter="/", PaginationConfig={"PageSize": 2}))
    assert [p["Prefix"] for q in pages for p in q.get("CommonPrefixes", [])] == ["dir0/", "dir1/", "dir2/"]
    assert [o["Key"] for o in s3.list_objects_v2(Bucket="lists", StartAfter="dir2/file2")["Contents"]] == ["dir2/file3", "top"]
    assert "Owner" in s3.list_objects_v2(Bucket="lists", FetchOwner=True)["Contents"][0]
    assert "Owner" not in s3.list_objects_v2(Bucket="lists")["Contents"][0]
    assert s3.list_objects_v2(Bucket="lists", MaxKeys=0)["KeyCount"] == 0
    assert code_of(s3.list_objects_v2, Bucket="lists", ContinuationToken="?") == ("InvalidArgument", 400)
    assert code_in(raw(service, "GET", "/lists?max-keys=-1")[2]) == "InvalidArgument"


# ---- multipart ----

def test_a_multipart_upload_of_12_MB(service, bucket):
    s3 = service.s3
    parts = [os.urandom(5 << 20), os.urandom(5 << 20), os.urandom(2 << 20)]
    upload = s3.create_multipart_upload(Bucket=bucket, Key="big", ContentType="image/jpeg", Metadata={"a": "b"})["UploadId"]
    names = {"Bucket": bucket, "Key": "big", "UploadId": upload}
    etags = [s3.upload_part(**names, PartNumber=i + 1, Body=part)["ETag"] for i, part in enumerate(parts)]
    listed = s3.list_parts(**names)
    assert [(p["PartNumber"], p["Size"], p["ETag"]) for p in listed["Parts"]] == [(i + 1, len(p), e) for i, (p, e) in enumerate(zip(parts, etags))]
    assert s3.list_parts(**names, MaxParts=2)["NextPartNumberMarker"] == 2
    assert [u["UploadId"] for u in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]] == [upload]
    listing = [{"PartNumber": i + 1, "ETag": etag} for i, etag in enumerate(etags)]
    complete = lambda parts: {"MultipartUpload": {"Parts": parts}}
    assert code_of(s3.complete_multipart_upload, **names, **complete(listing[::-1])) == ("InvalidPartOrder", 400)
    assert code_of(s3.complete_multipart_upload, **names, **complete([{"PartNumber": 9, "ETag": etags[0]}])) == ("InvalidPart", 400)
    etag = s3.complete_multipart_upload(**names, **complete(listing))["ETag"]
    whole = hashlib.md5(b"".join(hashlib.md5(p).digest() for p in parts)).hexdigest()
    assert etag == f'"{whole}-3"'
    got = s3.get_object(Bucket=bucket, Key="big")
    assert got["Body"].read() == b"".join(parts) and got["ContentType"] == "image/jpeg" and got["Metadata"] == {"a": "b"}
    assert code_of(s3.list_parts, **names) == ("NoSuchUpload", 404)


def test_small_parts_are_refused_and_uploads_aborted(service, bucket):
    s3 = service.s3
    upload = s3.create_multipart_upload(Bucket=bucket, Key="small")["UploadId"]
    names = {"Bucket": bucket, "Key": "small", "UploadId": upload}
    listing = [{"PartNumber": i, "ETag": s3.upload_part(**names, PartNumber=i, Body=b"x")["ETag"]} for i in (1, 2)]
    assert code_of(s3.complete_multipart_upload, **names, MultipartUpload={"Parts": listing}) == ("EntityTooSmall", 400)
    assert code_of(s3.upload_part, **names, PartNumber=10001, Body=b"x") == ("InvalidArgument", 400)
    s3.abort_multipart_upload(**names)
    assert code_of(s3.abort_multipart_upload, **names) == ("NoSuchUpload", 404)
    assert code_of(s3.upload_part, **names, PartNumber=1, Body=b"x") == ("NoSuchUpload", 404)


def test_parts_are_copied(service, bucket):
    s3 = service.s3
    data = os.urandom(6 << 20)
    s3.put_object(Bucket=bucket, Key="part source", Body=data)
    upload = s3.create_multipart_upload(Bucket=bucket, Key="joined")["UploadId"]
    names = {"Bucket": bucket, "Key": "joined", "UploadId": upload, "CopySource": {"Bucket": bucket, "Key": "part source"}}
    first = s3.upload_part_copy(**names, PartNumber=1)["CopyPartResult"]["ETag"]
    second = s3.upload_part_copy(**names, PartNumber=2, CopySourceRange="bytes=10-19")["CopyPartResult"]["ETag"]
    assert second == '"' + hashlib.md5(data[10:20]).hexdigest() + '"'
    assert code_of(s3.upload_part_copy, **names, PartNumber=3, CopySourceRange="bytes=0-99999999") == ("InvalidArgument", 400)
    names.pop("CopySource")
    s3.complete_multipart_upload(**names, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": first}, {"PartNumber": 2, "ETag": second}]})
    assert s3.get_object(Bucket=bucket, Key="joined")["Body"].read() == data + data[10:20]


# ---- who are you ----

def test_only_a_good_signature_passes(service, bucket):
    path = f"/{bucket}/secret"
    now = datetime.datetime.now(datetime.timezone.utc)
    assert code_in(raw(service, "GET", path, sign=False)[2]) == "AccessDenied"
    assert code_in(raw(service, "GET", path, secret="wrong")[2]) == "SignatureDoesNotMatch"
    assert code_of(service.client(access_key="AKIAUNKNOWN").list_buckets) == ("InvalidAccessKeyId", 403)
    for minutes in (-16, 16):
        found = code_in(raw(service, "GET", path, when=now + datetime.timedelta(minutes=minutes))[2])
        assert found == "RequestTimeTooSkewed"
    assert code_in(raw(service, "GET", path, when=now - datetime.timedelta(minutes=14))[2]) == "NoSuchKey"
    headers = signed(service, "GET", path, {}, EMPTY)
    assert code_in(raw(service, "GET", path + "x", headers, sign=False)[2]) == "SignatureDoesNotMatch"
    assert code_in(raw(service, "GET", path, {**headers, "x-amz-meta-a": "b"}, sign=False)[2]) == "AccessDenied"
    malformed = {**headers, "Authorization": headers["Authorization"].replace("Signature=", "Sig=")}
    assert code_in(raw(service, "GET", path, malformed, sign=False)[2]) == "AuthorizationHeaderMalformed"
    other = {**headers, "Authorization": headers["Authorization"].replace("us-east-1", "eu-west-1")}
    assert code_in(raw(service, "GET", path, other, sign=False)[2]) == "AuthorizationHeaderMalformed"
    assert raw(service, "HEAD", path, sign=False)[2] == b""


def test_a_refused_body_still_gets_its_answer(service, bucket):
    """Also where the client sends everything before it reads."""
    for size in (1 << 10, 1 << 20, 8 << 20):
        status, _, body = raw(service, "PUT", f"/{bucket}/refused", body=b"x" * size, secret="wrong")
        assert (status, code_in(body)) == (403, "SignatureDoesNotMatch")


def test_presigned_addresses(service, bucket):
    import urllib.request
    s3 = service.s3
    key = "presigned ü+"
    put = s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=60)
    assert urllib.request.urlopen(urllib.request.Request(put, b"by address", method="PUT")).status == 200
    get = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": key}, ExpiresIn=60)
    assert urllib.request.urlopen(get).read() == b"by address"
    path = get[len(service.endpoint):]
    assert code_in(raw(service, "GET", path.replace("presigned", "presignee"), sign=False)[2]) == "SignatureDoesNotMatch"
    assert code_in(raw(service, "DELETE", path, sign=False)[2]) == "SignatureDoesNotMatch"
    for seconds in (0, 604801):
        bad = re.sub("X-Amz-Expires=60", f"X-Amz-Expires={seconds}", path)
        assert code_in(raw(service, "GET", bad, sign=False)[2]) == "AuthorizationQueryParametersError"
    old = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(hours=1)).strftime("%Y%m%dT%H%M%SZ")
    stale = re.sub(r"X-Amz-Date=\w+", f"X-Amz-Date={old}", path)
    status, _, body = raw(service, "GET", stale, sign=False)
    assert (status, code_in(body)) == (403, "AccessDenied") and b"expired" in body


# ---- bodies ----

def test_wrong_digests_are_refused(service, bucket):
    path = f"/{bucket}/digest"
    good = base64.b64encode(hashlib.md5(b"body").digest()).decode()
    crc = base64.b64encode(zlib.crc32(b"body").to_bytes(4, "big")).decode()
    sha1 = base64.b64encode(hashlib.sha1(b"body").digest()).decode()
    assert raw(service, "PUT", path, {"Content-MD5": good}, b"body")[0] == 200
    assert code_in(raw(service, "PUT", path, {"Content-MD5": good}, b"BODY")[2]) == "BadDigest"
    assert code_in(raw(service, "PUT", path, {"Content-MD5": "x"}, b"body")[2]) == "InvalidDigest"
    assert code_in(raw(service, "PUT", path, {}, b"body", payload=EMPTY)[2]) == "XAmzContentSHA256Mismatch"
    status, headers, _ = raw(service, "PUT", path, {"x-amz-checksum-crc32": crc}, b"body")
    assert status == 200 and headers["x-amz-checksum-crc32"] == crc
    assert raw(service, "PUT", path, {"x-amz-checksum-sha1": sha1}, b"body")[0] == 200
    assert code_in(raw(service, "PUT", path, {"x-amz-checksum-sha1": sha1}, b"BODY")[2]) == "BadDigest"
    assert code_in(raw(service, "PUT", path, {"x-amz-checksum-crc32": crc, "x-amz-checksum-sha1": sha1}, b"body")[2]) == "InvalidRequest"
    assert service.s3.get_object(Bucket=bucket, Key="digest")["Body"].read() == b"body"


def hmac256(key, text):
    import hmac
    return hmac.new(key, text.encode(), hashlib.sha256).digest()


def in_chunks(service, path, data, trailer=None, is_signed=True, spoil=None, decoded=None, size=8192):
    """A PUT in aws-chunked encoding, as the SDKs send it over https."""
    payload = ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD" if is_signed else "STREAMING-UNSIGNED-PAYLOAD") + ("-TRAILER" if trailer else "")
    headers = {"Content-Encoding": "aws-chunked", "x-amz-decoded-content-length": str(len(data) if decoded is None else decoded)}
    if trailer:
        headers["x-amz-trailer"] = trailer[0]
    headers = signed(service, "PUT", path, headers, payload)
    stamp, previous = headers["X-Amz-Date"], headers["Authorization"].rsplit("=", 1)[1]
    scope = f"{stamp[:8]}/us-east-1/s3/aws4_request"
    key = f"AWS4{service.secret_key}".encode()
    for step in scope.split("/"):
        key = hmac256(key, step)

    def sign(kind, *hashes):
        nonlocal previous
        previous = hmac256(key, "\n".join([f"AWS4-HMAC-SHA256-{kind}", stamp, scope, previous, *hashes])).hex()
        return previous

    body = b""
    for at in range(0, len(data) + size, size):
        piece = data[at:at + size]
        signature = f";chunk-signature={sign('PAYLOAD', EMPTY, hashlib.sha256(piece).hexdigest())}" if is_signed else ""
        body += f"{len(piece):x}{signature}\r\n".encode() + piece + (b"\r\n" if piece else b"")
        if not piece:
            break
    if trailer:
        line = f"{trailer[0]}:{trailer[1]}"
        body += line.encode() + b"\r\n"
        if is_signed:
            body += f"x-amz-trailer-signature:{sign('TRAILER', hashlib.sha256((line + chr(10)).encode()).hexdigest())}\r\n".encode()
    body += b"\r\n"
    if spoil:
        body = spoil(body)
    return raw(service, "PUT", path, headers, body, sign=False)


@pytest.mark.parametrize("is_signed", [True, False], ids=["signed", "unsigned"])
@pytest.mark.parametrize("trailer", [True, False], ids=["trailer", "plain"])
def test_bodies_in_chunks(service, bucket, is_signed, trailer):
    if not trailer and not is_signed:
        pytest.skip("S3 has no such form")
    path, data = f"/{bucket}/chunks", os.urandom(100_000)
    crc = base64.b64encode(zlib.crc32(data).to_bytes(4, "big")).decode()
    last = ("x-amz-checksum-crc32", crc) if trailer else None
    status, headers, body = in_chunks(service, path, data, last, is_signed)
    assert status == 200, body
    got = service.s3.get_object(Bucket=bucket, Key="chunks")
    assert got["Body"].read() == data and "ContentEncoding" not in got
    if trailer:
        assert headers["x-amz-checksum-crc32"] == crc
    assert code_in(in_chunks(service, path, data, last, is_signed, decoded=5)[2]) == "IncompleteBody"
    assert code_in(in_chunks(service, path, data, last, is_signed, spoil=lambda b: b[:50_000])[2]) in ("IncompleteBody", "InvalidArgument")
    assert in_chunks(service, path, data, last, is_signed, spoil=lambda b: b"zz" + b[2:])[0] == 400
    if is_signed:
        change = lambda b: b[:5000] + bytes([b[5000] ^ 1]) + b[5001:]
        assert code_in(in_chunks(service, path, data, last, is_signed, spoil=change)[2]) == "SignatureDoesNotMatch"
    if trailer:
        assert code_in(in_chunks(service, path, b"other", last, is_signed)[2]) == "BadDigest"
    if trailer and is_signed:
        wrong = lambda b: b.replace(b"trailer-signature:", b"trailer-signature:0")
        assert code_in(in_chunks(service, path, data, last, is_signed, spoil=wrong)[2]) == "SignatureDoesNotMatch"
    assert service.s3.get_object(Bucket=bucket, Key="chunks")["Body"].read() == data


# ---- the head ----

def talk(service, *pieces):
    """Raw bytes over a socket; everything that comes back until the server hangs up, or 10 s."""
    host, port = urllib.parse.urlsplit(service.endpoint).netloc.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as peer:
        for piece in pieces:
            peer.sendall(piece)
        answer = b""
        try:
            while more := peer.recv(65536):
                answer += more
        except ConnectionResetError:
            pass
        return answer


@pytest.mark.parametrize("head", [
    b"PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    b"GET /b/k HTTP/1.1\r\nHost: h\r\nHost: i\r\n\r\n",
    b"GET /b/k HTTP/1.1\r\nHost: h\r\n" + b"".join(b"x-%d: y\r\n" % i for i in range(120)) + b"\r\n",
    b"GET /b/k HTTP/1.1\r\nHost: h\r\nx: " + b"y" * 17000 + b"\r\n\r\n",
    b"GET http://elsewhere/b/k HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
], ids=["both lengths", "two lengths", "two hosts", "many fields", "long fields", "absolute"])
def test_an_ambiguous_head_is_refused_and_the_connection_ends(service, head):
    answer = talk(service, head + b"GET /_/health HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400 ") and answer.count(b"HTTP/1.1") == 1, answer[:300]


def test_expect_100_continue(service, bucket):
    path = f"/{bucket}/expected"
    headers = signed(service, "PUT", path, {}, "UNSIGNED-PAYLOAD")
    text = "".join(f"{k}: {v}\r\n" for k, v in headers.items())
    host, port = urllib.parse.urlsplit(service.endpoint).netloc.split(":")
    with socket.create_connection((host, int(port)), timeout=10) as peer:
        peer.sendall(f"PUT {path} HTTP/1.1\r\n{text}Content-Length: 5\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n".encode())
        assert peer.recv(1000).startswith(b"HTTP/1.1 100 ")
        peer.sendall(b"hello")
        assert peer.recv(1000).startswith(b"HTTP/1.1 200 ")
    answer = talk(service, f"PUT {path} HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 403 ")


def test_our_own_pages(service):
    status, headers, body = raw(service, "GET", "/_/health", sign=False)
    assert status == 200 and b'"status":"ok"' in body and headers["Content-Type"] == "application/json"
    status, _, body = raw(service, "GET", "/_/metrics", sign=False)
    assert status == 200 and b"pixmill_objects " in body
    assert raw(service, "GET", "/_/metrics", {"X-Forwarded-For": "1.2.3.4"}, sign=False)[0] == 403
    assert raw(service, "GET", "/_/nothing", sign=False)[0] == 404


def test_uploads_that_are_cut_are_forgotten_at_once(service, bucket):
    """Not at the idle timeout: a few hundred of them would fill the table of connections."""
    host, port = urllib.parse.urlsplit(service.endpoint).netloc.split(":")
    headers = signed(service, "PUT", f"/{bucket}/cut", {}, "UNSIGNED-PAYLOAD")
    head = f"PUT /{bucket}/cut HTTP/1.1\r\n" + "".join(f"{k}: {v}\r\n" for k, v in headers.items()) + "Content-Length: 300000\r\n\r\n"

    def cut(size):
        with socket.create_connection((host, int(port)), timeout=10) as peer:
            peer.sendall(head.encode() + b"x" * size)

    threads = [threading.Thread(target=lambda: [cut(1000 * i) for i in range(40)]) for _ in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    for _ in range(50):
        running = int(re.search(rb"pixmill_requests_running (\d+)", raw(service, "GET", "/_/metrics", sign=False)[2]).group(1))
        if running == 1:  # the one that asks
            return
        time.sleep(0.1)
    assert running == 1
