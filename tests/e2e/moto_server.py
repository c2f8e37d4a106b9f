"""moto, for several threads at a time: `python moto_server.py -H HOST -p PORT`.

moto answers each request on a thread of its own, but its queues and tables are made for one: two deletions at once bring a message
back, two conditional writes can both find their condition true. AWS does neither, so what changes queues and tables happens here one
after the other; only a long poll waits outside."""
import threading
import time

import moto.server
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

if __name__ == "__main__":
    moto.server.main()
