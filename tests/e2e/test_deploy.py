"""deploy/: what the templates become with each option is walked link by link, held against what the program calls and prints, and made on moto.

No AWS account was at hand: docs/deploy.md says what that leaves open."""
import contextlib
import copy
import importlib.machinery
import importlib.util
import io
import json
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import threading
import types
import zipfile

import pytest
from botocore.exceptions import ClientError

from aws import KEYS, s3_event
from conftest import PROGRAM
from place import Place, add_table, picture
from test_iam import enforced, for_moto, function, names, run  # noqa: F401, a fixture

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEPLOY, TOOLS = ROOT / "deploy", ROOT / "tools"
sys.path.insert(0, str(TOOLS))
cfn = pytest.importorskip("cfn", reason="PyYAML is not installed")
import policies  # noqa: E402

pytestmark = pytest.mark.skipif(bool(os.environ.get("PIXMILL_SANITIZED")), reason="a sanitizer sees nothing of it")
PACKAGE = {"PackageBucket": "packages", "PackageKey": "pixmill.zip"}
ALL = {**PACKAGE, "Trigger": "queue", "Api": "iam", "Delivery": "cloudfront", "EdgeWebAclArn": "arn:aws:wafv2:us-east-1:1:global/webacl/x/y", "Shift": "Canary10Percent5Minutes",
       "ShieldProtection": "yes", "HeavyImage": "123456789012.dkr.ecr.us-east-1.amazonaws.com/pixmill:1", "KmsKeyArn": "arn:aws:kms:us-east-1:123456789012:key/k",
       "SubnetIds": "subnet-1", "SecurityGroupIds": "sg-1", "Versioning": "yes", "CorsOrigins": "https://pages.example", "AlarmEmail": "me@example.org"}
TEMPLATE = cfn.load(DEPLOY / "template.yaml")


def listed(value):
    return value if isinstance(value, list) else [value]


# ---- the text of the templates ----

def test_only_templates_end_in_yaml_and_they_need_nothing_but_the_package():
    for path in DEPLOY.rglob("*.yaml"):
        template = cfn.load(path)
        assert template["AWSTemplateFormatVersion"] == "2010-09-09" and "Transform" not in template, path
        assert not re.search(r"\b\d{12}\b", path.read_text()), "an account's id"
        assert "Fn::Transform" not in json.dumps(template)
    assert {name for name, about in TEMPLATE["Parameters"].items() if "Default" not in about} == {"PackageBucket", "PackageKey"}
    assert len((DEPLOY / "template.yaml").read_bytes()) < 1_000_000 and len(TEMPLATE["Parameters"]) <= 200 and len(TEMPLATE["Resources"]) <= 500
    grouped = [name for group in TEMPLATE["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"] for name in group["Parameters"]]
    assert sorted(grouped) == sorted(TEMPLATE["Parameters"])
    assert all(about.get("Description") for about in TEMPLATE["Parameters"].values())


def test_the_api_of_the_template_is_the_programs_own():
    if subprocess.run([PROGRAM, "check", "--openapi", "gateway"], capture_output=True).returncode:
        pytest.skip("this program has no upload API")
    done = subprocess.run([sys.executable, TOOLS / "gateway.py", PROGRAM, "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def explicit_names(stack):
    keys = {"BucketName", "FunctionName", "LogGroupName", "DashboardName", "ApplicationName", "Family", "QueueName", "TableName", "TopicName", "RoleName", "AlarmName"}
    found = set()
    for logical, resource in stack.resources.items():
        for key, value in resource.get("Properties", {}).items():
            if key in keys and resource["Type"] not in ("AWS::Lambda::Permission", "AWS::Lambda::Version", "AWS::Lambda::Alias", "AWS::CodeDeploy::DeploymentGroup"):
                found.add((resource["Type"], str(value)))
    return found


def test_two_stacks_do_not_collide():
    one, two = (cfn.Stack(TEMPLATE, name=name, **ALL) for name in ("first", "second"))
    assert explicit_names(one) and not explicit_names(one) & explicit_names(two)
    buckets = {value for kind, value in explicit_names(one) if kind == "AWS::S3::Bucket"}
    assert buckets == {"first-source-94a1b2c3d4e5", "first-processed-94a1b2c3d4e5"}  # not the same in another region, or after the stack was deleted
    assert cfn.Stack(TEMPLATE, name="with-dashes-in-it", **ALL).ref("Source") == "with-dashes-in-it-source-94a1b2c3d4e5"


def test_a_budget_is_made_only_where_there_are_any():
    made = {region: "Budget" in cfn.Stack(TEMPLATE, region=region, **PACKAGE).resources for region in ("us-east-1", "eu-west-2", "eu-north-1", "af-south-1")}
    assert made == {"us-east-1": True, "eu-west-2": True, "eu-north-1": False, "af-south-1": False}
    assert "Budget" not in cfn.Stack(TEMPLATE, MonthlyBudget=0, **PACKAGE).resources


# ---- who may do what ----

def rows(macro):
    text = (ROOT / "src/aws/operations.h").read_text()
    block = re.search(rf"#define {macro}\(X\)(.*?)\n\n", text, re.DOTALL)[1].replace("\\\n", " ")
    return [[part for part in (re.sub(r'"\s+"', "", cell) for cell in re.findall(r'"((?:[^"]|"\s+")*?)"\s*(?:,|$)', row))] for row in re.findall(r"X\((.*?)\)(?=\s*(?:X\(|$))", block, re.DOTALL)]


def granted(document):
    return {action for statement in document["Statement"] if statement["Effect"] == "Allow" for action in listed(statement["Action"])}


ROLES = {"function": "FunctionRole", "api": "ApiRole", "worker": "WorkerRole", "worker-start": "WorkerStartRole"}


@pytest.mark.parametrize("who", ROLES)
def test_each_role_is_the_union_of_the_tables_rows(who):
    operations = [row for row in rows("PX_AWS_OPERATIONS") if who in row[2].split()]
    behalf = [row for row in rows("PX_AWS_ON_BEHALF") if who in row[1].split()]
    plain = cfn.Stack(TEMPLATE, **{**PACKAGE, "Api": "iam", "HeavyImage": ALL["HeavyImage"]})
    wanted = {action for row in operations for action in row[3].split()}
    always = wanted | {action for row in behalf if row[0] == "always" for action in row[2].split()}
    assert granted(policies.role(plain, ROLES[who])) == always
    options = wanted | {action for row in behalf for action in row[2].split()}
    assert granted(policies.role(cfn.Stack(TEMPLATE, **ALL), ROLES[who])) == options


def test_the_table_has_every_operation_that_the_code_calls():
    named = {(service, operation) for service, operation, *_ in rows("PX_AWS_OPERATIONS")}
    called = set()
    for path in (ROOT / "src/aws").glob("*.c"):
        text = path.read_text()
        called |= {("s3", action) for action in re.findall(r'px_aws_s3_request\(ports, "[A-Z]+", "(\w+)"', text)}
        called |= set(re.findall(r'\.service = "(s3|sns)", \.action = "(\w+)"', text))
        called |= {("ssm", "GetParameter")} if "AmazonSSM.GetParameter" in text else set()
        called |= {("events", "PutEvents")} if "AWSEvents.PutEvents" in text else set()
        if path.name == "table.c":
            called |= {("dynamodb", action) for action in re.findall(r'"(GetItem|PutItem|UpdateItem|DeleteItem|Query|Scan|BatchWriteItem|TransactWriteItems)"', text)}
        if path.name in ("queue.c", "message.c"):
            called |= {("sqs", action) for action in re.findall(r'"(\w+Message\w*|GetQueueUrl|GetQueueAttributes)"', text) if action != "MaxNumberOfMessages"}
    assert called == named


def test_the_policies_beside_the_templates_are_theirs():
    for name, document in policies.policies().items():
        path = DEPLOY / f"policies/{name}.json"
        if name == "api" and not path.exists():
            continue  # comes with the upload API
        assert json.loads(path.read_text()) == document, f"{name}: run tools/policies.py"


# AWS has no narrower resource for these: what does not exist yet, and a log-in.
WIDE = {"ec2:CreateNetworkInterface", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses",
        "ec2:UnassignPrivateIpAddresses", "ecr:GetAuthorizationToken"}


def roles_of_all():
    stack = cfn.Stack(TEMPLATE, **ALL)
    yield from ((logical, stack) for logical, resource in stack.resources.items() if resource["Type"] == "AWS::IAM::Role")


def test_no_statement_names_more_than_it_needs():
    for logical, stack in roles_of_all():
        for statement in policies.role(stack, logical)["Statement"]:
            actions, resources = listed(statement["Action"]), listed(statement["Resource"])
            assert not any("*" in action for action in actions), (logical, statement)
            if resources == ["*"]:
                assert set(actions) <= WIDE, (logical, statement)
                continue
            for resource in resources:
                assert re.fullmatch(r"arn:aws:[^*]+(/\*|:\*)?", resource), (logical, resource)
        trust, = stack.resources[logical]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        assert list(trust["Principal"]) == ["Service"] and isinstance(trust["Principal"]["Service"], str)


def test_who_may_write_the_source_may_not_read_it_and_the_other_way_round():
    stack = cfn.Stack(TEMPLATE, **ALL)
    source = f"arn:aws:s3:::{stack.ref('Source')}/"

    def may(role):
        return {action for statement in policies.role(stack, role)["Statement"] for action in listed(statement["Action"])
                if any(resource.startswith(source) for resource in listed(statement["Resource"]))}
    assert may("FunctionRole") == may("WorkerRole") == {"s3:GetObject"}
    assert may("ApiRole") == {"s3:PutObject", "s3:DeleteObject"}


def test_lambda_page_has_the_same_rights():
    page = (ROOT / "docs/lambda.md").read_text()
    shown = json.loads(next(block for block in re.findall(r"```json\n(.*?)```", page, re.DOTALL) if '"Statement"' in block))
    assert granted(shown) == granted(json.loads((DEPLOY / "policies/function.json").read_text()))


def of_file(place):
    text = (DEPLOY / "policies/function.json").read_text()
    for name, value in {**names(place), "REGION": "us-east-1", "ACCOUNT": "123456789012"}.items():
        text = text.replace(name, value)
    return json.loads(text)


def test_the_functions_policy_is_enough_under_enforcement(enforced):
    place = function(enforced, of_file, PIXMILL_S3_MULTIPART="65536")
    try:
        place.put("a/cat.jpg")
        place.put("bad.jpg", picture()[:3000])
        assert run(place, s3_event(place.source, "a/cat.jpg", "0A"))["done"] == 1
        assert run(place, s3_event(place.source, "bad.jpg"))["failed"][0]["code"] == "truncated-image"
        place.s3.delete_object(Bucket=place.source, Key="a/cat.jpg")
        assert run(place, s3_event(place.source, "a/cat.jpg", "0B", "ObjectRemoved:Delete"))["done"] == 1
        assert place.keys() == [] and not [line for line in place.runtime.log() if line.get("result") == "access-denied"]
    finally:
        place.close()


# ---- the graph, link by link ----

def kinds(stack, kind):
    return {logical: resource["Properties"] for logical, resource in stack.resources.items() if resource["Type"] == kind}


def denies_plain(document, arns):
    return any(statement["Effect"] == "Deny" and statement["Principal"] == "*" and statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}} and
               set(listed(statement["Resource"])) == set(arns) for statement in document["Statement"])


def broken_links(template, **options):
    """The names of all that is not wired as it should be."""
    stack, broken = cfn.Stack(template, **{**ALL, **options}), []

    def must(holds, name):
        if not holds:
            broken.append(name)

    alias, topic, dead = (stack.ref(name) for name in ("Alias", "Topic", "Dead"))
    source_arn, destination_arn = stack.attribute("Source", "Arn"), stack.attribute("Destination", "Arn")
    resources = {name: resource.get("Properties", {}) for name, resource in stack.resources.items()}
    notification = resources["Source"]["NotificationConfiguration"]
    if options.get("Trigger") == "direct":
        calls = notification.get("LambdaConfigurations", [])
        must([call["Event"] for call in calls] == ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"] and all(call["Function"] == alias for call in calls), "notification -> alias")
        permission = resources.get("SourceMayInvoke", {})
        must(permission.get("FunctionName") == alias and permission.get("SourceArn") == source_arn and permission.get("SourceAccount") == stack.account, "permission -> alias")
    else:
        must(notification.get("EventBridgeConfiguration") == {"EventBridgeEnabled": True}, "bucket -> EventBridge")
        must(resources["Rule"]["EventPattern"]["detail"]["bucket"]["name"] == [stack.ref("Source")], "rule -> source")
        must([target["Arn"] for target in resources["Rule"]["Targets"]] == [stack.attribute("Events", "Arn")], "rule -> queue")
        sends = resources["EventsPolicy"]["PolicyDocument"]["Statement"][0]
        must(sends["Resource"] == stack.attribute("Events", "Arn") and sends["Condition"]["ArnEquals"]["aws:SourceArn"] == stack.attribute("Rule", "Arn"), "queue lets rule")
        mapping = resources["EventSource"]
        must(mapping["FunctionName"] == alias and mapping["EventSourceArn"] == stack.attribute("Events", "Arn"), "event source -> alias")
        must(mapping.get("FunctionResponseTypes") == ["ReportBatchItemFailures"], "partial batches")
        must(resources["Events"]["VisibilityTimeout"] >= 6 * int(stack.parameters["Timeout"]), "visibility")
    for name, queue in kinds(stack, "AWS::SQS::Queue").items():
        own = [policy for policy in kinds(stack, "AWS::SQS::QueuePolicy").values() if policy["Queues"] == [stack.ref(name)]]
        must(len(own) == 1 and denies_plain(own[0]["PolicyDocument"], [stack.attribute(name, "Arn")]), f"{name}: only by TLS")
        if name != "Dead":
            must(queue.get("RedrivePolicy", {}).get("deadLetterTargetArn") == stack.attribute("Dead", "Arn"), f"{name} -> dead letters")
    ends = resources["FunctionEnds"]
    must(ends["FunctionName"] == stack.ref("Function") and ends["Qualifier"] == "live" and
         ends["DestinationConfig"]["OnFailure"]["Destination"] == stack.attribute("Dead", "Arn"), "alias -> on-failure destination")
    must(resources["Alias"]["FunctionVersion"] == stack.attribute("Version", "Version"), "alias -> version")
    for function, log in (("Function", "FunctionLog"), ("ApiFunction", "ApiLog")):
        must(resources[function]["LoggingConfig"]["LogGroup"] == stack.ref(log), f"{function} -> log")
        must(resources[log]["LogGroupName"] == f"/aws/lambda/{resources[function]['FunctionName']}" and resources[log].get("RetentionInDays"), f"{log}'s name and retention")
    must(resources["Task"]["ContainerDefinitions"][0]["LogConfiguration"]["Options"]["awslogs-group"] == stack.ref("HeavyLog"), "worker -> log")
    environment = resources["Function"]["Environment"]["Variables"]
    worker = {pair["Name"]: pair["Value"] for pair in resources["Task"]["ContainerDefinitions"][0]["Environment"]}
    must(environment["PIXMILL_SOURCE"] == worker["PIXMILL_SOURCE"] == stack.ref("Source"), "environment: source")
    must(environment["PIXMILL_DESTINATION"] == worker["PIXMILL_DESTINATION"] == stack.ref("Destination"), "environment: destination")
    must(environment["PIXMILL_DEAD_LETTERS"] == worker["PIXMILL_DEAD_LETTERS"] == dead, "environment: dead letters")
    must(environment.get("PIXMILL_HEAVY_QUEUE") == worker["PIXMILL_QUEUE"] == stack.ref("HeavyQueue"), "environment: heavy queue")
    must(environment["PIXMILL_TABLE"] == worker["PIXMILL_TABLE"] == stack.ref("Images"), "environment: table")
    for name, alarm in kinds(stack, "AWS::CloudWatch::Alarm").items():
        wanted = stack.ref("ScaleFromZero") if name == "HeavyWaitsAlarm" else topic
        must(alarm.get("AlarmActions") == [wanted], f"{name} -> {'worker' if name == 'HeavyWaitsAlarm' else 'topic'}")
    for notice in resources["Budget"]["NotificationsWithSubscribers"]:
        must(notice["Subscribers"] == [{"SubscriptionType": "SNS", "Address": topic}], "budget -> topic")
    must("budgets.amazonaws.com" in resources["TopicPolicy"]["PolicyDocument"]["Statement"][0]["Principal"]["Service"], "topic lets budget")
    for name, arn in (("Source", source_arn), ("Destination", destination_arn)):
        bucket = resources[name]
        must(set(bucket.get("PublicAccessBlockConfiguration", {}).values()) == {True} and len(bucket["PublicAccessBlockConfiguration"]) == 4, f"{name}: not public")
        must(bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"][0]["ServerSideEncryptionByDefault"].get("KMSMasterKeyID") == ALL["KmsKeyArn"], f"{name}: key")
        must(any("AbortIncompleteMultipartUpload" in rule for rule in bucket["LifecycleConfiguration"]["Rules"]), f"{name}: failed uploads go")
        own = [policy for policy in kinds(stack, "AWS::S3::BucketPolicy").values() if policy["Bucket"] == stack.ref(name)]
        must(len(own) == 1 and denies_plain(own[0]["PolicyDocument"], [arn, f"{arn}/*"]), f"{name}: only by TLS")
        must((stack.resources[name].get("DeletionPolicy"), stack.resources[name].get("UpdateReplacePolicy")) == ("RetainExceptOnCreate", "Retain"), f"{name}: stays")
    must(stack.resources["Images"].get("DeletionPolicy") == "RetainExceptOnCreate", "Images: stays")
    reads = [statement for statement in resources["DestinationPolicy"]["PolicyDocument"]["Statement"] if statement["Effect"] == "Allow"]
    distribution = f"arn:aws:cloudfront::{stack.account}:distribution/{stack.ref('Distribution')}"
    must(len(reads) == 1 and reads[0]["Condition"] == {"StringEquals": {"aws:SourceArn": distribution}} and reads[0]["Action"] == "s3:GetObject", "destination lets distribution")
    delivery = resources["Distribution"]["DistributionConfig"]
    must(delivery.get("WebACLId") == ALL["EdgeWebAclArn"], "distribution -> web ACL")
    must(delivery["Origins"][0]["DomainName"] == stack.attribute("Destination", "RegionalDomainName") and
         delivery["Origins"][0].get("OriginAccessControlId") == stack.attribute("OriginAccess", "Id"), "distribution -> destination")
    must(delivery["DefaultCacheBehavior"].get("ResponseHeadersPolicyId") == stack.ref("HeaderPolicy"), "distribution -> headers")
    must(delivery["DefaultCacheBehavior"]["ViewerProtocolPolicy"] == "redirect-to-https", "distribution: TLS")
    must(resources["WebAclOfApi"]["WebACLArn"] == stack.attribute("WebAcl", "Arn") and
         resources["WebAclOfApi"]["ResourceArn"].endswith(f"/restapis/{stack.ref('RestApi')}/stages/{stack.ref('ApiStage')}"), "API stage -> web ACL")
    must(resources["GatewayMayInvoke"]["FunctionName"] == stack.ref("ApiFunction") and f":{stack.ref('RestApi')}/" in resources["GatewayMayInvoke"]["SourceArn"], "gateway -> function")
    routes = [(path, method, route) for path, methods in resources["RestApi"]["Body"]["paths"].items() for method, route in methods.items()]
    must(routes and all(stack.attribute("ApiFunction", "Arn") in route["x-amazon-apigateway-integration"]["uri"] for _, _, route in routes), "routes -> function")
    must(all(bool(route["security"]) == (method != "options") for _, method, route in routes), "never open")
    scheme = {"iam": "sigv4", "key": "key", "jwt": "jwt"}[stack.parameters["Api"]]
    must(all(route["security"] == [{scheme: []}] for _, method, route in routes if method != "options"), "authorised as the parameter says")
    must(stack.resources["Alias"].get("UpdatePolicy", {}).get("CodeDeployLambdaAliasUpdate", {}).get("DeploymentGroupName") == stack.ref("ShiftGroup"), "alias -> CodeDeploy")
    must({alarm["Name"] for alarm in resources["ShiftGroup"]["AlarmConfiguration"]["Alarms"]} == {stack.ref("ErrorsAlarm"), stack.ref("FailureShareAlarm")} and
         "DEPLOYMENT_STOP_ON_ALARM" in resources["ShiftGroup"]["AutoRollbackConfiguration"]["Events"], "rollback on alarm")
    must(resources["Shield"]["ResourceArn"] == distribution, "Shield -> distribution")
    return broken


@pytest.mark.parametrize("options", [{}, {"Trigger": "direct"}, {"Api": "key"}, {"Api": "jwt", "ApiUserPoolArn": "arn:aws:cognito-idp:us-east-1:1:userpool/x"},
                                     {"SourcePrefix": "in/"}, *({"Timeout": seconds} for seconds in TEMPLATE["Parameters"]["Timeout"]["AllowedValues"])], ids=str)
def test_everything_is_wired(options):
    assert broken_links(TEMPLATE, **options) == []


def drop(*path):
    def change(template):
        place = template["Resources"]
        for step in path[:-1]:
            place = place[step]
        del place[path[-1]]
    return change


def put(value, *path):
    def change(template):
        place = template["Resources"]
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value
    return change


P = "Properties"
CUTS = [
    ("bucket -> EventBridge", drop("Source", P, "NotificationConfiguration", "EventBridgeConfiguration")),
    ("rule -> source", put(["elsewhere"], "Rule", P, "EventPattern", "detail", "bucket", "name")),
    ("rule -> queue", put([], "Rule", P, "Targets")),
    ("queue lets rule", put("arn:aws:sqs:x", "EventsPolicy", P, "PolicyDocument", "Statement", 0, "Resource")),
    ("event source -> alias", put({"Ref": "Function"}, "EventSource", P, "FunctionName")),
    ("partial batches", drop("EventSource", P, "FunctionResponseTypes")),
    ("visibility", put(30, "Events", P, "VisibilityTimeout")),
    ("Events -> dead letters", drop("Events", P, "RedrivePolicy")),
    *((f"{name}: only by TLS", put("Allow", f"{name}Policy", P, "PolicyDocument", "Statement", at, "Effect")) for name, at in (("Dead", 0), ("Events", 1), ("HeavyQueue", 0))),
    ("HeavyQueue -> dead letters", drop("HeavyQueue", P, "RedrivePolicy")),
    ("alias -> on-failure destination", put("$LATEST", "FunctionEnds", P, "Qualifier")),
    ("alias -> version", put("$LATEST", "Alias", P, "FunctionVersion")),
    ("Function -> log", put({"Ref": "ApiLog"}, "Function", P, "LoggingConfig", "LogGroup")),
    ("FunctionLog's name and retention", drop("FunctionLog", P, "RetentionInDays")),
    ("worker -> log", put("x", "Task", P, "ContainerDefinitions", 0, "LogConfiguration", "Options", "awslogs-group")),
    ("environment: heavy queue", drop("Function", P, "Environment", "Variables", "PIXMILL_HEAVY_QUEUE")),
    ("environment: source", put("x", "Function", P, "Environment", "Variables", "PIXMILL_SOURCE")),
    ("environment: dead letters", put("x", "Function", P, "Environment", "Variables", "PIXMILL_DEAD_LETTERS")),
    *((f"{name} -> topic", drop(name, P, "AlarmActions")) for name in TEMPLATE["Resources"] if name.endswith("Alarm") and name != "HeavyWaitsAlarm"),
    ("HeavyWaitsAlarm -> worker", drop("HeavyWaitsAlarm", P, "AlarmActions")),
    ("budget -> topic", put([], "Budget", P, "NotificationsWithSubscribers", 0, "Subscribers")),
    ("topic lets budget", put(["cloudwatch.amazonaws.com"], "TopicPolicy", P, "PolicyDocument", "Statement", 0, "Principal", "Service")),
    ("Source: not public", put(False, "Source", P, "PublicAccessBlockConfiguration", "BlockPublicPolicy")),
    ("Destination: only by TLS", put("Allow", "DestinationPolicy", P, "PolicyDocument", "Statement", 0, "Effect")),
    ("Source: only by TLS", drop("SourcePolicy")),
    ("Source: stays", put("Delete", "Source", "DeletionPolicy")),
    ("Destination: stays", put("Delete", "Destination", "UpdateReplacePolicy")),
    ("Images: stays", drop("Images", "DeletionPolicy")),
    ("Source: failed uploads go", put([], "Source", P, "LifecycleConfiguration", "Rules")),
    ("destination lets distribution", put({}, "DestinationPolicy", P, "PolicyDocument", "Statement", 1, "Fn::If", 1, "Condition")),
    ("distribution -> web ACL", drop("Distribution", P, "DistributionConfig", "WebACLId")),
    ("distribution -> destination", drop("Distribution", P, "DistributionConfig", "Origins", 0, "OriginAccessControlId")),
    ("distribution -> headers", drop("Distribution", P, "DistributionConfig", "DefaultCacheBehavior", "ResponseHeadersPolicyId")),
    ("API stage -> web ACL", put("x", "WebAclOfApi", P, "ResourceArn")),
    ("gateway -> function", put({"Ref": "Function"}, "GatewayMayInvoke", P, "FunctionName")),
    ("never open", put([], "RestApi", P, "Body", "paths", "/images", "get", "security")),
    ("alias -> CodeDeploy", drop("Alias", "UpdatePolicy")),
    ("rollback on alarm", put([], "ShiftGroup", P, "AlarmConfiguration", "Alarms")),
    ("Shield -> distribution", put("x", "Shield", P, "ResourceArn")),
]
DIRECT = [
    ("notification -> alias", put({"Ref": "Function"}, "Source", P, "NotificationConfiguration", "LambdaConfigurations", "Fn::If", 1, 0, "Function")),
    ("permission -> alias", drop("SourceMayInvoke", P, "SourceAccount")),
]


@pytest.mark.parametrize("name,cut,options", [(*cut, {}) for cut in CUTS] + [(*cut, {"Trigger": "direct"}) for cut in DIRECT], ids=lambda value: value if isinstance(value, str) else "")
def test_a_link_that_is_cut_is_seen(name, cut, options):
    changed = copy.deepcopy(TEMPLATE)
    cut(changed)
    assert name in broken_links(changed, **options)


# ---- what alarms, dashboard and saved queries look at is really printed ----

@pytest.fixture(scope="module")
def printed(moto):
    """The log of one picture that was done, one that failed, and a cold start."""
    place = Place(moto)
    add_table(place, moto)
    try:
        place.put("cat.jpg")
        place.put("bad.jpg", picture()[:3000])
        for key in ("cat.jpg", "bad.jpg"):
            run(place, s3_event(place.source, key, "0A"))
        yield place.runtime.log()
    finally:
        place.close()


def metrics_of(lines):
    return {(directive["Namespace"], metric["Name"], tuple(dimensions)) for line in lines if "_aws" in line for directive in line["_aws"]["CloudWatchMetrics"]
            for metric in directive["Metrics"] for dimensions in directive["Dimensions"]}


def watched(properties):
    """(namespace, metric, names of dimensions) of an alarm or a scaling policy."""
    if "Metrics" in properties:
        return [(part["MetricStat"]["Metric"]["Namespace"], part["MetricStat"]["Metric"]["MetricName"], tuple(one["Name"] for one in part["MetricStat"]["Metric"]["Dimensions"]))
                for part in properties["Metrics"] if "MetricStat" in part]
    return [(properties["Namespace"], properties["MetricName"], tuple(one["Name"] for one in properties["Dimensions"]))]


# AWS's own metrics, by its documentation.
AWS_METRICS = {*(("AWS/Lambda", name, ("FunctionName",)) for name in ("Errors", "Throttles", "Duration", "DestinationDeliveryFailures", "Invocations")),
               *(("AWS/SQS", name, ("QueueName",)) for name in ("ApproximateNumberOfMessagesVisible", "ApproximateNumberOfMessagesNotVisible", "ApproximateAgeOfOldestMessage")),
               ("ECS/ContainerInsights", "RunningTaskCount", ("ClusterName", "ServiceName"))}


def test_what_alarms_and_dashboard_look_at_is_emitted(printed):
    stack, known = cfn.Stack(TEMPLATE, **ALL), metrics_of(printed) | AWS_METRICS
    alarms = kinds(stack, "AWS::CloudWatch::Alarm")
    for name, alarm in alarms.items():
        assert set(watched(alarm)) <= known, name
        if any(namespace == "Pixmill" for namespace, *_ in watched(alarm)):
            assert f'"Value": "{stack.ref("Function")}"' in json.dumps(alarm)  # Service is the function's name
    assert {line["Service"] for line in printed if "_aws" in line} == {"thumbs"}  # AWS_LAMBDA_FUNCTION_NAME
    assert len(alarms) == 10
    board = json.loads(stack.resources["Dashboard"]["Properties"]["DashboardBody"])
    for widget in board["widgets"]:
        row = None
        for metric in widget["properties"]["metrics"]:
            row = [was if now == "." else now for was, now in zip(row or metric, metric)]
            assert (row[0], row[1], (row[2],)) in known, row


def test_what_saved_queries_ask_for_is_printed(printed):
    fields = {name for line in printed for name in line} | {"@timestamp"}
    stack = cfn.Stack(TEMPLATE, **ALL)
    words = {"filter", "stats", "count", "as", "latest", "by", "sort", "desc", "asc", "limit", "fields", "or", "like", "ispresent", "avg", "pct"}
    for name, query in kinds(stack, "AWS::Logs::QueryDefinition").items():
        assert query["LogGroupNames"] == [stack.ref("FunctionLog")], name
        text = re.sub(r'"[^"]*"|/\^[^/]*/', "", query["QueryString"])
        made = set(re.findall(r"\bas (\w+)", text))
        assert set(re.findall(r"@?\b[A-Za-z]\w*", text)) - words - made <= fields, name
    assert [line["code"] for line in printed if line.get("message") == "not processed"] == ["truncated-image"]  # failures by code
    assert {line["message"] for line in printed if str(line.get("message")).startswith("table.")} >= {"table.claim", "table.finish"}
    story = [line for line in printed if any(str(line.get(field)).endswith("/cat.jpg") for field in ("key", "target", "ImageId"))]
    assert len({line.get("message") for line in story}) >= 4
    assert all(name in {line.get("message") for line in story} for name in ("store.open", "table.claim", "done"))


# ---- deploy/deploy against moto ----

@pytest.fixture
def tool(moto, monkeypatch, tmp_path, capsys):
    """deploy/deploy, with the aws command line in this process: it takes a second to start otherwise."""
    driver = pytest.importorskip("awscli.clidriver", reason="the aws command line is not installed")
    loader = importlib.machinery.SourceFileLoader("deploy_tool", str(DEPLOY / "deploy"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("deploy_tool", loader))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    loader.exec_module(module)
    for name, value in {**KEYS, "AWS_ENDPOINT_URL": moto.endpoint, "AWS_DEFAULT_REGION": "us-east-1", "AWS_CONFIG_FILE": os.devnull, "AWS_DEFAULT_OUTPUT": "json"}.items():
        monkeypatch.setenv(name, value)
    calls, line = [], driver.create_clidriver()

    def answer(command, **_):
        calls.append(command[1:])
        if module.stop_at and command[2] == module.stop_at:
            raise KeyboardInterrupt
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = line.main(command[1:])
        return subprocess.CompletedProcess(command, code, out.getvalue(), err.getvalue())

    module.subprocess = types.SimpleNamespace(run=answer)
    module.time = types.SimpleNamespace(sleep=lambda seconds: None, strftime=lambda *_: f"{len(calls)}", gmtime=lambda: None)
    module.stop_at = None
    package = tmp_path / "package.zip"
    with zipfile.ZipFile(package, "w") as archive:
        archive.writestr("bootstrap", "1")

    def run_tool(*arguments, stop_at=None):
        module.stop_at = stop_at
        calls.clear()
        monkeypatch.setattr(sys, "argv", ["deploy", *arguments, *([] if "--delete" in arguments else ["--package", str(package)])])
        capsys.readouterr()
        module.main()
        return capsys.readouterr().out

    run_tool.calls, run_tool.package, run_tool.module = calls, package, module
    return run_tool


def described(moto, name):
    stacks = moto.client("cloudformation").describe_stacks()["Stacks"]
    return next((stack for stack in stacks if stack["StackName"] == name and "DELETE" not in stack["StackStatus"]), None)


def test_deploy_update_and_delete(moto, tool):
    out = tool("first", "--dry-run")
    assert "Add     Function AWS::Lambda::Function" in out and out.endswith("a dry run: nothing was changed\n")
    assert not any("execute-change-set" in call for call in tool.calls) and described(moto, "first") is None

    outputs = dict(line.split() for line in tool("first").splitlines() if re.match(r"\w+ +\S+$", line))
    assert re.fullmatch(r"first-source-[0-9a-f]{12}", outputs["SourceBucketName"])
    # Each through its own API. moto drops these kinds, so that they are not shown here: AWS::S3::BucketPolicy, AWS::SQS::QueuePolicy, AWS::SNS::TopicPolicy,
    # AWS::Lambda::EventInvokeConfig, AWS::CloudWatch::Alarm, AWS::Logs::QueryDefinition, AWS::Budgets::Budget; and of a
    # bucket its notification, its public access block, CORS and lifecycle.
    functions, s3 = moto.client("lambda"), moto.client("s3")
    made = functions.get_function(FunctionName="first")["Configuration"]
    assert (made["Runtime"], made["Handler"], made["Timeout"], made["MemorySize"]) == ("provided.al2023", "bootstrap", 90, 1769)
    variables = made["Environment"]["Variables"]
    assert (variables["PIXMILL_SOURCE"], variables["PIXMILL_DESTINATION"]) == (outputs["SourceBucketName"], outputs["DestinationBucketName"])
    assert functions.get_alias(FunctionName="first", Name="live")["FunctionVersion"] == "1"
    for bucket in (outputs["SourceBucketName"], outputs["DestinationBucketName"]):
        assert s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    table = moto.client("dynamodb").describe_table(TableName=outputs["TableNameInUse"])["Table"]
    assert table["KeySchema"] == [{"AttributeName": "ImageId", "KeyType": "HASH"}] and table["GlobalSecondaryIndexes"][0]["IndexName"] == "failures"
    role = moto.client("iam").get_role_policy(RoleName=made["Role"].split("/")[-1], PolicyName="pixmill")["PolicyDocument"]
    assert set(re.findall(r"\b(?:s3|dynamodb|sqs|logs|ec2|kms):[A-Z]\w+", str(role))) == granted(json.loads((DEPLOY / "policies/function.json").read_text()))

    # The wiring that moto drops is made by hand, and a picture sent through, with the function's own environment.
    place = Place(moto)
    place.environment.update({name: str(value) for name, value in variables.items()})
    place.environment["PIXMILL_DEAD_LETTERS"] = ""  # moto's address of a queue names AWS's host
    place.source, place.target = outputs["SourceBucketName"], outputs["DestinationBucketName"]
    try:
        place.put("photo.jpg")
        assert run(place, s3_event(place.source, "photo.jpg", "0A"))["done"] == 1
        assert place.size("processed-photo.jpg") == (800, 600)
    finally:
        place.close()

    assert "nothing to change" in tool("first") or described(moto, "first")["StackStatus"] == "UPDATE_COMPLETE"
    before = {parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in described(moto, "first")["Parameters"]}
    tool("first", "--update", "Memory=2048")
    tool("first", "--update")
    after = {parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in described(moto, "first")["Parameters"]}
    assert after["Memory"] == "2048" and after["Release"] != before["Release"] and {**after, "Memory": "", "Release": ""} == {**before, "Memory": "", "Release": ""}

    out = tool("first", "--delete")
    assert f"kept the bucket {outputs['SourceBucketName']}" in out and f"kept the table {outputs['TableNameInUse']}" in out
    assert described(moto, "first") is None
    assert not any(call[:2] in (["s3api", "delete-objects"], ["s3api", "delete-bucket"], ["dynamodb", "delete-table"]) for call in tool.calls)
    assert tool("first", "--delete") == "there is no stack first\n"


@pytest.mark.parametrize("step", ["put-object", "execute-change-set"])
def test_ended_half_way_and_run_again_it_comes_to_the_same(moto, tool, step):
    name = f"again-{step.split('-')[0]}"
    with pytest.raises(KeyboardInterrupt):
        tool(name, f"Recipe={{outputs: [{{id: {step}}}]}}", stop_at=step)
    tool(name, f"Recipe={{outputs: [{{id: {step}}}]}}")
    stack = described(moto, name)
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    assert {parameter["ParameterKey"]: parameter["ParameterValue"] for parameter in stack["Parameters"]}["Recipe"] == f"{{outputs: [{{id: {step}}}]}}"


def test_a_trigger_is_merged_into_the_notification_that_is_there(moto, tool):
    s3 = moto.client("s3")
    s3.create_bucket(Bucket="mine")
    queue = moto.client("sqs").create_queue(QueueName="theirs")["QueueUrl"]
    arn = moto.client("sqs").get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    theirs = {"Id": "theirs", "QueueArn": arn, "Events": ["s3:ObjectCreated:*"], "Filter": {"Key": {"FilterRules": [{"Name": "prefix", "Value": "theirs/"}]}}}
    merged = tool.module.merged
    before = {"QueueConfigurations": [theirs]}
    after = merged(before, "mine", "ALIAS", "in/", False)
    assert after["QueueConfigurations"] == [theirs] and [one["Events"] for one in after["LambdaFunctionConfigurations"]] == [["s3:ObjectCreated:*"], ["s3:ObjectRemoved:*"]]
    assert merged(after, "mine", "ALIAS", "in/", False) == after  # again: the same
    assert merged(after, "mine", None, "", False) == before       # and out again
    assert merged(before, "mine", "ALIAS", "", True) == {**before, "EventBridgeConfiguration": {}}
    assert merged(merged({}, "one", "A", "a/", False), "two", "B", "b/", False)["LambdaFunctionConfigurations"][0]["Id"] == "pixmill-one-created"

    s3.put_bucket_notification_configuration(Bucket="mine", NotificationConfiguration=before)
    tool("merging", "SourceBucket=mine", "SourcePrefix=in/")
    now = s3.get_bucket_notification_configuration(Bucket="mine")
    assert now["QueueConfigurations"][0]["Id"] == "theirs" and {one["LambdaFunctionArn"].split(":", 6)[-1] for one in now["LambdaFunctionConfigurations"]} == {"merging:live"}
    tool("merging", "--delete")
    now = s3.get_bucket_notification_configuration(Bucket="mine")
    assert "LambdaFunctionConfigurations" not in now and now["QueueConfigurations"][0]["Id"] == "theirs"


def test_pictures_are_deleted_only_when_told_so_twice(moto, tool, monkeypatch):
    outputs = dict(line.split() for line in tool("gone").splitlines() if re.match(r"\w+ +\S+$", line))
    s3 = moto.client("s3")
    s3.put_object(Bucket=outputs["SourceBucketName"], Key="photo.jpg", Body=b"x")
    monkeypatch.setattr("builtins.input", lambda _: "no")
    with pytest.raises(SystemExit, match="nothing was deleted"):
        tool("gone", "--delete", "--with-pictures")
    assert described(moto, "gone") and s3.list_objects_v2(Bucket=outputs["SourceBucketName"])["KeyCount"] == 1
    tool("gone", "--delete", "--with-pictures", "--yes")
    assert outputs["SourceBucketName"] not in [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]]


# ---- and with an aws that only writes down what it is asked ----

FAKE = """#!/bin/sh
echo "$@" >> "$FAKE_LOG"
case "$*" in
*get-caller-identity*) echo '{"Account": "111122223333"}' ;;
*describe-stacks*) echo "An error occurred (ValidationError): Stack does not exist" >&2; exit 255 ;;
*head-bucket*|*head-object*) exit 0 ;;
*describe-change-set*) echo '{"Status": "FAILED", "StatusReason": "Template format error"}' ;;
esac
"""


def with_fake(tmp_path, *arguments, fake=FAKE):
    (tmp_path / "aws").write_text(fake)
    (tmp_path / "aws").chmod(0o755)
    (tmp_path / "package.zip").write_bytes(b"zip")
    done = subprocess.run([sys.executable, DEPLOY / "deploy", *arguments], capture_output=True, text=True,
                          env={"PATH": f"{tmp_path}:/usr/bin:/bin", "FAKE_LOG": str(tmp_path / "log"), "AWS_REGION": "eu-west-1"})
    log = tmp_path / "log"
    return done, log.read_text().splitlines() if log.exists() else []


def test_a_change_set_that_fails_is_told_and_dropped(tmp_path):
    done, calls = with_fake(tmp_path, "--package", tmp_path / "package.zip")
    assert done.returncode == 1 and done.stderr == "deploy/deploy: the change set failed: Template format error\n"
    assert any("delete-change-set" in call for call in calls) and not any("execute-change-set" in call for call in calls)
    create = next(call for call in calls if "create-change-set" in call)
    assert "--change-set-type CREATE" in create and "--capabilities CAPABILITY_IAM" in create
    assert re.search(r"--template-url https://pixmill-packages-111122223333-eu-west-1\.s3\.eu-west-1\.amazonaws\.com/pixmill/[0-9a-f]{32}-template\.yaml", create)


@pytest.mark.parametrize("arguments,words", [
    (["Name"], "small letters"), (["Memry=1"], "no parameter Memry"), (["PackageKey=x"], "no parameter PackageKey"), (["--with-pictures"], "goes with --delete"),
    (["--delete", "--update"], "with nothing else"), (["a" * 40], "at most 39")])
def test_wrong_use_changes_nothing(tmp_path, arguments, words):
    done, calls = with_fake(tmp_path, *arguments)
    assert done.returncode == 2 and words in done.stderr and calls == []


def test_what_is_missing_is_said(tmp_path):
    done, calls = with_fake(tmp_path, "--package", tmp_path / "nothing.zip")
    assert done.returncode == 1 and "there is no package" in done.stderr
    done, calls = with_fake(tmp_path, "--update")
    assert done.returncode == 1 and "there is no stack pixmill to update" in done.stderr
    done = subprocess.run([sys.executable, DEPLOY / "deploy", "--package", tmp_path / "package.zip"], capture_output=True, text=True, env={"PATH": "/nowhere", "AWS_REGION": "us-east-1"})
    assert done.returncode == 1 and "aws is not installed" in done.stderr


# ---- the pipeline ----

def test_the_pipeline_builds_by_the_buildspec_and_deploys_what_it_made():
    stack = cfn.Stack(cfn.load(DEPLOY / "pipeline.yaml"), ConnectionArn="connection", Repository="me/pixmill")
    stages = stack.resources["Pipeline"]["Properties"]["Stages"]
    assert [stage["Name"] for stage in stages] == ["Source", "Build", "Deploy"]
    source, build, change, execute = (action for stage in stages for action in stage["Actions"])
    assert build["InputArtifacts"] == source["OutputArtifacts"] and change["InputArtifacts"] == build["OutputArtifacts"]
    assert build["Configuration"]["ProjectName"] == stack.ref("Build")
    assert change["Configuration"]["ActionMode"] == "CHANGE_SET_REPLACE" and execute["Configuration"]["ActionMode"] == "CHANGE_SET_EXECUTE"
    assert change["Configuration"]["ChangeSetName"] == execute["Configuration"]["ChangeSetName"]
    assert change["Configuration"]["RoleArn"] == stack.attribute("DeployRole", "Arn")
    assert stack.resources["Build"]["Properties"]["Source"]["BuildSpec"] == "deploy/buildspec.yml"
    tracked = subprocess.run(["git", "ls-files", "deploy"], cwd=ROOT, capture_output=True, text=True)
    if tracked.returncode == 0 and tracked.stdout:  # names like build* are often ignored
        assert {"deploy/buildspec.yml", "deploy/policies/build.json"} <= set(tracked.stdout.split())
    files = cfn.load(DEPLOY / "buildspec.yml")["artifacts"]["files"]
    assert [change["Configuration"][name].split("::")[1] for name in ("TemplatePath", "TemplateConfiguration")] == files
    own = json.loads(stack.parameters["StackParameters"])
    assert set(own) <= set(TEMPLATE["Parameters"]) and own["Shift"] in TEMPLATE["Parameters"]["Shift"]["AllowedValues"][1:]
    passed = [statement for role in ("PipelineRole", "DeployRole") for statement in policies.role(stack, role)["Statement"] if "iam:PassRole" in statement["Action"]]
    assert len(passed) == 2 and all(statement["Condition"]["StringEquals"]["iam:PassedToService"] and statement["Resource"] != "*" for statement in passed)


def test_the_buildspec_runs(tmp_path):
    """Its commands as they stand, in one shell; the long ones (./test, deploy/package) and aws are stand-ins that write down their arguments."""
    spec = cfn.load(DEPLOY / "buildspec.yml")
    assert spec["version"] == 0.2 and list(spec["phases"]) == ["install", "build", "post_build"]
    commands = [command for phase in spec["phases"].values() for command in phase["commands"]]
    for command in commands:  # what they start is there; deploy/package comes with the package
        for word in re.findall(r"(?:^|\s)(\./\w+|(?:deploy|tests)/[\w/]+)(?:\s|$)", command):
            assert (ROOT / word).exists() or word == "deploy/package", word
    known = subprocess.run(["bash", ROOT / "test", "help"], capture_output=True, text=True).stdout
    for command in commands:
        if command.startswith("./test "):
            assert all(re.search(rf"^{part} ", known, re.M) for part in command.split()[1:]), command
    for name in ("deploy", "tests/deploy", "dist", "bin"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "deploy/template.yaml").write_text((DEPLOY / "template.yaml").read_text())
    stand_in = '#!/bin/sh\necho "${0##*/} $*" >> "$LOG"\n'
    for name in ("test", "deploy/package", "tests/deploy/lint", "bin/aws"):
        (tmp_path / name).write_text(stand_in + ("echo zip > dist/pixmill-lambda-x86_64.zip\n" if name == "deploy/package" else ""))
        (tmp_path / name).chmod(0o755)
    parameters = cfn.load(DEPLOY / "pipeline.yaml")["Parameters"]["StackParameters"]["Default"]
    environment = {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "LOG": str(tmp_path / "log"), "CODEBUILD_BUILD_SUCCEEDING": "1", "PACKAGE_BUCKET": "artifacts",
                   "ARCHITECTURE": "x86_64", "PARAMETERS": parameters}
    done = subprocess.run(["bash", "-ec", "\n".join(commands)], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    made = json.loads((tmp_path / "out/parameters.json").read_text())["Parameters"]
    assert set(made) == {"Shift", "PackageBucket", "PackageKey", "Release", "Architecture"} and set(made) <= set(TEMPLATE["Parameters"])
    log = (tmp_path / "log").read_text().splitlines()
    assert log[-1] == f"aws s3 cp --only-show-errors dist/pixmill-lambda-x86_64.zip s3://artifacts/{made['PackageKey']}"
    assert (tmp_path / "out/template.yaml").read_text() == (DEPLOY / "template.yaml").read_text()
    (tmp_path / "tests/deploy/lint").write_text("#!/bin/sh\nexit 1\n")  # and a template with a fault goes nowhere
    (tmp_path / "log").unlink()
    assert subprocess.run(["bash", "-ec", "\n".join(commands)], cwd=tmp_path, env=environment, capture_output=True).returncode
    assert "aws" not in (tmp_path / "log").read_text()


# ---- the pages ----

PAGE, SECURITY = (ROOT / "docs/deploy.md").read_text(), (ROOT / "docs/security.md").read_text()
STEPS = re.findall(r"^### (\d)\. (.+?)\n(.*?)(?=^###? )", PAGE, re.DOTALL | re.MULTILINE)


def test_the_page_has_the_templates_parameters():
    done = subprocess.run([sys.executable, TOOLS / "deploy_page.py", "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_the_console_is_told_what_the_template_says():
    assert [number for number, *_ in STEPS] == ["1", "2", "3", "4", "5"]
    function, table = TEMPLATE["Resources"]["Function"]["Properties"], TEMPLATE["Resources"]["Images"]["Properties"]
    fields = {name: value for _, _, text in STEPS for name, value in re.findall(r"^\| ([^|]+?) \| (.+?) \|$", text, re.M)}
    assert f"`{function['Runtime']}`" in fields["Runtime"] and f"`{function['Handler']}`" in fields["Runtime settings, Handler"]
    assert fields["General configuration, Memory"] == f"`{TEMPLATE['Parameters']['Memory']['Default']}` MB"
    assert fields["General configuration, Timeout"] == f"`{TEMPLATE['Parameters']['Timeout']['Default']}` s"
    assert all(f"`{architecture}`" in fields["Architecture"] for architecture in TEMPLATE["Parameters"]["Architecture"]["AllowedValues"])
    assert fields["Monitoring, Log format"] == function["LoggingConfig"]["LogFormat"]
    told = set(re.findall(r"PIXMILL_\w+", fields["Environment variables"]))
    assert told <= set(function["Environment"]["Variables"])
    assert fields["Partition key"].startswith(f"`{table['KeySchema'][0]['AttributeName']}`")
    assert table["TimeToLiveSpecification"]["AttributeName"] in fields["Additional settings, Time to Live"]
    assert all(f"`{key['AttributeName']}`" in fields["Secondary indexes, Create global index"] for key in table["GlobalSecondaryIndexes"][0]["KeySchema"])


def test_names_that_the_pages_name_are_there():
    for page in (PAGE, SECURITY):
        for path in re.findall(r"\]\(([^)#]+)\)", page):
            assert path.startswith("https://") or (ROOT / "docs" / path).exists(), path
    known = re.findall(r'"([a-z]+(?:-[a-z]+)+)"', (ROOT / "src/base/status.h").read_text())
    for code in ("bad-event", "access-denied", "no-such-table", "unsupported-format", "output-name-taken"):
        assert code in PAGE and code in known
    roles = {name for template in ("template", "pipeline") for name, resource in cfn.load(DEPLOY / f"{template}.yaml")["Resources"].items() if resource["Type"] == "AWS::IAM::Role"}
    assert roles == set(re.findall(r"`(\w+Role)`", SECURITY))
    for word in re.findall(r"deploy/deploy .*?(\w+)=", PAGE):
        assert word in TEMPLATE["Parameters"]
    assert "never pass the web ACL" in SECURITY and "Shield Standard" in SECURITY and "Not verified, for lack of an account" in PAGE


class Line:
    """The aws command line, kept running: its start takes longer than what it does. `folder/aws` asks it."""

    def __init__(self, folder, endpoint):
        create = pytest.importorskip("awscli.clidriver", reason="the aws command line is not installed").create_clidriver
        self.calls, self.socket = [], socket.socket(socket.AF_UNIX)
        self.socket.bind(str(folder / "line"))
        self.socket.listen()
        (folder / "aws").write_text(f"""#!{sys.executable} -ES
import json, os, socket, sys
line = socket.socket(socket.AF_UNIX)
line.connect({str(folder / 'line')!r})
line.sendall(json.dumps([os.getcwd(), sys.argv[1:]]).encode())
line.shutdown(socket.SHUT_WR)
code, out, err = json.loads(b"".join(iter(lambda: line.recv(65536), b"")))
sys.stdout.write(out)
sys.stderr.write(err)
sys.exit(code)
""")
        (folder / "aws").chmod(0o755)

        def serve():
            driver = create()
            more = ["--endpoint-url", endpoint]  # version 1 does not heed AWS_ENDPOINT_URL for queues
            while True:
                try:
                    peer, _ = self.socket.accept()
                except OSError:
                    return
                where, arguments = json.loads(b"".join(iter(lambda: peer.recv(65536), b"")))
                os.chdir(where)
                self.calls.append(arguments)
                out, err = io.TextIOWrapper(io.BytesIO(), write_through=True), io.StringIO()
                with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                    code = driver.main(arguments + more)
                if arguments[0] == "s3":
                    driver = create()  # its commands leave an endpoint behind
                peer.sendall(json.dumps([code, out.buffer.getvalue().decode(), err.getvalue()]).encode())
                peer.close()

        threading.Thread(target=serve, daemon=True).start()


def test_the_five_steps_with_the_command_line_in_order(moto, tmp_path, monkeypatch):
    for name, value in {**KEYS, "AWS_ENDPOINT_URL": moto.endpoint, "AWS_DEFAULT_REGION": "us-east-1", "AWS_CONFIG_FILE": os.devnull, "AWS_DEFAULT_OUTPUT": "json"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    line = Line(tmp_path, moto.endpoint)
    (tmp_path / "deploy").symlink_to(DEPLOY)
    (tmp_path / "dist/lambda").mkdir(parents=True)
    (tmp_path / "dist/lambda/bootstrap").write_text("the program")
    (tmp_path / "photo.jpg").write_bytes(picture())
    if not shutil.which("zip"):
        (tmp_path / "zip").write_text(f'#!/bin/sh\nexec {sys.executable} -m zipfile -c "$2" bootstrap\n')
        (tmp_path / "zip").chmod(0o755)
    blocks = [re.findall(r"```bash\n(.*?)```", text, re.DOTALL) for _, _, text in STEPS]
    assert [len(found) for found in blocks] == [1] * 5
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "SOURCE": "five-source", "DESTINATION": "five-processed", "REGION": "us-east-1",
                   "ACCOUNT": "123456789012", "PATIENCE": "0"}
    functions, s3 = moto.client("lambda"), moto.client("s3")
    for number, (block,) in enumerate(blocks, 1):
        if number == 5:  # moto speaks plain HTTP, and heeds the buckets' policies
            with pytest.raises(ClientError, match="Forbidden|AccessDenied|403"):
                s3.put_object(Bucket="five-source", Key="photo.jpg", Body=b"x")
            for bucket in ("five-source", "five-processed"):
                assert denies_plain(json.loads(s3.get_bucket_policy(Bucket=bucket)["Policy"]), [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"])
                s3.delete_bucket_policy(Bucket=bucket)
        done = subprocess.run(["bash", "-euc", block], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, (block, done.stdout + done.stderr)
    made = functions.get_function_configuration(FunctionName="pixmill")
    policy = moto.client("iam").get_role_policy(RoleName="pixmill", PolicyName="pixmill")["PolicyDocument"]
    assert not re.search(r"SOURCE|DESTINATION|REGION|ACCOUNT", json.dumps(policy)) and granted(policy) == granted(json.loads((DEPLOY / "policies/function.json").read_text()))
    assert (made["Runtime"], made["Handler"], made["Timeout"], made["MemorySize"]) == ("provided.al2023", "bootstrap", 90, 1769)
    statement, = json.loads(functions.get_policy(FunctionName="pixmill")["Policy"])["Statement"]
    assert statement["Principal"]["Service"] == "s3.amazonaws.com" and "arn:aws:s3:::five-source" in json.dumps(statement)
    notification, = s3.get_bucket_notification_configuration(Bucket="five-source")["LambdaFunctionConfigurations"]
    assert notification["LambdaFunctionArn"] == made["FunctionArn"] and notification["Events"] == ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]
    ends = functions.get_function_event_invoke_config(FunctionName="pixmill")
    assert ends["DestinationConfig"]["OnFailure"]["Destination"].endswith(":pixmill-dead")

    # moto runs no function: the program is started with what was set, and told what the bucket would tell.
    place = Place(moto)
    place.environment.update({**made["Environment"]["Variables"], "PIXMILL_DEAD_LETTERS": (tmp_path / "queue.txt").read_text().strip()})
    place.source, place.target = "five-source", "five-processed"
    try:
        assert run(place, s3_event("five-source", "photo.jpg", "0A"))["done"] == 1
        assert place.size("processed-photo.jpg") == (800, 600)
        kind, answer = place.runtime.invoke({"key1": "value1", "key2": "value2", "key3": "value3"})
        assert kind == "error" and answer["errorType"].endswith("bad-event")  # the console's Test button
    finally:
        place.close()
    assert moto.client("dynamodb").get_item(TableName="images", Key={"ImageId": {"S": "five-source/photo.jpg"}})["Item"]["Status"] == {"S": "done"}
