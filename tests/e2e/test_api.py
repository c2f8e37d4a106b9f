"""The upload API: one table of requests and what each has to be answered, held against every transport; upload addresses and what they
refuse; pages of other origins; and the description."""
import http.client
import json
import os
import pathlib
import re
import subprocess
import sys
import time
import urllib.parse

import botocore.auth
import botocore.credentials
import pytest
import requests

from botocore.awsrequest import AWSRequest

from api import FunctionUrl, Function, Http, Rest, Serve, copy_records
from aws import Runtime
from conftest import PROGRAM, Service
from emulator import Emulator
from place import make_table, picture

KEYS = ["uploads/a.jpg", "uploads/b/ä +%2F&=.jpg", "uploads/c/../d//e.jpg", "uploads/none.txt"]
ORIGIN = "https://pages.example"
JSON = {"Content-Type": "application/json"}
CODES = set(re.findall(r"^\| `([a-z0-9-]+)`", (pathlib.Path(__file__).resolve().parents[2] / "docs/errors.md").read_text(), re.MULTILINE))


@pytest.fixture(scope="module")
def stage(moto, tmp_path_factory):
    """One bucket, and four ways to ask for what is in it."""
    os.environ.update(PIXMILL_API_ORIGINS=f"https://other.example, {ORIGIN}", PIXMILL_API_BYTES="1MB")
    try:
        service = Service()
    finally:
        del os.environ["PIXMILL_API_ORIGINS"], os.environ["PIXMILL_API_BYTES"]
    for key in KEYS:
        service.s3.put_object(Bucket="source-bucket", Key=key, Body=picture(40, 30) if key.endswith("jpg") else b"text")
    service.s3.put_object(Bucket="source-bucket", Key="private/x.jpg", Body=picture(40, 30))
    for key in (*KEYS, "private/x.jpg"):
        service.wait_record(key)
    dynamodb = moto.client("dynamodb")
    make_table(dynamodb, "images")
    copy_records(service, dynamodb, "images")
    emulator = Emulator(tmp_path_factory.mktemp("api") / "function", {
        "_HANDLER": "api", "AWS_ENDPOINT_URL_S3": service.endpoint, "AWS_ENDPOINT_URL_DYNAMODB": moto.endpoint, "AWS_ACCESS_KEY_ID": service.access_key,
        "AWS_SECRET_ACCESS_KEY": service.secret_key, "AWS_SESSION_TOKEN": "", "PIXMILL_SOURCE": "source-bucket", "PIXMILL_DESTINATION": "processed-bucket",
        "PIXMILL_TABLE": "images", "PIXMILL_API_ORIGINS": f"https://other.example, {ORIGIN}", "PIXMILL_API_BYTES": "1MB"})
    transports = [Serve(service), *(Function(emulator, shape()) for shape in (Rest, Http, FunctionUrl))]
    yield {transport.name: transport for transport in transports}
    emulator.close()
    service.close()


@pytest.fixture(params=["serve", "rest", "http", "url"])
def transport(request, stage):
    return stage[request.param]


def body(**fields):
    return {"headers": JSON, "body": json.dumps(fields).encode()}


def ids(*keys):
    return [f"source-bucket/{key}" for key in keys]


# What is asked, and what has to be answered: the HTTP status, and the error's code or what holds of the answer.
CONTRACT = {
    # status
    "a record": ("GET", "/image", [("id", "source-bucket/uploads/a.jpg")], {}, 200,
                 lambda image: image["Status"] == "done" and image["Width"] == 40 and image["Outputs"][0]["Key"] == "uploads/processed-a.jpg"),
    "a key that is only data": ("GET", "/image", [("id", f"source-bucket/{KEYS[1]}")], {}, 200, lambda image: image["ImageId"].endswith(KEYS[1])),
    "a key with dots and two slashes": ("GET", "/image", [("id", f"source-bucket/{KEYS[2]}")], {}, 200, lambda image: image["ImageId"].endswith(KEYS[2])),
    "a record that is not done": ("GET", "/image", [("id", "source-bucket/uploads/none.txt")], {}, 200,
                                  lambda image: image["Status"] != "done" and image["Error"]["Code"] == "unsupported-format"),
    "an image that is not there": ("GET", "/image", [("id", "source-bucket/uploads/zz.jpg")], {}, 404, "no-such-key"),
    "a beginning is no image": ("GET", "/image", [("id", "source-bucket/uploads/")], {}, 404, "no-such-key"),
    "an id that no key can have": ("GET", "/image", [("id", "source-bucket/uploads/" + "ä" * 600)], {}, 404, "no-such-key"),
    "an id outside the upload prefix": ("GET", "/image", [("id", "source-bucket/private/x.jpg")], {}, 403, "access-denied"),
    "an id that climbs out as a path would": ("GET", "/image", [("id", "source-bucket/uploads/../private/x.jpg")], {}, 404, "no-such-key"),
    "an id of another bucket": ("GET", "/image", [("id", "processed-bucket/uploads/processed-a.jpg")], {}, 403, "access-denied"),
    "an id without a bucket": ("GET", "/image", [("id", "uploads/a.jpg")], {}, 403, "access-denied"),
    "no id": ("GET", "/image", [], {}, 400, "bad-request"),
    "an empty id": ("GET", "/image", [("id", "")], {}, 400, "bad-request"),
    "an id that is too long": ("GET", "/image", [("id", "s" * 1089)], {}, 400, "bad-request"),
    "two ids": ("GET", "/image", [("id", "source-bucket/uploads/a.jpg"), ("id", "source-bucket/uploads/b.jpg")], {}, 400, "bad-request"),
    "an unknown query": ("GET", "/image", [("id", "source-bucket/uploads/a.jpg"), ("colour", "1")], {}, 400, "bad-request"),
    "too many queries": ("GET", "/images", [(f"q{i}", "1") for i in range(17)], {}, 400, "bad-request"),
    # list
    "all": ("GET", "/images", [], {}, 200, lambda page: [image["ImageId"] for image in page["images"]] == ids(*KEYS) and "next" not in page),
    "with their statuses": ("GET", "/images", [], {}, 200, lambda page: [image["Status"] == "done" for image in page["images"]] == [True, True, True, False]),
    "a page": ("GET", "/images", [("limit", "2")], {}, 200,
               lambda page: [image["ImageId"] for image in page["images"]] == ids(*KEYS[:2]) and page["next"] == KEYS[1]),
    "the page behind it": ("GET", "/images", [("limit", "2"), ("after", KEYS[1])], {}, 200,
                           lambda page: [image["ImageId"] for image in page["images"]] == ids(*KEYS[2:]) and "next" not in page),
    "some": ("GET", "/images", [("prefix", "uploads/b")], {}, 200, lambda page: [image["ImageId"] for image in page["images"]] == ids(KEYS[1])),
    "none": ("GET", "/images", [("prefix", "uploads/zz")], {}, 200, lambda page: page == {"images": []}),
    "those of others": ("GET", "/images", [("prefix", "private/")], {}, 403, "access-denied"),
    "behind what is no key": ("GET", "/images", [("after", "uploads/" + "ä" * 600)], {}, 400, "bad-request"),
    "no page at all": ("GET", "/images", [("limit", "0")], {}, 400, "bad-request"),
    "too long a page": ("GET", "/images", [("limit", "101")], {}, 400, "bad-request"),
    "half a page": ("GET", "/images", [("limit", "1.5")], {}, 400, "bad-request"),
    # uploads
    "an upload": ("POST", "/uploads", [], body(type="image/jpeg", bytes=1000, filename="Holiday (1).JPG"), 201,
                  lambda upload: re.fullmatch(r"uploads/[0-9a-f]{32}/Holiday-1-\.JPG", upload["key"]) and upload["imageId"] == "source-bucket/" + upload["key"]
                  and upload["headers"] == {"Content-Type": "image/jpeg", "Content-Length": "1000", "If-None-Match": "*"} and upload["method"] == "PUT"),
    "an upload without a name": ("POST", "/uploads", [], body(type="image/png", bytes=1), 201, lambda upload: upload["key"].endswith("/image.png")),
    "a name that is a path": ("POST", "/uploads", [], body(type="image/png", bytes=1, filename="../../etc/.passwd"), 201,
                              lambda upload: re.fullmatch(r"uploads/[0-9a-f]{32}/passwd", upload["key"])),
    "a name of nothing but dots": ("POST", "/uploads", [], body(type="image/png", bytes=1, filename="..."), 201, lambda upload: upload["key"].endswith("/image.png")),
    "a key": ("POST", "/uploads", [], body(type="image/webp", bytes=1, key="uploads/my/ü+.webp"), 201, lambda upload: upload["key"] == "uploads/my/ü+.webp"),
    "a replacement": ("POST", "/uploads", [], body(type="image/webp", bytes=1, key="uploads/a.jpg", replace=True), 201,
                      lambda upload: "If-None-Match" not in upload["headers"]),
    "a whole number in another spelling": ("POST", "/uploads", [], {"headers": JSON, "body": b'{"type":"image/png","bytes":5.0}'}, 201,
                                           lambda upload: upload["headers"]["Content-Length"] == "5"),
    "a charset": ("POST", "/uploads", [], {"headers": {"Content-Type": "application/json; charset=utf-8"}, "body": b'{"type":"image/png","bytes":5}'}, 201,
                  lambda upload: upload["url"]),
    "a key outside the upload prefix": ("POST", "/uploads", [], body(type="image/webp", bytes=1, key="private/x.webp"), 403, "access-denied"),
    "a key that is too long": ("POST", "/uploads", [], body(type="image/webp", bytes=1, key="uploads/" + "x" * 249), 400, "bad-request"),
    "a name that is too long": ("POST", "/uploads", [], body(type="image/webp", bytes=1, filename="x" * 256), 400, "bad-request"),
    "a type that is no picture's": ("POST", "/uploads", [], body(type="text/html", bytes=1), 415, "unsupported-format"),
    "a type with more behind it": ("POST", "/uploads", [], body(type="image/png\r\nx-amz-acl: public-read", bytes=1), 415, "unsupported-format"),
    "no type": ("POST", "/uploads", [], body(bytes=1), 400, "bad-request"),
    "no size": ("POST", "/uploads", [], body(type="image/png"), 400, "bad-request"),
    "nothing": ("POST", "/uploads", [], body(type="image/png", bytes=0), 400, "bad-request"),
    "less than nothing": ("POST", "/uploads", [], body(type="image/png", bytes=-1), 400, "bad-request"),
    "half a byte": ("POST", "/uploads", [], body(type="image/png", bytes=1.5), 400, "bad-request"),
    "a size in words": ("POST", "/uploads", [], body(type="image/png", bytes="1"), 400, "bad-request"),
    "as much as may be": ("POST", "/uploads", [], body(type="image/png", bytes=1000000), 201, lambda upload: upload["headers"]["Content-Length"] == "1000000"),
    "too much": ("POST", "/uploads", [], body(type="image/png", bytes=1000001), 413, "too-many-bytes"),
    "an unknown field": ("POST", "/uploads", [], body(type="image/png", bytes=1, acl="public-read"), 400, "bad-request"),
    "a flag that is none": ("POST", "/uploads", [], body(type="image/png", bytes=1, replace="yes"), 400, "bad-request"),
    "a list": ("POST", "/uploads", [], {"headers": JSON, "body": b"[]"}, 400, "bad-request"),
    "no JSON": ("POST", "/uploads", [], {"headers": JSON, "body": b"{"}, 400, "bad-request"),
    "a field twice": ("POST", "/uploads", [], {"headers": JSON, "body": b'{"type":"image/png","bytes":1,"bytes":2}'}, 400, "bad-request"),
    "a NUL": ("POST", "/uploads", [], {"headers": JSON, "body": b'{"type":"image/png","bytes":1,"filename":"a\\u0000"}'}, 400, "bad-request"),
    "no body": ("POST", "/uploads", [], {"headers": JSON, "body": b""}, 400, "bad-request"),
    "a form": ("POST", "/uploads", [], {"headers": {"Content-Type": "application/x-www-form-urlencoded"}, "body": b'{"type":"image/png","bytes":1}'}, 400,
               "bad-request"),
    "too long a body": ("POST", "/uploads", [], body(type="image/png", bytes=1, filename="x" * 17000), 413, "too-many-bytes"),
    # what is not there
    "another method": ("PUT", "/image", [("id", "source-bucket/uploads/a.jpg")], {}, 405, "bad-method"),
    "another address": ("GET", "/secrets", [], {}, 404, "no-such-key"),
    "a longer address": ("GET", "/images/more", [], {}, 404, "no-such-key"),
    "the root": ("GET", "/", [], {}, 404, "no-such-key"),
    # delete
    "what may not be deleted": ("DELETE", "/image", [("id", "source-bucket/private/x.jpg")], {}, 403, "access-denied"),
    "nothing to delete": ("DELETE", "/image", [("id", "source-bucket/uploads/zz.jpg")], {}, 204, None),
    "a deletion without an id": ("DELETE", "/image", [], {}, 400, "bad-request"),
    # browsers
    "a page that may": ("OPTIONS", "/uploads", [], {"headers": {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}}, 204, None),
    "a page that may not": ("OPTIONS", "/uploads", [], {"headers": {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}}, 403, "access-denied"),
}


@pytest.mark.parametrize("name", CONTRACT)
def test_every_transport_answers_the_same(transport, name):
    method, path, queries, more, status, wanted = CONTRACT[name]
    answer = transport.ask(method, path, queries, **more)
    assert answer.status == status, answer.text
    assert answer.headers["cache-control"] == "no-store" and answer.headers["x-content-type-options"] == "nosniff"
    if wanted is None:
        assert answer.text == ""
        return
    assert answer.headers["content-type"] == "application/json"
    if isinstance(wanted, str):
        problem = answer.json
        assert set(problem) == {"code", "message", "traceId"} and problem["code"] == wanted and problem["code"] in CODES
        assert problem["message"] and problem["traceId"]
    else:
        assert wanted(answer.json), answer.text


def test_an_upload_goes_its_way_and_a_deletion_back(transport):
    """Ask, put, look, delete, look."""
    data = picture(60, 40)
    upload = transport.ask("POST", "/uploads", body=json.dumps({"type": "image/jpeg", "bytes": len(data), "filename": "way.jpg"}).encode(), headers=JSON).json
    identity = [("id", upload["imageId"])]
    assert transport.ask("GET", "/image", identity).status == 404
    assert requests.put(upload["url"], data=data, headers=upload["headers"], timeout=30).status_code == 200
    for _ in range(200):
        answer = transport.ask("GET", "/image", identity)
        if transport.name != "serve" or answer.json["Status"] not in ("queued", "processing"):
            break
        time.sleep(0.05)
    # Nobody processes what is uploaded through the function here: its records are copies.
    assert answer.status == 200 and answer.json["Status"] == ("done" if transport.name == "serve" else "queued"), answer.text
    assert answer.json["Bytes"] == len(data) and answer.json["Filename"] == "way.jpg"
    page = transport.ask("GET", "/images", [("prefix", upload["key"])]).json
    assert [(image["ImageId"], image["Bytes"], image["Status"]) for image in page["images"]] == [(upload["imageId"], len(data), answer.json["Status"])]
    assert transport.ask("DELETE", "/image", identity).status == 204
    assert transport.ask("GET", "/images", [("prefix", upload["key"])]).json == {"images": []}


def asked(transport, **fields):
    answer = transport.ask("POST", "/uploads", headers=JSON, body=json.dumps({"type": "image/jpeg", "bytes": 5, **fields}).encode())
    assert answer.status == 201, answer.text
    return answer.json


def send(upload, data=b"12345", method="PUT", path=None, host=None, **headers):
    """The status that the upload's request gets with some of it changed."""
    url = urllib.parse.urlsplit(upload["url"])
    headers = {name: value for name, value in {**upload["headers"], **{name.replace("_", "-"): value for name, value in headers.items()}}.items() if value is not None}
    connection = http.client.HTTPConnection(url.netloc, timeout=30)
    connection.putrequest(method, f"{path or url.path}?{url.query}", skip_host=True, skip_accept_encoding=True)
    connection.putheader("Host", host or url.netloc)
    for name, value in headers.items():
        connection.putheader(name, value)
    connection.endheaders(data)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


CHANGED = {
    "another type": {"Content_Type": "text/html"},
    "no type": {"Content_Type": None},
    "more bytes": {"Content_Length": "6", "data": b"123456"},
    "fewer bytes": {"Content_Length": "4", "data": b"1234"},
    "chunks of any length": {"Content_Length": None, "Transfer_Encoding": "chunked", "data": b"5\r\n12345\r\n0\r\n\r\n"},
    "another method": {"method": "GET"},
    "deletion": {"method": "DELETE"},
    "another key": {"path": "/source-bucket/uploads/other.jpg"},
    "another bucket": {"path": "/processed-bucket/uploads/new.jpg"},
    "another host": {"host": "example.com"},
    "a copy of what is there": {"x_amz_copy_source": "/source-bucket/private/x.jpg"},
    "rights that were not asked for": {"x_amz_acl": "public-read"},
    "no condition": {"If_None_Match": None},
}


@pytest.mark.parametrize("change", CHANGED)
def test_an_address_is_good_for_nothing_but_its_upload(transport, stage, change):
    upload = asked(transport, key=f"uploads/bound/{transport.name}-{change}.jpg")
    assert send(upload, **CHANGED[change]) in (400, 403, 411), change
    s3 = stage["serve"].service.s3
    for bucket, key in (("source-bucket", upload["key"]), ("source-bucket", "uploads/other.jpg"), ("processed-bucket", "uploads/new.jpg")):
        assert s3.list_objects_v2(Bucket=bucket, Prefix=key)["KeyCount"] == 0, "something was stored"
    assert send(upload) == 200, "as it was meant"
    assert send(upload) == 412, "twice"
    assert s3.get_object(Bucket="source-bucket", Key=upload["key"])["Body"].read() == b"12345"
    s3.delete_object(Bucket="source-bucket", Key=upload["key"])


def test_a_replacement_may_come_again(transport):
    upload = asked(transport, key="uploads/bound/again.jpg", replace=True)
    assert [send(upload), send(upload, data=b"54321")] == [200, 200]
    assert transport.ask("DELETE", "/image", [("id", upload["imageId"])]).status == 204


def test_an_address_ends_in_time_and_with_its_key(tmp_path):
    os.environ["PIXMILL_API_SECONDS"] = "1"
    try:
        service = Service()
    finally:
        del os.environ["PIXMILL_API_SECONDS"]
    try:
        late, dead = asked(Serve(service)), None
        time.sleep(2.1)
        assert send(late) == 403
        dead = asked(Serve(service))
        subprocess.run([PROGRAM, "keys", "disable", service.access_key, "--data", service.data], check=True)
        assert send(dead) == 403
        answer = Serve(service).ask("GET", "/images")
        assert (answer.status, answer.json["code"]) == (403, "access-denied")
    finally:
        service.close()


# ---- who may ask ----

@pytest.mark.parametrize("method, path", [("POST", "/uploads"), ("GET", "/images"), ("GET", "/image?id=source-bucket%2Fuploads%2Fa.jpg"),
                                          ("DELETE", "/image?id=source-bucket%2Fuploads%2Fa.jpg"), ("GET", "/openapi.json"), ("GET", "/secrets"), ("GET", "")])
def test_nothing_is_told_to_who_does_not_sign(stage, method, path):
    service = stage["serve"].service
    for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": "AWS4-HMAC-SHA256 Credential=x/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=00"}):
        answer = requests.request(method, f"{service.endpoint}/_/api{path}", headers=headers, data=b'{"type":"image/jpeg","bytes":5}' if method == "POST" else None, timeout=30)
        assert answer.status_code == (403 if headers.get("Authorization", "").startswith("AWS4") else 401) and set(answer.json()) == {"code", "message", "traceId"}, answer.text
    assert service.s3.head_object(Bucket="source-bucket", Key="uploads/a.jpg")


def test_a_request_may_be_signed_in_its_address(stage):
    """As `pixmill sign` and S3's clients do: good for that request alone."""
    service = stage["serve"].service
    request = AWSRequest("GET", f"{service.endpoint}/_/api/images?limit=2")
    botocore.auth.S3SigV4QueryAuth(botocore.credentials.Credentials(service.access_key, service.secret_key), "s3", "us-east-1", expires=60).add_auth(request)
    assert len(requests.get(request.url, timeout=30).json()["images"]) == 2
    assert requests.get(request.url.replace("limit=2", "limit=3"), timeout=30).status_code == 403
    assert requests.delete(request.url, timeout=30).status_code == 403


def test_a_body_that_was_not_signed_is_refused(stage):
    serve = stage["serve"]
    url, signed, sent = f"{serve.service.endpoint}/_/api/uploads", b'{"type":"image/jpeg","bytes":5}', b'{"type":"image/jpeg","bytes":6}'
    answer = requests.post(url, headers=serve.sign("POST", url, JSON, signed), data=sent, timeout=30)
    assert answer.status_code == 400 and answer.json()["code"] == "checksum-mismatch"


@pytest.mark.parametrize("service", ["execute-api", "s3", "dynamodb"])
def test_who_signs_as_for_the_gateway_may_ask_too(stage, service):
    """Such signers sign the body's hash but do not send it. Whatever is changed on the way is still refused."""
    serve = stage["serve"]
    keys = botocore.credentials.Credentials(serve.service.access_key, serve.service.secret_key)

    def ask(method, path, body=None, sent=None, **more):
        request = AWSRequest(method, f"{serve.service.endpoint}/_/api{path}", data=body, headers=JSON if body else {})
        botocore.auth.SigV4Auth(keys, service, "us-east-1").add_auth(request)
        assert "x-amz-content-sha256" not in request.headers
        answer = requests.request(method, request.url, headers={**dict(request.headers), **more}, data=sent or body, timeout=30)
        return answer.status_code, answer.json()

    body, other = b'{"type":"image/jpeg","bytes":5}', b'{"type":"image/jpeg","bytes":6}'
    good = {"execute-api": (200, 201), "s3": (200, 201), "dynamodb": (401, 401)}[service]
    assert (ask("GET", "/image?id=source-bucket%2Fuploads%2Fa.jpg")[0], ask("POST", "/uploads", body)[0]) == good
    assert ask("POST", "/uploads", body, other)[0] in (401, 403)
    assert ask("GET", "/images", None, b"{}")[0] in (401, 403), "a body that nobody signed"
    assert ask("POST", "/uploads", body + b" " * 17000)[0] == 401, "it is not read before it is known who sends it"


def test_the_function_answers_nothing_but_requests(stage):
    answer = stage["rest"].emulator.invoke({"Records": []})
    assert answer["errorType"] == "Pixmill.bad-event" and "handler `api`" in answer["errorMessage"]


# ---- pages of other origins ----

def test_a_page_may_use_what_its_origin_may(transport):
    for origin, may in ((ORIGIN, True), ("https://other.example", True), ("https://evil.example", False), ("https://pages.example.evil.example", False), ("null", False)):
        answer = transport.ask("GET", "/images", headers={"Origin": origin})
        assert answer.headers.get("access-control-allow-origin") == (origin if may else None), origin
        assert answer.headers["vary"] == "Origin"
    refused = transport.ask("GET", "/images", [("limit", "0")], headers={"Origin": ORIGIN})
    assert refused.status == 400 and refused.headers["access-control-allow-origin"] == ORIGIN, "a page wants to read why"


def test_a_question_brings_no_body(stage):
    """It is not signed: nothing that it brings is kept."""
    url = f"{stage['serve'].service.endpoint}/_/api/uploads"
    asks = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    assert requests.options(url, headers=asks, timeout=30).status_code == 204
    assert requests.options(url, headers=asks, data=b"x" * 1000000, timeout=30).status_code == 400


def test_a_page_may_put_to_its_address(stage):
    """The browser asks the store before it puts: that it may is told only to these origins, and only of PUT."""
    upload = asked(stage["serve"], key="uploads/bound/page.jpg")
    asks = {"Origin": ORIGIN, "Access-Control-Request-Method": "PUT", "Access-Control-Request-Headers": "content-type,if-none-match"}
    allowed = requests.options(upload["url"], headers=asks, timeout=30)
    assert allowed.status_code == 204 and allowed.headers["Access-Control-Allow-Origin"] == ORIGIN and allowed.headers["Access-Control-Allow-Methods"] == "PUT"
    assert {"content-type", "if-none-match"} <= set(allowed.headers["Access-Control-Allow-Headers"].split(", "))
    for change in ({"Origin": "https://evil.example"}, {"Access-Control-Request-Method": "DELETE"}):
        refused = requests.options(upload["url"], headers={**asks, **change}, timeout=30)
        assert refused.status_code >= 400, change
        assert change.get("Origin") is None or "Access-Control-Allow-Origin" not in refused.headers
    put = requests.put(upload["url"], headers={**upload["headers"], "Origin": ORIGIN}, data=b"12345", timeout=30)
    assert put.status_code == 200 and put.headers["Access-Control-Allow-Origin"] == ORIGIN and "ETag" in put.headers["Access-Control-Expose-Headers"]
    stage["serve"].service.s3.delete_object(Bucket="source-bucket", Key=upload["key"])


# ---- the description ----

def printed(form, *more):
    return subprocess.run([PROGRAM, "check", "--openapi", form, *more], capture_output=True, text=True, check=True).stdout


def test_the_description_is_openapi_in_both_dialects(stage):
    from openapi_spec_validator import validate
    for document in (json.loads(printed("plain")), json.loads(printed("gateway")), stage["serve"].ask("GET", "/openapi.json").json):
        assert document["openapi"] == "3.0.3"  # the gateway takes no other
        validate(document)


def test_where_the_api_is_served_stands_in_its_description(stage):
    for name, root in (("serve", "/_/api"), ("rest", "/prod"), ("http", "/prod"), ("url", "/")):
        assert stage[name].ask("GET", "/openapi.json").json["servers"] == [{"url": root}]


def test_what_is_printed_is_what_is_served(own_service):
    assert json.loads(printed("plain")) == Serve(own_service).ask("GET", "/openapi.json").json


def test_every_error_that_can_come_is_described(stage):
    """Each row of the contract, the HTTP status that it has and its code, is in the description of its route."""
    paths = stage["serve"].ask("GET", "/openapi.json").json["paths"]
    for name, (method, path, _, _, status, wanted) in CONTRACT.items():
        route = paths.get(path, {}).get(method.lower())
        assert not route or str(status) in route["responses"], name
        assert not route or not isinstance(wanted, str) or f"`{wanted}`:" in route["responses"][str(status)]["description"], name


def test_the_gateway_understands_its_dialect(moto):
    """moto makes a REST API of it: every route is there, leads to the function, and nothing but OPTIONS is open."""
    function = "arn:aws:lambda:us-east-1:123456789012:function:pixmill-api"
    document = json.loads(printed("gateway", "--function", function))
    gateway = moto.client("apigateway")
    api = gateway.import_rest_api(failOnWarnings=True, body=json.dumps(document).encode())
    resources = {resource["path"]: resource for resource in gateway.get_resources(restApiId=api["id"])["items"]}
    assert set(document["paths"]) <= set(resources)
    for path, methods in document["paths"].items():
        assert {method.upper() for method in methods} == set(resources[path]["resourceMethods"])
        for method, route in methods.items():
            integration = gateway.get_integration(restApiId=api["id"], resourceId=resources[path]["id"], httpMethod=method.upper())
            assert integration["type"] == "AWS_PROXY" or integration["type"] == "aws_proxy"
            assert integration["uri"] == f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{function}/invocations"
            assert route["security"] == ([] if method == "options" else [{"sigv4": []}])
    assert document["components"]["securitySchemes"]["sigv4"]["x-amazon-apigateway-authtype"] == "awsSigv4"


@pytest.mark.skipif(bool(os.environ.get("PIXMILL_SANITIZED")), reason="a sanitizer sees nothing of it")
def test_cloudformation_takes_the_gateways_dialect(tmp_path):
    """As the Body of a template: the function's address is put in by Fn::Sub, and cfn-lint has nothing to say."""
    body = json.loads(printed("gateway"))
    template = {"Resources": {
        "Role": {"Type": "AWS::IAM::Role", "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [
            {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}}},
        "ApiFunction": {"Type": "AWS::Lambda::Function", "Properties": {
            "Runtime": "provided.al2023", "Handler": "api", "Role": {"Fn::GetAtt": ["Role", "Arn"]}, "Code": {"S3Bucket": "code-bucket", "S3Key": "pixmill.zip"}}},
        "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Body": body}}}}
    (tmp_path / "template.json").write_text(json.dumps(template))
    done = subprocess.run([pathlib.Path(sys.prefix) / "bin/cfn-lint", "--format", "parseable", tmp_path / "template.json"], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_a_form_that_there_is_not_is_refused():
    done = subprocess.run([PROGRAM, "check", "--openapi", "swagger"], capture_output=True, text=True)
    assert done.returncode == 2 and "wanted plain or gateway" in done.stderr


def test_a_function_that_does_not_know_its_bucket_says_so_at_its_start():
    runtime = Runtime({"_HANDLER": "api", "PIXMILL_DESTINATION": "target"}, wait_ready=False)
    for _ in range(200):
        if runtime.init_error:
            break
        time.sleep(0.05)
    assert runtime.process.wait(20) != 0
    kind, why = runtime.init_error
    assert kind == "Pixmill.bad-config" and "PIXMILL_SOURCE" in why["errorMessage"]
    runtime.close()
