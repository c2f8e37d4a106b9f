#!/usr/bin/env python3
"""Puts the parameters of deploy/template.yaml, as a table, into docs/deploy.md. With --check: says by its exit code whether they are up to date."""
import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from cfn import load  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs/deploy.md"


def rows():
    template = load(ROOT / "deploy/template.yaml")
    yield "| parameter | default | meaning |"
    yield "|---|---|---|"
    for group in template["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]:
        for name in group["Parameters"]:
            about = template["Parameters"][name]
            if "Default" not in about:
                continue  # the package, which deploy/deploy puts in place
            values = ", ".join(f"`{value}`" for value in about.get("AllowedValues", []) if isinstance(value, str))
            default = f"`{about['Default']}`" if about["Default"] != "" else ""
            meaning = about["Description"].replace("|", "\\|")
            yield f"| `{name}` | {default} | {meaning}{f' ({values})' if values and name != 'Timeout' else ''} |"


def renewed(text):
    return re.sub(r"(<!-- generated: tools/deploy_page.py -->\n).*?(<!-- end -->)", lambda match: match[1] + "\n".join(rows()) + "\n" + match[2], text, flags=re.DOTALL)


if __name__ == "__main__":
    text = PAGE.read_text()
    if "--check" in sys.argv:
        sys.exit(0 if renewed(text) == text else "docs/deploy.md is not up to date: run tools/deploy_page.py")
    PAGE.write_text(renewed(text))
