#!/usr/bin/env python3
"""pixmill against sharp and Pillow on the sample pictures, 800 px wide, JPEG q80: CPU a picture, as ratios in one run.

python3 bench/engine.py [PICTURE...]. Needs node and npm (sharp is installed beside bench/sharp at the first run) and, for Pillow,
.venv as ./test makes it; what is missing is left out. pixmill's figure counts all of its processes, the sandbox's forks included;
sharp's and Pillow's count neither start nor first picture. Five rounds in turn; medians."""
import json
import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile

root = pathlib.Path(__file__).resolve().parents[1]
program = os.environ.get("PIXMILL", str(root / "build/pixmill"))
pictures = sys.argv[1:] or [str(path) for path in sorted((root / "samples").rglob("*")) if path.suffix.lower() in (".jpg", ".png")]
count, rounds = 10, 5
pillow = """
import resource, sys
from PIL import Image, ImageOps
def one():
    image = Image.open(sys.argv[2])
    image.draft("RGB", (800, 800))
    image = ImageOps.exif_transpose(image)
    width = min(800, image.width)
    image = image.resize((width, round(image.height * width / image.width)), Image.LANCZOS)
    if image.mode == "RGBA":
        flat = Image.new("RGB", image.size, "white"); flat.paste(image, mask=image.getchannel("A")); image = flat
    image.convert("RGB").save(sys.argv[3], quality=80)
one()
a = resource.getrusage(resource.RUSAGE_SELF)
for _ in range(int(sys.argv[1])): one()
b = resource.getrusage(resource.RUSAGE_SELF)
print((b.ru_utime + b.ru_stime - a.ru_utime - a.ru_stime) * 1000 / int(sys.argv[1]))
"""


def cpu_of_children(command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000


def run_pixmill(picture, out):
    copies = []
    for i in range(count):
        copy = pathlib.Path(out) / f"{i}{pathlib.Path(picture).suffix}"
        if not copy.exists():
            os.link(picture, copy) if os.stat(picture).st_dev == os.stat(out).st_dev else shutil.copy(picture, copy)
        copies.append(str(copy))
    target = pathlib.Path(out) / "pixmill"
    target.mkdir(exist_ok=True)
    return cpu_of_children([program, "resize", "--jobs", "1", "--json", *copies, str(target)]) / count


def run_sharp(picture, out):
    if not shutil.which("node"):
        return None
    if not (root / "bench/sharp/node_modules").exists():
        subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund"], cwd=root / "bench/sharp", check=True)
    got = subprocess.run(["node", str(root / "bench/sharp/resize.js"), str(count), picture, f"{out}/sharp.jpg"], capture_output=True, text=True, check=True)
    return json.loads(got.stdout)["cpuMs"]


def run_pillow(picture, out):
    python = root / ".venv/bin/python"
    if not python.exists():
        return None
    return float(subprocess.run([str(python), "-c", pillow, str(count), picture, f"{out}/pillow.jpg"], capture_output=True, text=True, check=True).stdout)


print(f"{'picture':<36} {'pixmill':>9} {'sharp':>9} {'Pillow':>9}   pixmill/sharp  pixmill/Pillow")
for picture in pictures:
    with tempfile.TemporaryDirectory() as out:
        times = {name: [] for name in ("pixmill", "sharp", "Pillow")}
        for _ in range(rounds):
            for name, run in (("pixmill", run_pixmill), ("sharp", run_sharp), ("Pillow", run_pillow)):
                times[name].append(run(picture, out))
        medians = {name: statistics.median(values) if None not in values else None for name, values in times.items()}
    cells = [f"{value:6.1f} ms" if value is not None else "        -" for value in medians.values()]
    ratios = [f"{medians['pixmill'] / medians[name]:.2f}" if medians[name] else "-" for name in ("sharp", "Pillow")]
    print(f"{os.path.basename(picture):<36} {' '.join(cells)}   {ratios[0]:>13}  {ratios[1]:>14}")
