"""schemathesis makes requests from the upload API's description, right ones and wrong ones, and judges what `serve` answers: the statuses
and bodies that are described, no wrong request taken, no right one refused, nothing without a signature. PIXMILL_LONG=1 for more."""
import os
import pathlib
import subprocess
import sys

import pytest

from conftest import PROGRAM

COMMAND = pathlib.Path(sys.prefix) / "bin/schemathesis"

# 413 is a refusal too, though schemathesis does not count it as one.
CONFIGURATION = """
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 413, 415]
"""


@pytest.mark.skipif(not COMMAND.exists(), reason="schemathesis is not here; ./test e2e installs it")
def test_a_fuzzer_of_apis_finds_nothing(own_service, tmp_path):
    (tmp_path / "schemathesis.toml").write_text(CONFIGURATION)
    (tmp_path / "openapi.json").write_bytes(subprocess.run([PROGRAM, "check", "--openapi", "plain"], capture_output=True, check=True).stdout)
    environment = {**os.environ, "PYTHONPATH": str(pathlib.Path(__file__).parent), "SCHEMATHESIS_HOOKS": "signing_hooks",
                   "PIXMILL_ENDPOINT": own_service.endpoint, "AWS_ACCESS_KEY_ID": own_service.access_key, "AWS_SECRET_ACCESS_KEY": own_service.secret_key}
    examples = "1000" if os.environ.get("PIXMILL_LONG") else "20"
    done = subprocess.run([COMMAND, "run", "openapi.json", "--url", f"{own_service.endpoint}/_/api", "--max-examples", examples, "--seed", "1",
                           "--generation-database", "none", "--no-color"], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    assert "No issues found" in done.stdout, done.stdout[-3000:]
