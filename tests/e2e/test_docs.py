"""The tables in docs/ are what the program prints, so that pages and program cannot drift apart."""

import os
import pathlib
import subprocess

import pytest

PIXMILL = os.environ.get("PIXMILL", "build/pixmill")
DOCS = pathlib.Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize("page, option", [("configure.md", "--options-markdown"), ("errors.md", "--errors-markdown")])
def test_the_page_has_the_table_of_the_program(page, option):
    printed = subprocess.run([PIXMILL, "check", option], capture_output=True, text=True, check=True).stdout
    text = (DOCS / page).read_text()
    written = text.split(f"<!-- generated: pixmill check {option} -->\n")[1].split("<!-- end -->")[0]
    assert written == printed, f"paste the output of `pixmill check {option}` into docs/{page}"


def test_the_lambda_page_s_commands_make_a_table_that_works_and_its_policy_is_json():
    import json
    from aws import KEYS, Moto
    text = (DOCS / "lambda.md").read_text()
    moto = Moto()
    try:
        environment = {**os.environ, **KEYS, "AWS_ENDPOINT_URL": moto.endpoint, "AWS_DEFAULT_REGION": "us-east-1", "AWS_PAGER": ""}
        subprocess.run(["bash", "-euc", text.split("```sh\n")[1].split("```")[0]], env=environment, check=True, capture_output=True, text=True)
        table = moto.client("dynamodb").describe_table(TableName="images")["Table"]
        assert table["GlobalSecondaryIndexes"][0]["IndexName"] == "failures"
    finally:
        moto.close()
    policy = json.loads(text.split("```json\n")[1].split("```")[0])
    assert all(statement["Effect"] == "Allow" and "*" not in statement["Action"] for statement in policy["Statement"])
