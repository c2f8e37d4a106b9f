"""CloudFormation's own functions, evaluated: what a template becomes with given parameters. Enough of them for deploy/*.yaml.

    template = load("deploy/template.yaml")
    stack = Stack(template, Api="iam")           # parameters by name; the others have their defaults
    stack.resources["Source"]["Properties"]      # of those whose condition holds, every function resolved
A Ref or GetAtt of a resource becomes what AWS would give, as far as a name, an ARN or a URL goes. Functions that go to nothing are None and left out."""
import pathlib
import re

import yaml

ACCOUNT, REGION, STACK_UUID = "123456789012", "us-east-1", "0f3a2c10-1111-2222-3333-94a1b2c3d4e5"


class Loader(yaml.SafeLoader):
    pass


def tagged(loader, suffix, node):
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        if suffix == "GetAtt":
            value = value.split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


Loader.add_multi_constructor("!", tagged)


def load(path):
    return yaml.load(pathlib.Path(path).read_text(), Loader)


class Stack:
    def __init__(self, template, name="pixmill", account=ACCOUNT, region=REGION, **parameters):
        self.template, self.name, self.account, self.region = template, name, account, region
        unknown = set(parameters) - set(template["Parameters"])
        assert not unknown, unknown
        self.parameters = {key: parameters.get(key, about.get("Default")) for key, about in template["Parameters"].items()}
        for key, about in template["Parameters"].items():
            if about["Type"] == "CommaDelimitedList" or about["Type"].startswith("List<"):
                value = self.parameters[key]
                self.parameters[key] = value if isinstance(value, list) else value.split(",")
        self.refs = []  # (resource being resolved, resource it names)
        self.current = None
        self.resources = {}
        for logical, resource in template["Resources"].items():
            if self.holds(resource.get("Condition")):
                self.current = logical
                self.resources[logical] = self.resolve({key: value for key, value in resource.items() if key != "Condition"})
        self.current = "Outputs"
        self.outputs = {key: self.resolve(output["Value"]) for key, output in template.get("Outputs", {}).items() if self.holds(output.get("Condition"))}

    def holds(self, condition):
        if condition is None:
            return True
        return self.judge(self.template["Conditions"][condition])

    def judge(self, value):
        (function, argument), = value.items()
        if function == "Condition":
            return self.holds(argument)
        if function == "Fn::Equals":
            first, second = (self.resolve(part) for part in argument)
            return str(first) == str(second)
        if function == "Fn::Not":
            return not self.judge(argument[0])
        parts = [self.judge(part) for part in argument]
        return all(parts) if function == "Fn::And" else any(parts)

    def pseudo(self, name):
        return {"AWS::StackName": self.name, "AWS::AccountId": self.account, "AWS::Region": self.region, "AWS::Partition": "aws",
                "AWS::URLSuffix": "amazonaws.com", "AWS::NoValue": None,
                "AWS::StackId": f"arn:aws:cloudformation:{self.region}:{self.account}:stack/{self.name}/{STACK_UUID}"}[name]

    def ref(self, name):
        if name.startswith("AWS::"):
            return self.pseudo(name)
        if name in self.parameters:
            return self.parameters[name]
        resource = self.template["Resources"][name]
        assert self.holds(resource.get("Condition")), f"{self.current} names {name}, which is not there"
        self.refs.append((self.current, name))
        kind, properties = resource["Type"], resource.get("Properties", {})
        if kind == "AWS::S3::Bucket":
            return self.resolve(properties.get("BucketName", self.short(name).lower()))
        if kind == "AWS::Lambda::Function":
            return self.resolve(properties["FunctionName"])
        if kind == "AWS::Logs::LogGroup":
            return self.resolve(properties["LogGroupName"])
        if kind == "AWS::SQS::Queue":
            return f"https://sqs.{self.region}.amazonaws.com/{self.account}/{self.short(name)}"
        if kind == "AWS::Lambda::Alias":
            return f"{self.attribute('Function', 'Arn')}:{properties['Name']}"
        if kind == "AWS::SNS::Topic":
            return f"arn:aws:sns:{self.region}:{self.account}:{self.short(name)}"
        return self.short(name)

    def short(self, name):
        names = {"Dead": "dead", "HeavyQueue": "heavy", "Events": "events", "Images": "images"}
        return f"{self.name}-{names.get(name, name)}"

    def attribute(self, name, what):
        self.refs.append((self.current, name))
        resource = self.template["Resources"][name]
        assert self.holds(resource.get("Condition")), f"{self.current} names {name}, which is not there"
        kind = resource["Type"]
        if what == "Arn":
            return {
                "AWS::S3::Bucket": lambda: f"arn:aws:s3:::{self.ref(name)}",
                "AWS::SQS::Queue": lambda: f"arn:aws:sqs:{self.region}:{self.account}:{self.short(name)}",
                "AWS::Lambda::Function": lambda: f"arn:aws:lambda:{self.region}:{self.account}:function:{self.ref(name)}",
                "AWS::Logs::LogGroup": lambda: f"arn:aws:logs:{self.region}:{self.account}:log-group:{self.ref(name)}:*",
            }.get(kind, lambda: f"arn:aws:{kind.split('::')[1].lower()}:{self.region}:{self.account}:{self.short(name)}")()
        if what == "QueueName":
            return self.short(name)
        if what == "RegionalDomainName":
            return f"{self.ref(name)}.s3.{self.region}.amazonaws.com"
        return f"{self.short(name)}.{what}"

    def substitute(self, text, names):
        def word(match):
            name = match[1]
            if name in names:
                return str(self.resolve(names[name]))
            return str(self.attribute(*name.split(".", 1)) if "." in name else self.ref(name))
        return re.sub(r"\$\{([A-Za-z0-9:.]+)\}", word, text)

    def call(self, function, argument):
        if function == "Ref":
            return self.ref(argument)
        if function == "Fn::GetAtt":
            return self.attribute(*(argument if isinstance(argument, list) else argument.split(".", 1)))
        if function == "Fn::Sub":
            return self.substitute(argument, {}) if isinstance(argument, str) else self.substitute(*argument)
        if function == "Fn::If":
            return self.resolve(argument[1] if self.holds(argument[0]) else argument[2])
        if function == "Fn::GetAZs":
            return [f"{self.region}{letter}" for letter in "abc"]
        if function == "Fn::FindInMap":
            table, row, column = self.resolve(argument)
            return self.template["Mappings"][table][str(row)][column]
        arguments = self.resolve(argument)
        return {"Fn::Join": lambda: arguments[0].join(arguments[1]), "Fn::Split": lambda: arguments[1].split(arguments[0]),
                "Fn::Select": lambda: arguments[1][int(arguments[0])]}[function]()

    def resolve(self, value):
        if isinstance(value, list):
            return [part for part in map(self.resolve, value) if part is not None]
        if isinstance(value, dict):
            if len(value) == 1:
                (function, argument), = value.items()
                if function == "Ref" or function.startswith("Fn::"):
                    return self.call(function, argument)
            return {key: part for key, part in ((key, self.resolve(part)) for key, part in value.items()) if part is not None}
        return value
