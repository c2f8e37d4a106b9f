#!/usr/bin/env python3
"""What effort costs and saves: WebP and AVIF at low, normal and high, beside JPEG's likeness at the same quality and sharp at its defaults.

python3 bench/effort.py [--rounds N] [--formats webp,avif] [--qualities 60,80,90] [PICTURE...]. Pictures (the samples, if none is named) are
made 800 pixels wide first, so that what is timed is the encoder, with the reading of a small PNG. CPU is the least of N rounds in which the
contestants take turns, one thread each. Likeness is the SSIM of docs/quality.md. sharp needs node and npm, and is installed
beside bench/sharp at the first run; without them it is left out. Needs .venv as ./test makes it. PIXMILL names the program."""
import argparse
import json
import math
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

root = pathlib.Path(__file__).resolve().parents[1]
if pathlib.Path(sys.prefix) != root / ".venv" and (root / ".venv/bin/python").exists() and "EFFORT" not in os.environ:
    os.execve(root / ".venv/bin/python", [str(root / ".venv/bin/python"), *sys.argv], {**os.environ, "EFFORT": "1"})
from PIL import Image, ImageMath  # noqa: E402

program = os.environ.get("PIXMILL", str(root / "build/pixmill"))
EFFORTS = ("low", "normal", "high")
SHARP = {"webp": {"quality": 80, "effort": 4}, "avif": {"quality": 50, "effort": 4}}  # its defaults


def resize(source, out, *arguments):
    run = subprocess.run([program, "resize", "--json", "--jobs", "1", *map(str, arguments), str(source), str(out)], capture_output=True, text=True, check=True)
    return json.loads(run.stdout.splitlines()[0])


def means(image):
    """Of windows of 8x8, one at every fourth pixel: four means of 4x4 are put together."""
    small = image.reduce(4)
    w, h = small.width - (image.width % 4 > 0), small.height - (image.height % 4 > 0)
    v = list(small.get_flattened_data() if hasattr(small, "get_flattened_data") else small.getdata())
    row = small.width
    return [(v[y * row + x] + v[y * row + x + 1] + v[y * row + row + x] + v[y * row + row + x + 1]) / 4 for y in range(h - 1) for x in range(w - 1)]


def ssim(a, b):
    product = lambda x, y: ImageMath.lambda_eval(lambda v: v["x"] * v["y"], x=x, y=y)  # noqa: E731
    a, b = a.convert("L").convert("F"), b.convert("L").convert("F")
    c1 = c2 = (0.01 * 255) ** 2
    total = 0
    parts = list(zip(means(a), means(b), means(product(a, a)), means(product(b, b)), means(product(a, b))))
    for ma, mb, aa, bb, ab in parts:
        total += (2 * ma * mb + c1) * (2 * (ab - ma * mb) + c2) / ((ma * ma + mb * mb + c1) * (aa - ma * ma + bb - mb * mb + c2))
    return total / len(parts)


def likeness(source, out, folder):
    resize(out, folder / "back.png", "--width", 0)
    return ssim(Image.open(source).convert("RGB"), Image.open(folder / "back.png").convert("RGB"))


def by_pixmill(source, folder, form, effort, quality, made):
    out = folder / f"out.{form}"
    answer = resize(source, out, "--width", 0, "-q", quality, "--effort", effort)
    made.setdefault("bytes", answer["bytes"])
    made["cpu"] = min(made.get("cpu", math.inf), answer["cpu_ms"])
    if "ssim" not in made:
        made["ssim"] = likeness(source, out, folder)


def by_sharp(source, folder, form, options, made):
    out = folder / f"sharp.{form}"
    got = json.loads(subprocess.run(["node", str(root / "bench/sharp/encode.js"), "2", str(source), str(out), form, json.dumps(options)],
                                    capture_output=True, text=True, check=True).stdout)
    made["bytes"], made["cpu"] = got["bytes"], min(made.get("cpu", math.inf), got["cpuMs"])
    if "ssim" not in made:
        made["ssim"] = likeness(source, out, folder)


def sharp_is_here():
    if not shutil.which("node") or not shutil.which("npm"):
        return False
    if not (root / "bench/sharp/node_modules").exists():
        subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund"], cwd=root / "bench/sharp", check=True)
    return True


def straight(at, points):
    """The value at `at` on the line through points (x, y); beyond its ends nothing is known."""
    points = sorted(points)
    if not points[0][0] <= at <= points[-1][0]:
        return None
    i = max(1, min(len(points) - 1, sum(x < at for x, _ in points)))
    (x0, y0), (x1, y1) = points[i - 1], points[i]
    return y0 + (y1 - y0) * (at - x0) / ((x1 - x0) or 1)


def measure(sources, form, qualities, rounds, folder, sharp):
    ours = {(s, e, q): {} for s in sources for e in EFFORTS for q in qualities}
    theirs = {s: {} for s in sources} if sharp else {}
    for _ in range(rounds):
        for source in sources:
            for effort in EFFORTS:
                for quality in qualities:
                    by_pixmill(source, folder, form, effort, quality, ours[source, effort, quality])
            if sharp:
                by_sharp(source, folder, form, SHARP[form], theirs[source])
    return ours, theirs


def print_qualities(form, sources, qualities, ours, jpeg):
    mean = lambda values: statistics.mean(values)  # noqa: E731
    print("| quality | JPEG bytes | SSIM |" + "".join(f" {form} {e}: bytes | SSIM |" for e in EFFORTS))
    print("|---|---|---|" + "---|---|" * len(EFFORTS))
    for q in qualities:
        print(f"| {q} | {mean(jpeg[s, q]['bytes'] for s in sources):.0f} | {mean(jpeg[s, q]['ssim'] for s in sources):.4f} |" + "".join(
            f" {mean(ours[s, e, q]['bytes'] for s in sources):.0f} | {mean(ours[s, e, q]['ssim'] for s in sources):.4f} |" for e in EFFORTS))


def print_sharp(form, sources, qualities, ours, theirs):
    print(f"\n| {form}, at the SSIM of sharp's default | CPU ms, median | CPU / sharp's: median | worst | bytes / sharp's: median | worst |\n|---|---|---|---|---|---|")
    for e in EFFORTS:
        cpu, by, ms, left_out = [], [], [], 0
        for s in sources:
            made = [ours[s, e, q] for q in qualities]
            if not theirs:
                ms.append(ours[s, e, qualities[len(qualities) // 2]]["cpu"])
                continue
            other = theirs[s]
            count = straight(other["ssim"], [(m["ssim"], math.log(m["bytes"])) for m in made])
            if count is None:
                left_out += 1
                continue
            by.append(math.exp(count) / other["bytes"])
            ms.append(straight(other["ssim"], [(m["ssim"], m["cpu"]) for m in made]))
            cpu.append(ms[-1] / other["cpu"])
        if not ms:
            continue
        ratios = f"{statistics.median(cpu):.2f} | {max(cpu):.2f} | {statistics.median(by):.3f} | {max(by):.3f}" if theirs else "- | - | - | -"
        print(f"| {e}{f' ({left_out} left out: no quality of ours is as near)' if left_out else ''} | {statistics.median(ms):.0f} | {ratios} |")
    if theirs:
        print(f"| sharp, {json.dumps(SHARP[form])} | {statistics.median(theirs[s]['cpu'] for s in sources):.0f} | 1 | 1 | 1 | 1 |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pictures", nargs="*")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--formats", default="webp,avif")
    parser.add_argument("--qualities", default="40,60,80,90")
    arguments = parser.parse_args()
    qualities = [int(q) for q in arguments.qualities.split(",")]
    pictures = arguments.pictures or [str(p) for p in sorted((root / "samples").rglob("*")) if p.suffix.lower() in (".jpg", ".png")]
    sharp = sharp_is_here()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        sources, jpeg = [], {}
        for i, picture in enumerate(pictures):
            sources.append(folder / f"source{i}.png")
            resize(picture, sources[-1], "--width", 800)
            Image.open(sources[-1]).convert("RGB").save(sources[-1], compress_level=1)
            for q in qualities:
                by_pixmill(sources[-1], folder, "jpg", "normal", q, jpeg.setdefault((sources[-1], q), {}))
        for form in arguments.formats.split(","):
            ours, theirs = measure(sources, form, qualities, arguments.rounds, folder, sharp)
            print(f"\n## {form}, {len(sources)} pictures, 800 pixels wide, {arguments.rounds} rounds\n")
            print_qualities(form, sources, qualities, ours, jpeg)
            print_sharp(form, sources, qualities, ours, theirs)


main()
