"""Reads every #include "folder/name.h" in src/ against floors.txt. Prints each breach with its reason.

Why: whoever changes a lower floor need not read the upper ones (DESIGN section 8)."""
import pathlib
import re
import sys

root = pathlib.Path(__file__).resolve().parents[2]
floors, doors = {}, {}
rows = [line for line in (root / "tests/house/floors.txt").read_text().splitlines() if line and line[0] != "#"]
for height, row in enumerate(reversed(rows)):
    for part in row.split("|"):
        folder, door = part.split()
        floors[folder], doors[folder] = height, door

breaches = []
for path in sorted((root / "src").rglob("*.[ch]")):
    parts = path.relative_to(root / "src").parts
    own = parts[0] if len(parts) > 1 else "main"
    if own not in floors:
        breaches.append(f"{path.relative_to(root)}: folder {own} has no row in tests/house/floors.txt")
        continue
    for number, line in enumerate(path.read_text().splitlines(), 1):
        include = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
        if not include:
            continue
        where = f"{path.relative_to(root)}:{number}"
        pieces = include[1].split("/")
        if len(pieces) < 2:
            breaches.append(f"{where}: {include[1]}: write the folder too")
            continue
        other, name = pieces[0], "/".join(pieces[1:])
        if other == own:
            continue
        if other not in floors:
            breaches.append(f"{where}: {include[1]}: no such floor")
        elif floors[other] >= floors[own]:
            breaches.append(f"{where}: {own} may not include {other}: it is not below")
        elif doors[other] not in ("*", name):
            breaches.append(f"{where}: {include[1]} is private to {other}; its door is {doors[other]}")
print("\n".join(breaches), end="\n" if breaches else "")
sys.exit(bool(breaches))
