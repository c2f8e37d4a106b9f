#!/usr/bin/env python3
"""Writes deploy/policies/*.json, for whoever makes the roles by hand, from the roles and bucket policies of the templates.

Words in capitals are to be replaced: SOURCE, DESTINATION, REGION, ACCOUNT, KEY, DISTRIBUTION, REPOSITORY. The names pixmill, pixmill-dead … are those
of docs/deploy.md. `function-options.json` holds what the function needs only with an option; take its statements as you take the options."""
import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from cfn import Stack, load  # noqa: E402

DEPLOY = pathlib.Path(__file__).resolve().parents[1] / "deploy"
NAMES = {"account": "ACCOUNT", "region": "REGION"}
PARAMETERS = {"PackageBucket": "PACKAGES", "PackageKey": "PACKAGE", "SourceBucket": "SOURCE", "DestinationBucket": "DESTINATION", "TableName": "images"}
OPTIONS = {"Trigger": "queue", "Api": "iam", "KmsKeyArn": "arn:aws:kms:REGION:ACCOUNT:key/KEY", "SubnetIds": "SUBNET", "SecurityGroupIds": "GROUP",
           "HeavyImage": "ACCOUNT.dkr.ecr.REGION.amazonaws.com/REPOSITORY:TAG", "Shift": "AllAtOnce"}


def role(stack, name):
    policy, = stack.resources[name]["Properties"]["Policies"]
    return policy["PolicyDocument"]


def without(document, other):
    known = [statement["Sid"] for statement in other["Statement"]]
    return {**document, "Statement": [statement for statement in document["Statement"] if statement["Sid"] not in known]}


def policies():
    template = load(DEPLOY / "template.yaml")
    plain = Stack(template, **NAMES, **PARAMETERS)
    api = Stack(template, **NAMES, **PARAMETERS, Api="iam")
    heavy = Stack(template, **NAMES, **PARAMETERS, HeavyImage=OPTIONS["HeavyImage"], Shift="AllAtOnce")
    options = Stack(template, **NAMES, **PARAMETERS, **OPTIONS)
    buckets = Stack(template, **NAMES, PackageBucket="PACKAGES", PackageKey="PACKAGE", Delivery="cloudfront")
    made = {
        "function": role(plain, "FunctionRole"), "function-options": without(role(options, "FunctionRole"), role(plain, "FunctionRole")),
        "api": role(api, "ApiRole"), "worker": role(heavy, "WorkerRole"), "worker-start": role(heavy, "WorkerStartRole"), "shift": role(heavy, "ShiftRole"),
        "source-bucket": buckets.resources["SourcePolicy"]["Properties"]["PolicyDocument"],
        "destination-bucket": buckets.resources["DestinationPolicy"]["Properties"]["PolicyDocument"],
    }
    if (DEPLOY / "pipeline.yaml").exists():
        pipeline = Stack(load(DEPLOY / "pipeline.yaml"), **NAMES, ConnectionArn="CONNECTION", Repository="OWNER/REPOSITORY")
        made |= {"pipeline": role(pipeline, "PipelineRole"), "build": role(pipeline, "BuildRole"), "deploy": role(pipeline, "DeployRole")}
    words = {buckets.ref("Source"): "SOURCE", buckets.ref("Destination"): "DESTINATION", "distribution/pixmill-Distribution": "distribution/DISTRIBUTION"}
    return {name: replaced(document, words) for name, document in made.items()}


def replaced(document, words):
    text = json.dumps(document)
    for word, other in words.items():
        text = text.replace(word, other)
    return json.loads(text)


def text_of(document):
    lines = ",\n".join("    " + json.dumps(statement) for statement in document["Statement"])
    return f'{{\n  "Version": "{document["Version"]}",\n  "Statement": [\n{lines}\n  ]\n}}\n'


if __name__ == "__main__":
    for name, document in policies().items():
        (DEPLOY / f"policies/{name}.json").write_text(text_of(document))
