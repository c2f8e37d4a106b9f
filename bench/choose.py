#!/usr/bin/env python3
"""What pixmill finds by trying, in figures: thirty photos for `quality: auto`, budgets for `max_bytes`, forty labelled pictures for
`format: auto` (tests/e2e/choices.py makes them all).

python3 bench/choose.py, with the Pillow of .venv as ./test makes it; PIXMILL names the program. One line a photo with --each."""
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

root = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(root / "tests/e2e"))
import choices  # noqa: E402

program = os.environ.get("PIXMILL", str(root / "build/pixmill"))
target = 0.93


def resize(*arguments):
    run = subprocess.run([program, "resize", "--json", "--width", "0", "--jobs", "1", *map(str, arguments)], capture_output=True, text=True)
    return {pathlib.Path(answer["source"]).stem: answer for answer in map(json.loads, run.stdout.splitlines())}


def spread(values, form="{:.2f}"):
    values = sorted(values)
    return f"median {form.format(statistics.median(values))} ({form.format(values[0])} to {form.format(values[-1])})"


def quality(photos, out):
    fixed, found = resize("-f", "jpeg", photos, f"{out}/"), resize("-f", "jpeg", "-q", "auto", photos, f"{out}/")
    said = {name: answer["reason"].removeprefix("SSIM ").split() for name, answer in found.items()}
    likeness = [float(words[0].strip(",")) for words in said.values()]
    if "--each" in sys.argv:
        for name in sorted(found):
            print(f"  {name:5} {fixed[name]['bytes']:7} {found[name]['bytes']:7} bytes, quality {found[name]['quality']}, {found[name]['reason']}")
    print(f"quality: auto, {len(found)} photos:")
    print(f"  off the target ({target}): at most {max(abs(value / target - 1) for value in likeness):.2%}")
    print(f"  encodes: {spread([int(words[1]) for words in said.values()], '{:.0f}')}; qualities: {spread([a['quality'] for a in found.values()], '{:.0f}')}")
    print(f"  bytes: {spread([a['bytes'] for a in found.values()], '{:.0f}')}, of quality 80: {spread([a['bytes'] for a in fixed.values()], '{:.0f}')}")
    print(f"  bytes by those of quality 80: {spread([found[n]['bytes'] / fixed[n]['bytes'] for n in found])}")
    print(f"  CPU above quality 80: {spread([found[n]['cpu_ms'] - fixed[n]['cpu_ms'] for n in found], '{:.0f}')} ms")


def budgets(photos, out):
    used, broken, tried = [], 0, []
    for budget in (10000, 20000, 40000, 80000):
        best = {}
        for q in range(1, 81):
            for name, answer in every(photos, out, q).items():
                if answer["bytes"] <= budget:
                    best[name] = max(best.get(name, 0), answer["bytes"])
        for name, answer in resize("-f", "jpeg", "--max-bytes", budget, photos, f"{out}/").items():
            broken += answer.get("bytes", 0) > budget or ("error" in answer) != (name not in best)
            if "error" not in answer:
                used.append(answer["bytes"] / best[name])
                tried += [int(answer["reason"].split()[-2])] if "reason" in answer else []
    print(f"max_bytes, ten photos x four budgets: {broken} broken; bytes by the best of all qualities up to 80: {spread(used, '{:.3f}')}; encodes: {spread(tried, '{:.0f}')}")


known = {}


def every(photos, out, q):
    if q not in known:
        known[q] = resize("-f", "jpeg", "-q", q, photos, f"{out}/")
    return known[q]


def formats(pictures, out, labels):
    answers = resize("-f", "auto", pictures, f"{out}/")
    wrong = [name for name in labels if answers[name]["format"] != labels[name]]
    print(f"format: auto: {len(labels) - len(wrong)} of {len(labels)} right; wrong: {', '.join(wrong) or 'none'}")
    if "--each" in sys.argv:
        for name in labels:
            print(f"  {name:20} {labels[name]:5} {answers[name]['format']:5} {answers[name]['reason']}")


with tempfile.TemporaryDirectory() as folder:
    folder = pathlib.Path(folder)
    for part in ("photos", "ten", "labelled", "out"):
        (folder / part).mkdir()
    for number, (name, image) in enumerate(choices.thirty_photos()):
        image.save(folder / "photos" / f"{name}.png", compress_level=1)
        if number % 3 == 0:
            image.save(folder / "ten" / f"{name}.png", compress_level=1)
    labels = {}
    for name, image, suits in choices.forty_labelled():
        image.save(folder / "labelled" / f"{name}.png", compress_level=1)
        labels[name] = suits
    quality(folder / "photos", folder / "out")
    formats(folder / "labelled", folder / "out", labels)
    budgets(folder / "ten", folder / "out")
