"""The upload API's transports, for tests that hold each to the same: `serve`, and the function behind API Gateway's REST API (payload
1.0), its HTTP API (2.0) and a function URL, under AWS's emulator. All four stand before the same bucket; the function's records are in moto."""
import base64
import decimal
import json
import urllib.parse

import boto3.dynamodb.types
import requests
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.text = status, {name.lower(): value for name, value in headers.items()}, body

    @property
    def json(self):
        return json.loads(self.text)


def encode(queries):
    """As a browser does: a list of pairs, or text that is sent as it is."""
    return queries if isinstance(queries, str) else urllib.parse.urlencode(queries)


class Serve:
    """Signed requests to /_/api."""

    name = "serve"

    def __init__(self, service):
        self.service = service

    def sign(self, method, url, headers, body):
        request = AWSRequest(method, url, data=body, headers=headers)
        S3SigV4Auth(Credentials(self.service.access_key, self.service.secret_key), "s3", "us-east-1").add_auth(request)
        return dict(request.headers)

    def ask(self, method, path, queries=(), headers=None, body=None):
        # Signed as it is decoded and encoded again: botocore takes the query as it stands.
        pairs = sorted(urllib.parse.parse_qsl(encode(queries), keep_blank_values=True))
        signed = urllib.parse.urlencode(pairs, quote_via=urllib.parse.quote, safe="")
        url = f"{self.service.endpoint}/_/api{path}"
        headers = self.sign(method, url + (f"?{signed}" if signed else ""), headers or {}, body)
        prepared = requests.Request(method, url, headers=headers, data=body).prepare()
        prepared.url = url + (f"?{encode(queries)}" if queries else "")
        with requests.Session() as session:
            answer = session.send(prepared, timeout=30)
        return Answer(answer.status_code, answer.headers, answer.text)


def context(stage, **more):
    return {"accountId": "123456789012", "apiId": "abc123", "domainName": "abc123.execute-api.us-east-1.amazonaws.com", "requestId": "request-1",
            "stage": stage, **more}


class Rest:
    """API Gateway, REST API: payload 1.0. Queries come decoded."""

    name = "rest"

    def event(self, method, path, queries, headers, body):
        pairs = urllib.parse.parse_qsl(encode(queries), keep_blank_values=True)
        many = {}
        for name, value in pairs:
            many.setdefault(name, []).append(value)
        return {"resource": "/{proxy+}", "path": path, "httpMethod": method, "headers": headers or None,
                "multiValueHeaders": {name: [value] for name, value in headers.items()} or None,
                "queryStringParameters": dict(pairs) or None, "multiValueQueryStringParameters": many or None, "pathParameters": {"proxy": path[1:]},
                "stageVariables": None, "requestContext": context("prod", path=f"/prod{path}", httpMethod=method, resourcePath="/{proxy+}",
                                                                  identity={"sourceIp": "198.51.100.1", "userAgent": "test"}),
                "body": body.decode() if body is not None else None, "isBase64Encoded": False}


class Http(Rest):
    """API Gateway, HTTP API with a stage: payload 2.0. The query is raw, header names are lower case."""

    name, stage = "http", "prod"

    def event(self, method, path, queries, headers, body):
        before = "" if self.stage == "$default" else f"/{self.stage}"
        event = {"version": "2.0", "routeKey": "$default", "rawPath": before + path, "rawQueryString": encode(queries),
                 "headers": {name.lower(): value for name, value in headers.items()},
                 "requestContext": context(self.stage, http={"method": method, "path": before + path, "protocol": "HTTP/1.1", "sourceIp": "198.51.100.1",
                                                             "userAgent": "test"}, routeKey="$default"),
                 "isBase64Encoded": False}
        if body is not None:
            event["body"] = body.decode()
        return event


class FunctionUrl(Http):
    """A function URL: payload 2.0 without a stage; the body in base 64, as it comes for types that are no text."""

    name, stage = "url", "$default"

    def event(self, method, path, queries, headers, body):
        event = super().event(method, path, queries, headers, body)
        if body is not None:
            event.update(body=base64.b64encode(body).decode(), isBase64Encoded=True)
        return event


class Function:
    """One of the three shapes, sent through the emulator."""

    def __init__(self, emulator, shape):
        self.emulator, self.shape, self.name = emulator, shape, shape.name

    def ask(self, method, path, queries=(), headers=None, body=None):
        answer = self.emulator.invoke(self.shape.event(method, path, queries, headers or {}, body))
        assert set(answer) == {"statusCode", "headers", "isBase64Encoded", "body"} and not answer["isBase64Encoded"], answer
        return Answer(answer["statusCode"], answer["headers"], answer["body"])


def copy_records(service, dynamodb, table):
    """The records of `serve`, as items."""
    serializer = boto3.dynamodb.types.TypeSerializer()
    for record in service.records().values():
        record["Lease"] = {"Owner": "", "Until": 0, **record["Lease"]}
        record = json.loads(json.dumps(record), parse_float=decimal.Decimal)
        dynamodb.put_item(TableName=table, Item={name: serializer.serialize(value) for name, value in record.items() if value != ""})
