"""A place to run the function in: buckets in moto, and a table if wanted, each behind a proxy that injects faults."""
import io
import itertools

import boto3.dynamodb.types
from PIL import Image

from aws import FaultProxy, Runtime


def picture(width=1600, height=1200, format="JPEG", colour=(200, 120, 40)):
    out = io.BytesIO()
    Image.new("RGB", (width, height), colour).save(out, format)
    return out.getvalue()


class Place:
    """Fresh buckets in moto, and a function that works between them."""

    numbers = itertools.count(1)

    def __init__(self, moto, **environment):
        number = next(Place.numbers)
        self.moto, self.s3 = moto, moto.client("s3")
        self.source, self.target = f"source-{number}", f"target-{number}"
        self.s3.create_bucket(Bucket=self.source)
        self.s3.create_bucket(Bucket=self.target)
        self.proxy = FaultProxy(moto.endpoint)
        self.environment = {"AWS_ENDPOINT_URL": moto.endpoint, "AWS_ENDPOINT_URL_S3": self.proxy.endpoint, "PIXMILL_DESTINATION": self.target, **environment}
        self.runtime = None

    def start(self, **keys):
        self.runtime = Runtime(self.environment, **keys)
        return self.runtime

    def put(self, key, body=None):
        self.s3.put_object(Bucket=self.source, Key=key, Body=body if body is not None else picture())

    def size(self, key):
        body = self.s3.get_object(Bucket=self.target, Key=key)["Body"].read()
        return Image.open(io.BytesIO(body)).size

    def keys(self):
        return [entry["Key"] for entry in self.s3.list_objects_v2(Bucket=self.target).get("Contents", [])]

    def close(self):
        if self.runtime:
            self.runtime.close()
        self.proxy.close()


def make_table(client, name):
    client.create_table(TableName=name, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "ImageId", "KeyType": "HASH"}],
                        AttributeDefinitions=[{"AttributeName": "ImageId", "AttributeType": "S"}, {"AttributeName": "Failure", "AttributeType": "S"},
                                              {"AttributeName": "ProcessedAt", "AttributeType": "S"}],
                        GlobalSecondaryIndexes=[{"IndexName": "failures", "Projection": {"ProjectionType": "ALL"},
                                                 "KeySchema": [{"AttributeName": "Failure", "KeyType": "HASH"},
                                                               {"AttributeName": "ProcessedAt", "KeyType": "RANGE"}]}])


def add_table(place, service):
    place.dynamodb, place.table = service.client("dynamodb"), f"images-{place.source}"
    make_table(place.dynamodb, place.table)
    place.table_proxy = FaultProxy(service.endpoint)
    place.environment.update(PIXMILL_TABLE=place.table, AWS_ENDPOINT_URL_DYNAMODB=place.table_proxy.endpoint)

    def record(key):
        item = place.dynamodb.get_item(TableName=place.table, Key={"ImageId": {"S": f"{place.source}/{key}"}}).get("Item")
        return item and {name: boto3.dynamodb.types.TypeDeserializer().deserialize(value) for name, value in item.items()}

    place.record = record
