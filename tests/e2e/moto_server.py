"""moto, for several threads at a time: `python moto_server.py -H HOST -p PORT`.

moto answers each request on a thread of its own, but its queues and tables are made for one: two deletions at once bring a message
back, two conditional writes can both find their condition true. AWS does neither, so what changes queues and tables happens here one
after the other; only a long poll waits outside."""
import threading
import time

import moto.server
from moto.awslambda.models import LambdaVersion, lambda_backends
from moto.cloudformation.models import ChangeSet
from moto.core.common_models import CloudFormationModel
from moto.dynamodb.responses import DynamoHandler
from moto.sqs.models import SQSBackend
from moto.sqs.responses import SQSResponse

one_at_a_time = threading.RLock()


def alone(method, but=()):
    def run(self, *arguments, **keys):
        if but and self._get_action() in but:
            return method(self, *arguments, **keys)
        with one_at_a_time:
            return method(self, *arguments, **keys)
    return run


def poll(receive):
    def run(self, queue_name, count, wait_seconds_timeout, *arguments, **keys):
        end = time.monotonic() + wait_seconds_timeout
        while True:
            with one_at_a_time:
                found = receive(self, queue_name, count, 0, *arguments, **keys)
            if found or time.monotonic() >= end:
                return found
            time.sleep(0.05)
    return run


DynamoHandler.call_action = alone(DynamoHandler.call_action)
SQSResponse.call_action = alone(SQSResponse.call_action, but=("ReceiveMessage",))
SQSBackend.send_message = alone(SQSBackend.send_message)
SQSBackend.receive_message = poll(SQSBackend.receive_message)


class Alias(CloudFormationModel):
    """moto makes aliases by their own API, but drops those of a template: what hangs on one could not be shown."""

    __module__ = "moto.awslambda.models"  # where moto looks for what its service is

    def __init__(self, arn):
        self.physical_resource_id = arn

    @staticmethod
    def cloudformation_type():
        return "AWS::Lambda::Alias"

    @staticmethod
    def cloudformation_name_type():
        return "Alias"

    @classmethod
    def create_from_cloudformation_json(cls, resource_name, cloudformation_json, account_id, region_name, **_):
        about = cloudformation_json["Properties"]
        alias = lambda_backends[account_id][region_name].create_alias(about["Name"], about["FunctionName"], about["FunctionVersion"], "", None)
        return cls(alias.arn)

    @classmethod
    def update_from_cloudformation_json(cls, original_resource, new_resource_name, cloudformation_json, account_id, region_name):
        about = cloudformation_json["Properties"]
        lambda_backends[account_id][region_name].update_alias(about["Name"], about["FunctionName"], about["FunctionVersion"], "", None)
        return original_resource

    @classmethod
    def delete_from_cloudformation_json(cls, *_, **__):
        pass  # goes with its function


def apply(self):
    """A change set is carried out as a stack is made directly: moto's own way heeds no conditions and makes no outputs. Its updates trip over
    them too: here an update changes the stack's parameters, and no resource."""
    stack = self.stack
    if self.change_set_type == "UPDATE":
        stack.parameters = {**stack.parameters, **self.parameters}
        stack.resource_map.resolved_parameters.update(self.parameters)
        return
    stack.template, stack.parameters = self.template, self.parameters
    stack._parse_template()
    stack.resource_map = stack._create_resource_map()
    stack.create_resources()
    stack.output_map = stack._create_output_map()


ChangeSet.apply = apply
LambdaVersion.get_cfn_attribute = lambda self, name: str(self.version)

if __name__ == "__main__":
    moto.server.main()
