"""SigV4, which is written once (src/base/sigv4) for signing and for checking: against botocore's signer over thousands of
requests, against our own gate, and for what `pixmill lambda` sends."""
import datetime
import hashlib
import http.client
import json
import pathlib
import random
import re
import subprocess
import urllib.parse

import botocore.auth
import pytest
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from aws import KEYS, FaultProxy, s3_event, s3_events
from conftest import PROGRAM
from place import make_table, picture

# Built with the unit tests, beside the program or in the folder of `./test unit`.
FOLDERS = (pathlib.Path(PROGRAM).parent, pathlib.Path(__file__).resolve().parents[2] / "build-test")
TOOL = next((path for path in (folder / "tests/unit/base/sigv4-tool" for folder in FOLDERS) if path.exists()), None)
SERVICES = ("s3", "dynamodb", "sqs", "sts")
CLASSES = {("s3", False): botocore.auth.S3SigV4Auth, ("s3", True): botocore.auth.S3SigV4QueryAuth,
           ("other", False): botocore.auth.SigV4Auth, ("other", True): botocore.auth.SigV4QueryAuth}
# Every byte but NUL in some character, and characters of two, three and four bytes.
PRINTABLE = "".join(map(chr, range(0x20, 0x7f)))
ANY = "".join(map(chr, range(1, 0x100))) + "ŁЖאع€あ漢한\u2028\ufeff\uffff\U0001f600\U0010ffff"
PIECES = ["/", "//", "/.", "/..", "/./", "/../", ".", "..", "%", "%2F", "%25", "%2f", "+", " ", "~", "=", "&", "?", "#", ";", "*", "a", "photo.jpg", "ü", "\U0001f600"]
NAMES = ["prefix", "delimiter", "versionId", "uploads", "uploadId", "partNumber", "list-type", "X-Amz-Meta", "x-id", "Action", "Version", "a", "A", "a-b", "a.b", "ä", "a b",
         "a&b", "a=b", "a+b", "a%b", "~", "_"]
HEADERS = ["range", "if-match", "content-type", "content-md5", "x-amz-meta-a", "x-amz-meta-a-b", "x-amz-meta-ab", "x-amz-meta-a_b", "x-amz-meta-a.b", "x-amz-acl",
           "x-amz-target", "x-amz-date-of-birth", "cache-control", "accept", "a", "zz"]


def sign(requests):
    """What our signer says of each."""
    if not TOOL:
        pytest.skip("the signing program is built with the unit tests: ./test unit e2e")
    done = subprocess.run([TOOL], input="".join(json.dumps(request) + "\n" for request in requests), capture_output=True, encoding="utf-8", check=True)
    lines = done.stdout.split("\n")[:-1]
    assert len(lines) == len(requests)
    return lines


def any_text(dice, most):
    return "".join(dice.choices(dice.choice((ANY, ANY, PRINTABLE)), k=dice.randint(0, most)))


def any_path(dice):
    if dice.random() < 0.5:
        return "/" + any_text(dice, 40)
    return "/" + "".join(dice.choices(PIECES, k=dice.randint(0, 9)))


def any_value(dice):
    """A header's: blanks are folded. What Python takes for blank besides cannot be in a header, or is a letter to AWS."""
    return "".join(dice.choices(PRINTABLE + "      \t\tüЖ漢\U0001f600", k=dice.randint(0, 30)))


def any_request(dice, in_query):
    """A request for the tool; headers and queries in any order."""
    service = dice.choice(SERVICES)
    scheme, port = dice.choice((("https", ""), ("https", ":8443"), ("http", ":4566"), ("http", ""), ("https", ":80")))
    host = dice.choice(("bucket.s3.eu-west-1.amazonaws.com", "localhost", "127.0.0.1", "dynamodb.us-east-1.amazonaws.com", "[::1]")) + port
    # botocore's signer of addresses keeps the first of the queries of one name.
    names = dice.sample(NAMES, dice.randint(0, 6)) if in_query else dice.choices(NAMES, k=dice.randint(0, 6))
    second = datetime.datetime(2015, 8, 30, 12, 36, 0) + datetime.timedelta(seconds=dice.randint(0, 10 ** 9))
    headers = [[name, any_value(dice)] for name in dice.sample(HEADERS, dice.randint(0, 5))]
    body = any_text(dice, 20).encode()
    token = dice.choice(("", "FwoGZXIvYXdzE//+==" + any_text(dice, 0) * 3, "".join(dice.choices("aB9/+=", k=400))))
    request = {"scheme": scheme, "host": host, "body": body.decode(), "method": dice.choice(("GET", "PUT", "POST", "HEAD", "DELETE")), "path": any_path(dice),
               "queries": [[name, any_text(dice, 20)] for name in names], "service": service, "region": dice.choice(("us-east-1", "eu-central-1", "cn-north-1")),
               "id": "AKIDEXAMPLE", "secret": "".join(dice.choices("abcXYZ019/+", k=40)), "token": token, "date": second.strftime("%Y%m%dT%H%M%SZ"),
               "payload": hashlib.sha256(body).hexdigest(), "given": headers}
    sent = [["host", host.removesuffix(":80" if scheme == "http" else ":443")]] + headers
    if in_query:
        request.update(expires=dice.choice((1, 60, 3600, 604800)), body="")
        request["payload"] = "UNSIGNED-PAYLOAD" if service == "s3" else hashlib.sha256(b"").hexdigest()
    else:
        sent += [["x-amz-date", request["date"]]] + [["x-amz-security-token", token]] * bool(token)
        sent += [["x-amz-content-sha256", request["payload"]]] * (service == "s3")
    dice.shuffle(sent)
    return {**request, "headers": sent}


def address_of(request):
    queries = "&".join(f"{urllib.parse.quote(name, safe='')}={urllib.parse.quote(value, safe='')}" for name, value in request["queries"])
    return f"{request['scheme']}://{request['host']}{urllib.parse.quote(request['path'])}" + ("?" + queries if queries else "")


def botocore_says(request, monkeypatch):
    """The Authorization header, or the query of the address."""
    in_query = "expires" in request
    now = datetime.datetime.strptime(request["date"], "%Y%m%dT%H%M%SZ")
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_: now)
    keys = Credentials(request["id"], request["secret"], request["token"] or None)
    service = request["service"]
    auth = CLASSES["s3" if service == "s3" else "other", in_query](keys, service, request["region"], **({"expires": request["expires"]} if in_query else {}))
    asked = AWSRequest(request["method"], address_of(request), data=request["body"].encode())
    for name, value in request["given"]:
        asked.headers[name.title()] = value
    auth.add_auth(asked)
    return asked.url.split("?", 1)[1] if in_query else asked.headers["Authorization"]


@pytest.mark.parametrize("in_query", [False, True], ids=["header", "address"])
def test_three_thousand_requests_are_signed_as_botocore_does(in_query, monkeypatch):
    dice = random.Random(20130524 + in_query)
    requests = [any_request(dice, in_query) for _ in range(3000)]
    for request, ours in zip(requests, sign(requests)):
        assert ours == botocore_says(request, monkeypatch), json.dumps(request)


def test_what_cannot_be_signed_whole_is_refused():
    base = any_request(random.Random(1), False)
    address = {**any_request(random.Random(2), True), "token": "some"}

    def queries(count):
        return [[f"q{i}", ""] for i in range(count)]

    most, more, wide, long, fits, over = sign([{**base, "queries": queries(128)}, {**base, "queries": queries(129)},
                                               {**base, "headers": [[f"h{i}", ""] for i in range(65)]}, {**base, "secret": "s" * 291},
                                               {**address, "queries": queries(121)}, {**address, "queries": queries(122)}])
    assert most.startswith("AWS4-HMAC-SHA256 ") and "X-Amz-Signature=" in fits
    assert more == "refused: the request has 129 queries: more than 128 cannot be signed"
    assert wide == "refused: the request has 65 headers: more than 64 cannot be signed"
    assert long == "refused: the secret access key is longer than 290 characters"
    assert over == "refused: the address has 129 queries with its signature's: more than 128 cannot be signed"


# ---- what we sign, we accept ----

def ask(service, request, path=None, headers=None, signature=""):
    """Status and S3's error code."""
    host = urllib.parse.urlsplit(service.endpoint).netloc
    connection = http.client.HTTPConnection(host, timeout=20)
    connection.putrequest(request["method"], path, skip_host=True, skip_accept_encoding=True)
    for name, value in headers if headers is not None else request["headers"]:
        connection.putheader(name, value.encode())
    if signature:
        connection.putheader("Authorization", signature)
    connection.endheaders()
    answer = connection.getresponse()
    found = re.search(rb"<Code>(\w+)</Code>", answer.read())
    connection.close()
    return answer.status, found.group(1).decode() if found else ""


def our_requests(service, dice, in_query, count):
    """Signed now, for objects that are not there: 404 is how a request says that it came through the gate."""
    requests = []
    for _ in range(count):
        request = any_request(dice, in_query)
        now = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        nothing = hashlib.sha256(b"").hexdigest()
        headers = [["host", urllib.parse.urlsplit(service.endpoint).netloc]] + [["x-amz-meta-a", any_value(dice)]]
        if not in_query:
            headers += [["x-amz-date", now], ["x-amz-content-sha256", nothing]]
        queries = [["versionId-x", any_text(dice, 20)]] + [[f"q{i}", any_text(dice, 20)] for i in range(dice.randint(0, 9))]
        requests.append({**request, "method": "GET", "scheme": "http", "host": headers[0][1], "path": "/no-such-bucket/k" + any_path(dice), "queries": queries,
                         "headers": headers, "payload": "UNSIGNED-PAYLOAD" if in_query else nothing, "date": now, "service": "s3", "region": "us-east-1",
                         "id": service.access_key, "secret": service.secret_key, "token": "", **({"expires": 600} if in_query else {})})
    return requests


def changed(dice, text):
    """One letter of it is another."""
    places = [i for i, letter in enumerate(text) if letter.isascii() and letter.isalnum() and text[max(0, i - 2):i].find("%") < 0]
    at = dice.choice(places)
    return text[:at] + ("b" if text[at] != "b" else "c") + text[at + 1:]


@pytest.mark.parametrize("in_query", [False, True], ids=["header", "address"])
def test_the_gate_accepts_what_we_sign_until_one_byte_is_changed(service, in_query):
    dice = random.Random(7 + in_query)
    requests = our_requests(service, dice, in_query, 150)
    for request, ours in zip(requests, sign(requests)):
        target, signature = address_of(request)[len(service.endpoint):], "" if in_query else ours
        path, query = target.split("?", 1)
        if in_query:
            query = ours
        assert ask(service, request, f"{path}?{query}", signature=signature) == (404, "NoSuchBucket"), request
        refused = (403, "SignatureDoesNotMatch")
        key = path.removeprefix("/no-such-bucket/")
        assert ask(service, request, f"/no-such-bucket/{changed(dice, key)}?{query}", signature=signature) == refused, request
        own = "versionId-x=" + request["queries"][0][1]
        assert ask(service, request, f"{path}?{query.replace('versionId-x=', 'versionId-x=1', 1)}", signature=signature) == refused, own
        assert ask(service, request, f"{path}?{query}&one=more", signature=signature) == refused, request
        meta = [[name, value + "x" if name == "x-amz-meta-a" else value] for name, value in request["headers"]]
        assert ask(service, request, f"{path}?{query}", meta, signature) == refused, request
        assert ask(service, {**request, "method": "DELETE"}, f"{path}?{query}", signature=signature) == refused, request
        last = "0" if ours[-1] != "0" else "1"
        spoiled = (f"{query[:-1]}{last}", "") if in_query else (query, ours[:-1] + last)
        assert ask(service, request, f"{path}?{spoiled[0]}", signature=spoiled[1]) == refused, request


def test_no_query_is_left_unchecked(service):
    request = our_requests(service, random.Random(3), False, 1)[0]
    for count, answer in ((128, (404, "NoSuchBucket")), (129, (400, "InvalidURI"))):
        request["queries"] = [[f"q{i}", ""] for i in range(count)]
        ours = sign([{**request, "queries": request["queries"][:128]}])[0]
        assert ask(service, request, address_of(request)[len(service.endpoint):], signature=ours) == answer


# ---- what leaves the program ----

@pytest.fixture
def watched(place):
    """A place whose every request goes through place.proxy (S3) or place.other_proxy."""
    place.other_proxy = FaultProxy(place.moto.endpoint)
    place.environment["AWS_ENDPOINT_URL"] = place.other_proxy.endpoint
    yield place
    place.other_proxy.close()


def resigned(method, target, headers, monkeypatch):
    """The Authorization header that botocore would have given a request we saw."""
    given = headers["authorization"]
    _, day, region, service, _ = re.search("Credential=([^,]+)", given).group(1).split("/")
    names = re.search("SignedHeaders=([^,]+)", given).group(1).split(";")
    assert {"host", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token"} <= set(names) and day == headers["x-amz-date"][:8]
    now = datetime.datetime.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ")
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_: now)
    auth = CLASSES["s3" if service == "s3" else "other", False](Credentials(KEYS["AWS_ACCESS_KEY_ID"], KEYS["AWS_SECRET_ACCESS_KEY"], KEYS["AWS_SESSION_TOKEN"]), service, region)
    auth.payload = lambda _: headers["x-amz-content-sha256"]
    asked = AWSRequest(method, "http://" + headers["host"] + target, headers={name: headers[name] for name in names})
    auth.add_auth(asked)
    return asked.headers["Authorization"]


def assert_signed(seen, monkeypatch):
    for method, target, headers in seen:
        headers = {name.lower(): value for name, value in headers.items()}
        assert headers["authorization"] == resigned(method, target, headers, monkeypatch), (method, target, headers)


def test_each_request_of_a_function_is_signed_as_botocore_would(watched, monkeypatch):
    place = watched
    make_table(place.moto.client("dynamodb"), f"images-{place.source}")
    place.queue = place.moto.client("sqs").create_queue(QueueName=f"heavy-{place.source}")["QueueUrl"]
    place.environment.update(PIXMILL_TABLE=f"images-{place.source}", PIXMILL_HEAVY_QUEUE=place.queue, PIXMILL_HEAVY_PIXELS="2000000", PIXMILL_S3_MULTIPART="1000")
    keys = ["plain.jpg", "a//b.jpg", "a/../x.jpg", "./x.jpg", "a+b c~.jpg", "a%2Fb.jpg", "ümläut/\U0001f600.jpg", "q?x=1&y=2#z.jpg", "star*()!;:@$,'.jpg"]
    runtime = place.start()
    for key in keys:
        place.put(key)
        assert runtime.invoke(s3_events(s3_event(place.source, key)))[0] == "response", (key, runtime.lines[-5:])
    place.put("big.jpg", picture(2000, 1500))
    assert runtime.invoke(s3_events(s3_event(place.source, "big.jpg")))[0] == "response", runtime.lines[-5:]
    seen, others = place.proxy.seen, place.other_proxy.seen
    assert sum("uploadId=" in target for _, target, _ in seen) >= 2 * len(keys)
    targets = {value for _, _, headers in others for name, value in headers.items() if name.lower() == "x-amz-target"}
    assert {re.match(r"[A-Za-z]+", target).group() for target in targets} == {"DynamoDB", "AmazonSQS"}
    assert_signed(seen + others, monkeypatch)


def test_an_endpoint_s_own_path_is_signed_too(place, monkeypatch):
    place.environment["AWS_ENDPOINT_URL_S3"] += "/gate%20way/s3"
    place.start().invoke(s3_events(s3_event(place.source, "cat.jpg")))
    assert place.proxy.seen and all(re.match("/gate%20way/s3/(source|target)-", target) for _, target, _ in place.proxy.seen)
    assert_signed(place.proxy.seen, monkeypatch)
