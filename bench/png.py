#!/usr/bin/env python3
"""PNGs' bytes against time: pixmill at each effort, sharp and Pillow with their defaults, as a table.

python3 bench/png.py PICTURE..., with a Python that has Pillow (.venv/bin/python). Pictures become uncompressed TIFFs first, at most 800 pixels
wide, so that all read the same pixels and pixmill cannot pass a source through. CPU ms of one picture, decoding of the TIFF included, the
least of three (pixmill: of its process per picture)."""
import io
import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile
import time

from PIL import Image

root = pathlib.Path(__file__).resolve().parents[1]
program = os.environ.get("PIXMILL", str(root / "build/pixmill"))
rounds, efforts = 3, ("low", "normal", "high")


def prepare(path, folder):
    image = Image.open(path)
    if image.mode not in ("L", "LA", "RGB", "RGBA"):
        image = image.convert("RGBA")
    if image.width > 800:
        image = image.resize((800, round(image.height * 800 / image.width)), Image.LANCZOS)
    target = pathlib.Path(folder) / (pathlib.Path(path).stem + ".tiff")
    image.save(target)
    return str(target)


def run_pixmill(picture, effort, folder):
    got = []
    for _ in range(1 if effort == "high" else rounds):
        done = subprocess.run([program, "resize", "--json", "--width", "0", "--effort", effort, picture, f"{folder}/out.png"], capture_output=True, check=True)
        told = json.loads(done.stdout)
        got.append((told["cpu_ms"], told["bytes"]))
    return got[0][1], min(got)[0]


def run_pillow(picture):
    least, bytes_ = math.inf, 0
    for _ in range(rounds):
        began, out = time.process_time(), io.BytesIO()
        Image.open(picture).save(out, "PNG")
        least, bytes_ = min(least, (time.process_time() - began) * 1000), out.tell()
    return bytes_, least


with tempfile.TemporaryDirectory() as folder:
    pictures = [prepare(path, folder) for path in sys.argv[1:]]
    table = {"sharp": json.loads(subprocess.run(["node", str(root / "bench/sharp/png.js"), str(rounds), *pictures], capture_output=True, text=True, check=True).stdout)}
    table["Pillow"] = {picture: run_pillow(picture) for picture in pictures}
    for effort in efforts:
        table[effort] = {picture: run_pixmill(picture, effort, folder) for picture in pictures}
    print("| picture | " + " | ".join(table) + " |\n|---|" + "---|" * len(table))
    for picture in sorted(pictures):
        print(f"| {pathlib.Path(picture).stem} | " + " | ".join(f"{row[picture][0]:,} in {row[picture][1]:.0f} ms" for row in table.values()) + " |")
    for name, row in table.items():
        ratio = math.exp(sum(math.log(row[p][0] / table["sharp"][p][0]) for p in pictures) / len(pictures))
        print(f"{name}: {ratio:.3f} of sharp's bytes (geometric mean), {sum(v[1] for v in row.values()) / sum(v[1] for v in table['sharp'].values()):.2f} of its time")
