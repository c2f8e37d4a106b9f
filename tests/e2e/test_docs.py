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
