#!/usr/bin/env python3
"""Pastes the tables that the program prints into the pages that show them: tools/tables.py build/pixmill"""
import pathlib
import re
import subprocess
import sys

docs = pathlib.Path(__file__).parent.parent / "docs"
for page in sorted(docs.glob("*.md")):
    text = page.read_text()

    def paste(found):
        printed = subprocess.run([sys.argv[1], *found[1].split()], capture_output=True, text=True, check=True).stdout
        return f"<!-- generated: pixmill {found[1]} -->\n{printed}<!-- end -->\n"

    new = re.sub(r"<!-- generated: pixmill (.*?) -->\n.*?(?:<!-- end -->\n|\Z)", paste, text, flags=re.S)
    if new != text:
        page.write_text(new)
        print(f"{page.name} renewed")
