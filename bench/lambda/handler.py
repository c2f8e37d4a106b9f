"""The function as most people write it: boto3 and Pillow, one output for each record. Below it, the loop that Lambda's own Python
runtime runs around a handler."""
import http.client
import io
import json
import os
import urllib.parse

import boto3
from botocore.config import Config
from PIL import Image, ImageOps

s3 = boto3.client("s3", config=Config(s3={"addressing_style": "path"}))


def handler(event):
    for record in event["Records"]:
        bucket, key = record["s3"]["bucket"]["name"], urllib.parse.unquote_plus(record["s3"]["object"]["key"])
        body = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        image = ImageOps.exif_transpose(Image.open(io.BytesIO(body)))
        image.thumbnail((800, 1 << 16), Image.Resampling.LANCZOS)
        if image.mode != "RGB":
            image = image.convert("RGB")
        out = io.BytesIO()
        image.save(out, "JPEG", quality=80, optimize=True)
        s3.put_object(Bucket=os.environ["DESTINATION"], Key=os.path.splitext(key)[0] + ".jpg", Body=out.getvalue(), ContentType="image/jpeg")
    return {"done": len(event["Records"])}


connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
path = "/2018-06-01/runtime/invocation"
while True:
    connection.request("GET", f"{path}/next")
    reply = connection.getresponse()
    identity, event = reply.headers["Lambda-Runtime-Aws-Request-Id"], json.loads(reply.read())
    connection.request("POST", f"{path}/{identity}/response", json.dumps(handler(event)))
    connection.getresponse().read()
