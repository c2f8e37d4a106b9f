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


def test_the_commands_of_the_recipe_page_run_as_they_stand_and_its_configuration_is_right(tmp_path):
    import re
    from PIL import Image
    text = (DOCS / "recipes.md").read_text()
    Image.linear_gradient("L").resize((1200, 900)).convert("RGB").save(tmp_path / "photo.jpg")
    Image.new("RGBA", (300, 200), (200, 30, 40, 128)).save(tmp_path / "logo.png")
    environment = {**os.environ, "PATH": f"{pathlib.Path(PIXMILL).resolve().parent}:{os.environ['PATH']}"}
    for block in re.findall(r"```sh\n(.*?)```", text, re.S):
        subprocess.run(["bash", "-euc", block], cwd=tmp_path, env=environment, check=True, capture_output=True, text=True)
    sizes = {path.name: Image.open(path).size for path in tmp_path.iterdir()}
    wanted = {"logo.jpg": (300, 200), "small.jpg": (300, 225), "full.png": (1200, 900), "square.jpg": (300, 300), "face.jpg": (300, 300),
              "sky.jpg": (400, 100), "card.jpg": (400, 400), "icon.png": (64, 64), "middle.jpg": (600, 450), "corner.png": (400, 300),
              "standing.jpg": (800, 1067), "asis.jpg": (800, 600), "crisp.jpg": (400, 300), "exact.jpg": (400, 300)}
    assert sizes == {**wanted, "photo.jpg": (1200, 900), "logo.png": (300, 200)}
    (tmp_path / "pixmill.yaml").write_text(text.split("```yaml\n")[1].split("```")[0])
    subprocess.run([PIXMILL, "check", "--show", "--config", tmp_path / "pixmill.yaml"], check=True, capture_output=True)
