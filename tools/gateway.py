#!/usr/bin/env python3
"""Puts the upload API's description, as `pixmill check --openapi gateway` prints it, into deploy/template.yaml.

    tools/gateway.py build/pixmill            renews the template
    tools/gateway.py build/pixmill --check    says by its exit code whether it is up to date

CloudFormation without macros cannot include a file, so the description stands in the template, between marks. A deployment of API Gateway keeps the
description that it was made of: its name has a hash of it, so that a changed description makes a new one."""
import hashlib
import json
import pathlib
import re
import subprocess
import sys

TEMPLATE = pathlib.Path(__file__).resolve().parents[1] / "deploy/template.yaml"
MODES = ("Iam", "Key", "Jwt")


def choose(key, jwt, iam):
    return {"Fn::If": ["ApiByKey", key, {"Fn::If": ["ApiByJwt", jwt, iam]}]}


def for_template(document):
    """The description, with the way to authorise left to the parameter Api. What a browser asks first (OPTIONS) is open in all: it tells nothing."""
    for methods in document["paths"].values():
        for route in methods.values():
            if route.get("security"):
                assert route["security"] == [{"sigv4": []}]
                route["security"] = choose([{"key": []}], [{"jwt": []}], [{"sigv4": []}])
    schemes = document["components"]["securitySchemes"]
    assert list(schemes) == ["sigv4"]
    schemes["key"] = {"type": "apiKey", "name": "x-api-key", "in": "header"}
    none = {"Ref": "AWS::NoValue"}
    pool = {"type": "apiKey", "name": "Authorization", "in": "header", "x-amazon-apigateway-authtype": "cognito_user_pools",
            "x-amazon-apigateway-authorizer": {"type": "cognito_user_pools", "providerARNs": [{"Ref": "ApiUserPoolArn"}]}}
    schemes["jwt"] = {"Fn::If": ["ApiByJwt", pool, none]}
    return document


def compact(value):
    return json.dumps(value, separators=(", ", ": "), ensure_ascii=True)


def body(document):
    """YAML whose leaves are JSON: one line a route, a schema, an answer of the gateway."""
    lines = ["      Body:"]
    for name, value in document.items():
        if name in ("paths", "components"):
            lines.append(f"        {name}:")
            for inner, parts in value.items():
                lines.append(f"          {compact(inner)}:")
                lines += [f"            {compact(part)}: {compact(leaf)}" for part, leaf in parts.items()]
        else:
            lines.append(f"        {compact(name)}: {compact(value)}")
    return "\n".join(lines)


def deployments(digest):
    lines = []
    for mode in MODES:
        lines += [f"  ApiDeployment{mode}{digest}:", "    Type: AWS::ApiGateway::Deployment", f"    Condition: ApiBy{mode}",
                  "    DeletionPolicy: Delete", "    UpdateReplacePolicy: Delete", "    Properties: { RestApiId: !Ref RestApi }", ""]
    return "\n".join(lines[:-1])


def chosen(digest):
    refs = [f"!Ref ApiDeployment{mode}{digest}" for mode in ("Key", "Jwt", "Iam")]
    return f"      DeploymentId: !If [ApiByKey, {refs[0]}, !If [ApiByJwt, {refs[1]}, {refs[2]}]]"


def fill(text, mark, block):
    found = re.subn(rf"(# begin {mark}\b[^\n]*\n).*?( *# end {mark}\n)", lambda match: match[1] + block + "\n" + match[2], text, flags=re.DOTALL)
    assert found[1] == 1, mark
    return found[0]


def renewed(text, description):
    block = body(for_template(description))
    digest = hashlib.sha256(block.encode()).hexdigest()[:8]
    return fill(fill(fill(text, "openapi", block), "deployments", deployments(digest)), "deployment", chosen(digest))


def main():
    program, check = sys.argv[1], "--check" in sys.argv[2:]
    description = json.loads(subprocess.run([program, "check", "--openapi", "gateway"], check=True, capture_output=True).stdout)
    text = TEMPLATE.read_text()
    new = renewed(text, description)
    if check:
        sys.exit(0 if new == text else "tools/gateway.py: deploy/template.yaml is not up to date: run tools/gateway.py PROGRAM")
    TEMPLATE.write_text(new)


if __name__ == "__main__":
    main()
