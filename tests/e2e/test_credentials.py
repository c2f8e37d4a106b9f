"""Where pixmill finds its AWS credentials: each place against a stand-in. Who signed is read from the requests that arrive."""
import datetime
import http.server
import json
import re
import threading
import time

import pytest

from aws import s3_event, s3_events
from place import Place

NONE = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_SESSION_TOKEN": "", "AWS_EC2_METADATA_DISABLED": "true"}


@pytest.fixture
def place(moto, tmp_path):
    place = Place(moto, **NONE, HOME=str(tmp_path))
    place.put("cat.jpg")
    yield place
    place.close()


def signers(place):
    return [re.search("Credential=([^/]+)/", headers["authorization"]).group(1) for _, _, headers in place.proxy.seen if "authorization" in headers]


def run(place, *secrets):
    runtime = place.runtime or place.start()
    kind, answer = runtime.invoke(s3_events(s3_event(place.source, "cat.jpg")))
    assert kind == "response", answer
    for secret in secrets:
        assert secret not in "\n".join(runtime.lines)
    return signers(place)


class Endpoint:
    """Answers by path; a function sees the request's headers, and gives a body, a status, both, or None to refuse."""

    def __init__(self, answers):
        self.seen, endpoint = [], self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def answer(self):
                endpoint.seen.append((self.command, self.path, dict(self.headers)))
                answer = answers(self.command, self.path, self.headers)
                status, body = answer if isinstance(answer, tuple) else (answer, "") if isinstance(answer, int) else (200 if answer else 403, answer)
                self.send_response(status)
                self.send_header("Content-Length", str(len(body or "")))
                self.end_headers()
                self.wfile.write((body or "").encode())

            def do_POST(self):
                self.headers["Body"] = self.rfile.read(int(self.headers["Content-Length"])).decode()
                self.answer()

            do_GET = do_PUT = answer

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def document(key, seconds=3600):
    expiry = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return json.dumps({"AccessKeyId": key, "SecretAccessKey": "hush-" + key, "Token": "token-" + key, "Expiration": expiry.strftime("%Y-%m-%dT%H:%M:%SZ")})


def write(tmp_path, name, text):
    (tmp_path / ".aws").mkdir(exist_ok=True)
    (tmp_path / ".aws" / name).write_text(text)


def test_a_profile_of_the_credentials_file(place, tmp_path):
    write(tmp_path, "credentials", "[default]\naws_access_key_id = AKIDEFAULT\naws_secret_access_key = x\n"
          "[shop]\n# a comment\naws_access_key_id=AKISHOP ; mine\naws_secret_access_key = hush-shop\n")
    place.environment["AWS_PROFILE"] = "shop"
    assert set(run(place, "hush-shop")) == {"AKISHOP"}


def test_a_profile_s_region(place, tmp_path):
    write(tmp_path, "config", "[default]\nregion = eu-north-1\n[profile shop]\nregion = ap-south-1\n")
    write(tmp_path, "credentials", "[default]\naws_access_key_id = AKIDEFAULT\naws_secret_access_key = x\n"
          "[shop]\naws_access_key_id = AKISHOP\naws_secret_access_key = x\n")
    place.environment.update(AWS_REGION="", AWS_PROFILE="shop")
    run(place)
    assert {re.search("Credential=[^/]+/[0-9]+/([^/]+)/", headers["authorization"]).group(1) for _, _, headers in place.proxy.seen} == {"ap-south-1"}


def test_a_process_of_the_user_s(place, tmp_path):
    script = tmp_path / "give"
    script.write_text("#!/bin/sh\necho '" + json.dumps({"Version": 1, "AccessKeyId": "AKIPROCESS", "SecretAccessKey": "hush-process"}) + "'\n")
    script.chmod(0o755)
    write(tmp_path, "config", f"[default]\ncredential_process = {script}\n")
    assert set(run(place, "hush-process")) == {"AKIPROCESS"}


def test_a_role_that_a_profile_assumes(place, tmp_path):
    write(tmp_path, "config", "[profile worker]\nrole_arn = arn:aws:iam::123456789012:role/pixmill\nsource_profile = base\n")
    write(tmp_path, "credentials", "[base]\naws_access_key_id = AKIBASE\naws_secret_access_key = hush-base\n")
    place.environment["AWS_PROFILE"] = "worker"
    (signer,) = set(run(place, "hush-base"))
    assert signer.startswith("ASIA")


GRANT = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials><AccessKeyId>ASIAGRANTED</AccessKeyId>
<SecretAccessKey>hush-granted</SecretAccessKey><SessionToken>token-granted</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>
</Credentials></AssumeRoleResult></AssumeRoleResponse>"""


def test_a_role_is_asked_for_as_the_profile_says(place, tmp_path):
    write(tmp_path, "config", "[default]\nrole_arn = arn:aws:iam::123456789012:role/pixmill\ncredential_source = EcsContainer\nexternal_id = shop 7\n"
          "role_session_name = mill\n[profile self]\nrole_arn = arn:aws:iam::123456789012:role/pixmill\nsource_profile = self\n")
    write(tmp_path, "credentials", "[self]\naws_access_key_id = AKISELF\naws_secret_access_key = x\naws_session_token = token-self\n")
    sts = Endpoint(lambda *_: GRANT)
    place.environment.update(AWS_ENDPOINT_URL_STS=sts.url, AWS_PROFILE="self")
    try:
        assert set(run(place, "hush-granted", "token-self")) == {"ASIAGRANTED"}
        asked = sts.seen[0][2]
        assert "Credential=AKISELF/" in asked["authorization"] and asked["x-amz-security-token"] == "token-self"
        assert "ExternalId" not in asked["Body"]
        place.runtime.close()
        place.runtime = None
        del place.environment["AWS_PROFILE"]
        container = Endpoint(lambda *_: document("AKICONTAINER"))
        place.environment.update(AWS_CONTAINER_CREDENTIALS_FULL_URI=container.url + "/role")
        place.proxy.seen.clear()
        assert set(run(place, "hush-AKICONTAINER")) == {"ASIAGRANTED"}
        asked = sts.seen[-1][2]
        assert "Credential=AKICONTAINER/" in asked["authorization"]
        assert "ExternalId=shop%207" in asked["Body"] and "RoleSessionName=mill" in asked["Body"]
        container.close()
    finally:
        sts.close()


def test_an_instance_s_metadata_as_a_profile_s_source(place, tmp_path):
    write(tmp_path, "config", "[default]\nrole_arn = arn:aws:iam::123456789012:role/pixmill\ncredential_source = Ec2InstanceMetadata\n")
    sts = Endpoint(lambda *_: GRANT)
    metadata = Endpoint(lambda method, path, headers: {"/latest/api/token": "session", "/latest/meta-data/iam/security-credentials/": "role"}.get(
        path, document("AKIINSTANCE")))
    place.environment.update(AWS_EC2_METADATA_DISABLED="false", AWS_EC2_METADATA_SERVICE_ENDPOINT=metadata.url, AWS_ENDPOINT_URL_STS=sts.url)
    assert set(run(place)) == {"ASIAGRANTED"} and "Credential=AKIINSTANCE/" in sts.seen[0][2]["authorization"]
    sts.close()
    metadata.close()


def test_a_source_that_nobody_knows_is_named(place, tmp_path):
    write(tmp_path, "config", "[default]\nrole_arn = arn:aws:iam::123456789012:role/pixmill\ncredential_source = Moon\n")
    kind, error = place.start().invoke(s3_events(s3_event(place.source, "cat.jpg")))
    assert kind == "error" and "Moon" in error["errorMessage"] and "Ec2InstanceMetadata" in error["errorMessage"]


def test_metadata_can_be_turned_off_in_any_spelling(place):
    metadata = Endpoint(lambda *_: None)
    place.environment.update(AWS_EC2_METADATA_DISABLED="TRUE", AWS_EC2_METADATA_SERVICE_ENDPOINT=metadata.url)
    assert place.start().invoke(s3_events(s3_event(place.source, "cat.jpg")))[0] == "error"
    assert metadata.seen == []
    metadata.close()


def test_a_renewal_that_fails_while_the_old_ones_last_is_no_error(place):
    answers = [document("AKILASTING", 240)]  # within five minutes of its end, so every call wants new ones
    endpoint = Endpoint(lambda *_: answers.pop() if answers else None)
    place.environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = endpoint.url + "/role"
    assert set(run(place)) == {"AKILASTING"} and len(endpoint.seen) > 1
    endpoint.close()


@pytest.mark.parametrize("status", [500, 429])
def test_an_endpoint_that_is_busy_for_a_moment_is_asked_again(place, status):
    answers = [document("AKIAGAIN"), status]
    endpoint = Endpoint(lambda *_: answers.pop())
    place.environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = endpoint.url + "/role"
    assert set(run(place)) == {"AKIAGAIN"} and len(endpoint.seen) == 2
    endpoint.close()


def test_instance_metadata_that_is_busy_for_a_moment_is_asked_again(place):
    answers = [503]
    endpoint = Endpoint(lambda method, path, headers: answers.pop() if answers else {
        "/latest/api/token": "session", "/latest/meta-data/iam/security-credentials/": "role"}.get(path, document("AKIINSTANCE")))
    place.environment.update(AWS_EC2_METADATA_DISABLED="false", AWS_EC2_METADATA_SERVICE_ENDPOINT=endpoint.url)
    assert set(run(place)) == {"AKIINSTANCE"}
    endpoint.close()


def test_sts_that_is_busy_for_a_moment_is_asked_again(place, tmp_path):
    (tmp_path / "token").write_text("x")
    busy = [(400, "<ErrorResponse><Error><Code>Throttling</Code><Message>slowly</Message></Error></ErrorResponse>")]
    sts = Endpoint(lambda *_: busy.pop() if busy else GRANT)
    place.environment.update(AWS_WEB_IDENTITY_TOKEN_FILE=str(tmp_path / "token"), AWS_ROLE_ARN="arn:aws:iam::123456789012:role/pixmill", AWS_ENDPOINT_URL_STS=sts.url)
    assert set(run(place)) == {"ASIAGRANTED"} and len(sts.seen) == 2
    sts.close()


def test_credentials_that_cannot_be_renewed_are_no_picture_s_fault(place):
    lasting = [2]
    endpoint = Endpoint(lambda *_: document("AKIONCE", lasting[0]) if lasting else None)
    place.environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = endpoint.url + "/role"
    run(place)
    lasting.clear()
    place.put("cat.jpg")
    time.sleep(2.5)
    kind, error = place.runtime.invoke(s3_events(s3_event(place.source, "cat.jpg")), seconds=5)
    assert (kind, error["errorType"]) == ("error", "Pixmill.network") and "403" in error["errorMessage"], error
    lasting.append(3600)
    run(place)
    endpoint.close()


def test_many_threads_ask_once(place):
    def slow(*_):
        time.sleep(1)
        return document("AKIONCE")

    endpoint = Endpoint(slow)
    place.environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = endpoint.url + "/role"
    for i in range(16):
        place.put(f"{i}.jpg")
    kind, answer = place.start().invoke(s3_events(*(s3_event(place.source, f"{i}.jpg") for i in range(16))))
    assert (kind, answer.get("done")) == ("response", 16), answer
    assert len(endpoint.seen) == 1
    endpoint.close()


def test_a_web_identity(place, tmp_path):
    (tmp_path / "token").write_text("header.payload.signature\n")
    place.environment.update(AWS_WEB_IDENTITY_TOKEN_FILE=str(tmp_path / "token"), AWS_ROLE_ARN="arn:aws:iam::123456789012:role/pixmill")
    (signer,) = set(run(place, "header.payload.signature"))
    assert signer.startswith("ASIA")


def test_the_container_s_endpoint_and_its_expiry_in_mid_run(place, tmp_path):
    (tmp_path / "authorization").write_text("let me in\n")
    count = iter(range(100))
    endpoint = Endpoint(lambda method, path, headers: document(f"AKICONTAINER{next(count)}", 2) if headers["Authorization"] == "let me in" else None)
    try:
        place.environment.update(AWS_CONTAINER_CREDENTIALS_FULL_URI=endpoint.url + "/role", AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE=str(tmp_path / "authorization"))
        first = run(place, "hush-AKICONTAINER0", "let me in")
        assert first[0] == "AKICONTAINER0"
        time.sleep(2.5)
        place.put("cat.jpg")
        assert run(place, "hush-AKICONTAINER")[-1] not in first
    finally:
        endpoint.close()


def test_plain_http_to_a_stranger_is_refused(place):
    place.environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://127.0.0.1.example.com/role"
    kind, error = place.start().invoke(s3_events(s3_event(place.source, "cat.jpg")))
    assert kind == "error" and "neither HTTPS nor" in error["errorMessage"]


def test_instance_metadata_version_2(place):
    def answer(method, path, headers):
        if path == "/latest/api/token":
            return "session" if method == "PUT" and headers["X-aws-ec2-metadata-token-ttl-seconds"] else None
        if headers["X-aws-ec2-metadata-token"] != "session":
            return None
        return {"/latest/meta-data/iam/security-credentials/": "pixmill-role",
                "/latest/meta-data/iam/security-credentials/pixmill-role": document("AKIINSTANCE")}.get(path)

    endpoint = Endpoint(answer)
    try:
        place.environment.update(AWS_EC2_METADATA_DISABLED="false", AWS_EC2_METADATA_SERVICE_ENDPOINT=endpoint.url)
        assert set(run(place, "hush-AKIINSTANCE")) == {"AKIINSTANCE"}
        assert len(endpoint.seen) == 3  # kept, not asked for each request
    finally:
        endpoint.close()


def test_an_expired_token_is_renewed_at_once(place):
    count = iter(range(100))
    endpoint = Endpoint(lambda *_: document(f"AKITOKEN{next(count)}"))
    try:
        place.environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = endpoint.url + "/role"
        place.proxy.play("GET", "cat", 1, status=400, body=b"<Error><Code>ExpiredToken</Code><Message>old</Message></Error>")
        assert run(place)[:2] == ["AKITOKEN0", "AKITOKEN1"]
    finally:
        endpoint.close()


def test_a_wrong_clock_is_corrected(place):
    place.environment.update(AWS_ACCESS_KEY_ID="AKICLOCK", AWS_SECRET_ACCESS_KEY="x")
    later = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=2)
    place.proxy.play("GET", "cat", 1, status=403, body=b"<Error><Code>RequestTimeTooSkewed</Code></Error>")
    place.proxy.server.RequestHandlerClass.date_time_string = lambda self, timestamp=None: later.strftime("%a, %d %b %Y %H:%M:%S GMT")
    run(place)
    stamps = [headers["x-amz-date"] for method, path, headers in place.proxy.seen if method == "GET"]
    assert stamps[1][:11] == later.strftime("%Y%m%dT%H")[:11] and stamps[0] != stamps[1]


def test_without_any_it_says_where_it_looked(place):
    kind, error = place.start().invoke(s3_events(s3_event(place.source, "cat.jpg")))
    assert (kind, error["errorType"]) == ("error", "Pixmill.access-denied") and "not in ~/.aws" in error["errorMessage"]
