"""docs/api.md and docs/deploy.md of the API's function do what they say: every example runs as it stands, and the role is enough."""
import json
import os
import pathlib
import re
import subprocess
import zipfile

import pytest
from botocore.exceptions import ClientError

from api import Serve
from aws import KEYS, Runtime
from conftest import PROGRAM
from emulator import Emulator
from place import picture
from test_iam import enforced, for_moto, function  # noqa: F401, a fixture

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE, DEPLOY = (ROOT / "docs/api.md").read_text(), (ROOT / "docs/deploy.md").read_text()
WITH_PROGRAM = {"PATH": f"{pathlib.Path(PROGRAM).resolve().parent}:{os.environ['PATH']}"}


def run(command, folder, **environment):
    done = subprocess.run(command, cwd=folder, env={**os.environ, **environment}, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_commands_with_curl_run_as_they_stand(own_service, tmp_path):
    (tmp_path / "photo.jpg").write_bytes(picture(1000, 700))
    run(["bash", "-euc", re.findall(r"```sh\n(.*?)```", PAGE, re.S)[0]], tmp_path, AWS_ENDPOINT_URL=own_service.endpoint,
        AWS_ACCESS_KEY_ID=own_service.access_key, AWS_SECRET_ACCESS_KEY=own_service.secret_key)
    image = json.loads((tmp_path / "image.json").read_text())
    assert (image["Status"], image["Width"], image["Outputs"][0]["Width"]) == ("done", 1000, 800)
    assert [entry["ImageId"] for entry in json.loads((tmp_path / "images.json").read_text())["images"]] == [image["ImageId"]]
    assert Serve(own_service).ask("GET", "/images").json == {"images": []}


def test_the_commands_that_sign_run_as_they_stand(own_service, tmp_path):
    (tmp_path / "photo.jpg").write_bytes(picture(1000, 700))
    run(["bash", "-euc", re.findall(r"```sh\n(.*?)```", PAGE, re.S)[1]], tmp_path, **WITH_PROGRAM, AWS_ENDPOINT_URL=own_service.endpoint, AWS_REGION="us-east-1",
        AWS_ACCESS_KEY_ID=own_service.access_key, AWS_SECRET_ACCESS_KEY=own_service.secret_key)
    assert (tmp_path / "back.jpg").read_bytes() == (tmp_path / "photo.jpg").read_bytes()


def test_the_scripts_run_as_they_stand(own_service, tmp_path):
    (tmp_path / "photo.jpg").write_bytes(picture(1000, 700))
    for name, text in re.findall(r"```js\n// (\w+\.mjs)\n(.*?)```", PAGE, re.S):
        (tmp_path / name).write_text(text)
    out = run(["node", "all.mjs"], tmp_path, PIXMILL_API=f"{own_service.endpoint}/_/api", AWS_ACCESS_KEY_ID=own_service.access_key,
              AWS_SECRET_ACCESS_KEY=own_service.secret_key)
    assert re.fullmatch(r"done uploads/[0-9a-f]{32}/processed-photo\.jpg\n", out)


def test_the_page_has_every_route_and_no_other():
    document = json.loads(subprocess.run([PROGRAM, "check", "--openapi", "plain"], capture_output=True, check=True).stdout)
    described = {(method.upper(), path): route for path, methods in document["paths"].items() for method, route in methods.items()}
    rows = dict((tuple(found[:2]), found[2]) for found in re.findall(r"^\| `([A-Z]+) (/\S+)` \|(.*)$", PAGE, re.M))
    assert set(rows) == set(described)
    fields = set(document["components"]["schemas"]["UploadRequest"]["properties"])
    for route, text in rows.items():
        names = {parameter["name"] for parameter in described[route]["parameters"]} | (fields if "requestBody" in described[route] else set())
        assert all(f"`{name}`" in text for name in names), route


# ---- the function's role ----

def policy(place):
    text = (ROOT / "deploy/policies/api.json").read_text()
    for name, value in {"SOURCE": place.source, "REGION": "us-east-1", "ACCOUNT": "123456789012"}.items():
        text = text.replace(name, value)
    return json.loads(text)


def test_the_policies_are_narrow():
    document = json.loads((ROOT / "deploy/policies/api.json").read_text())
    for statement in document["Statement"]:
        assert statement["Effect"] == "Allow" and "*" not in statement["Action"] and not re.fullmatch(r"arn:aws:s3:::[^/]*\*|\*", statement["Resource"])
    written = [statement["Resource"] for statement in document["Statement"] if {"s3:PutObject", "s3:DeleteObject"} & set(statement["Action"])]
    assert written == ["arn:aws:s3:::SOURCE/uploads/*"]
    rule, = json.loads((ROOT / "deploy/policies/cors.json").read_text())["CORSRules"]
    assert rule["AllowedMethods"] == ["PUT"] and rule["AllowedHeaders"] == ["content-type", "if-none-match"]


def test_the_role_is_enough_for_the_api_and_for_nothing_else(enforced):
    place = function(enforced, policy)
    place.environment.update(_HANDLER="api", PIXMILL_SOURCE=place.source)

    def ask(method, path, body=None, **queries):
        kind, answer = place.runtime.invoke({"httpMethod": method, "path": path, "headers": {"content-type": "application/json"}, "queryStringParameters": queries,
                                             "requestContext": {"path": path}, "body": json.dumps(body) if body else None, "isBase64Encoded": False})
        assert kind == "response", answer
        return answer["statusCode"], json.loads(answer["body"]) if answer["body"] else None

    try:
        place.start()
        for key in ("uploads/a.jpg", "private/x.jpg"):
            place.put(key)
        identity = f"{place.source}/uploads/a.jpg"
        status, upload = ask("POST", "/uploads", {"type": "image/jpeg", "bytes": 5})
        assert status == 201 and upload["bucket"] == place.source
        assert ask("GET", "/image", id=identity)[1]["Status"] == "queued"
        assert [image["ImageId"] for image in ask("GET", "/images")[1]["images"]] == [identity]
        assert ask("DELETE", "/image", id=identity) == (204, None)
        assert ask("GET", "/image", id=identity)[0] == 404
        role = enforced.of("s3", place.keys_of_role)
        role.put_object(Bucket=place.source, Key="uploads/b.jpg", Body=b"x")
        for call, about in ((role.get_object, {"Key": "uploads/b.jpg"}), (role.put_object, {"Key": "private/y.jpg", "Body": b"x"}),
                            (role.delete_object, {"Key": "private/x.jpg"}), (role.put_object, {"Bucket": place.target, "Key": "uploads/y.jpg", "Body": b"x"})):
            with pytest.raises(ClientError, match="AccessDenied|403|Forbidden"):
                call(**{"Bucket": place.source, **about})
        table = enforced.of("dynamodb", place.keys_of_role)
        with pytest.raises(ClientError, match="AccessDenied"):
            table.delete_item(TableName="images", Key={"ImageId": {"S": identity}})
    finally:
        place.close()


@pytest.mark.skipif(bool(os.environ.get("PIXMILL_SANITIZED")), reason="a sanitizer sees nothing of it")
def test_the_commands_of_the_deploy_page_make_the_function_and_its_gateway(moto, tmp_path):
    with zipfile.ZipFile(tmp_path / "pixmill.zip", "w") as package:
        package.writestr("bootstrap", "")
    (tmp_path / "deploy").symlink_to(ROOT / "deploy")
    commands, = re.findall(r"```sh\n(.*?)```", DEPLOY, re.S)
    out = run(["bash", "-euc", commands], tmp_path, **WITH_PROGRAM, **KEYS, AWS_ENDPOINT_URL=moto.endpoint, AWS_PAGER="", AWS_DEFAULT_REGION="us-east-1",
              SOURCE="source", DESTINATION="destination", ACCOUNT="123456789012", REGION="us-east-1", PACKAGE="pixmill.zip")
    made = moto.client("lambda").get_function_configuration(FunctionName="pixmill-api")
    assert made["Handler"] == "api" and made["Environment"]["Variables"]["PIXMILL_SOURCE"] == "source"
    attached = moto.client("iam").get_role_policy(RoleName="pixmill-api", PolicyName="pixmill-api")["PolicyDocument"]
    assert "SOURCE" not in json.dumps(attached) and "ACCOUNT" not in json.dumps(attached)
    gateway = moto.client("apigateway")
    api, = gateway.get_rest_apis()["items"]
    assert out.strip().endswith(f"https://{api['id']}.execute-api.us-east-1.amazonaws.com/prod/images")
    assert {stage["stageName"] for stage in gateway.get_stages(restApiId=api["id"])["item"]} == {"prod"}
    grants = json.loads(moto.client("lambda").get_policy(FunctionName="pixmill-api")["Policy"])["Statement"]
    assert [grant["Principal"] for grant in grants] == [{"Service": "apigateway.amazonaws.com"}]
    assert json.dumps(grants).count(f":{api['id']}/*") == 1, "no other gateway may call it"
