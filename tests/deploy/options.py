"""Writes deploy/template.yaml into a folder with the defaults of its parameters such that every option is on; once for each trigger and way to authorise."""
import pathlib
import re
import sys

ALL = {"Delivery": "cloudfront", "ShieldProtection": '"yes"', "Shift": "Canary10Percent5Minutes", "HeavyImage": "123456789012.dkr.ecr.us-east-1.amazonaws.com/pixmill:1",
       "Versioning": '"yes"', "AlarmEmail": "me@example.org", "SubnetIds": "subnet-12345678", "SecurityGroupIds": "sg-12345678"}
TURNS = {"queue": {"Trigger": "queue", "Api": "iam"}, "direct": {"Trigger": "direct", "Api": "key"}}

folder = pathlib.Path(sys.argv[1])
text = (pathlib.Path(__file__).resolve().parents[2] / "deploy/template.yaml").read_text()
for turn, options in TURNS.items():
    made = text
    for name, value in {**ALL, **options}.items():
        made, count = re.subn(rf'(\n  {name}: {{ Type: \w+, Default: )("[^"]*"|\w+)', lambda match: match[1] + value, made)
        assert count == 1, name
    (folder / f"{turn}.yaml").write_text(made)
