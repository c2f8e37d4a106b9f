#!/usr/bin/env python3
"""The same pictures by pixmill, sharp and ImageMagick, as people see them: one sheet, docs/side-by-side.jpg, a row a case.

python3 bench/side_by_side.py [OUT.jpg]. Needs .venv (./test makes it), node and npm for sharp (installed beside bench/sharp at the first run)
and ImageMagick's convert or magick (package imagemagick); a contestant that is missing leaves its column empty. The cases are what other
systems are complained about: orientation, colour, transparency, fine detail, animation. Sources are the samples, or made here."""
import io
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

root = pathlib.Path(__file__).resolve().parents[1]
if pathlib.Path(sys.prefix) != root / ".venv" and (root / ".venv/bin/python").exists() and "SIDE_BY_SIDE" not in os.environ:
    os.execve(root / ".venv/bin/python", [str(root / ".venv/bin/python"), *sys.argv], {**os.environ, "SIDE_BY_SIDE": "1"})
sys.path.insert(0, str(root / "tests/e2e"))
os.environ.setdefault("PIXMILL", str(root / "build/pixmill"))
from PIL import Image, ImageCms, ImageDraw, ImageFont  # noqa: E402
from test_colour import PROFILES  # noqa: E402

program = os.environ["PIXMILL"]
samples = {path.name: path for path in (root / "samples").rglob("*") if path.is_file()}
CELL = (256, 160)


def wide_gamut(folder):
    """A photo whose numbers mean Display P3: without conversion its colours look washed out."""
    photo = Image.open(samples["winter forest turned.jpg"]).convert("RGB").rotate(-90, expand=True).resize((900, 1600)).crop((0, 500, 900, 1100))
    strips = Image.new("RGB", photo.size)
    for i, colour in enumerate([(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 160, 0), (200, 0, 255), (0, 200, 200)]):
        strips.paste(colour, (i * 150, 0, i * 150 + 150, 600))
    photo.paste(strips.crop((0, 300, 900, 600)), (0, 300))
    photo.save(folder / "wide.jpg", quality=95, icc_profile=PROFILES["Display P3"])
    return folder / "wide.jpg"


def fringe(folder):
    """Bright discs on fully transparent black: careless scaling draws a dark rim."""
    image = Image.new("RGBA", (1200, 750), (0, 0, 0, 0))
    draw = ImageDraw.Draw(image)
    for i in range(6):
        draw.ellipse((60 + i * 185, 60 + i * 60, 360 + i * 185, 360 + i * 60), fill=(255, 235 - i * 30, 90 + i * 20, 255))
    image.save(folder / "fringe.png")
    return folder / "fringe.png"


def zones(folder):
    """Rings that become finer: what is too fine for the output must turn grey, not into other rings."""
    size = 1600
    row = [(x - size / 2) ** 2 for x in range(size)]
    from math import cos
    image = Image.frombytes("L", (size, 1000), bytes(int(127.5 + 127.5 * cos((dx + row[y + 300]) / 620)) for y in range(1000) for dx in row))
    image.save(folder / "zones.png")
    return folder / "zones.png"


def moving(folder):
    frames = []
    for i in range(3):
        frame = Image.new("RGB", (640, 400), (240, 244, 250))
        ImageDraw.Draw(frame).ellipse((60 + i * 180, 120, 220 + i * 180, 280), fill=(200, 60 + 60 * i, 80))
        frames.append(frame)
    frames[0].save(folder / "moving.gif", save_all=True, append_images=frames[1:], duration=200, loop=0)
    return folder / "moving.gif"


def four_inks(folder):
    Image.open(samples["sea-sunset.jpg"]).resize((1200, 800)).convert("CMYK").save(folder / "inks.jpg", quality=92)
    return folder / "inks.jpg"


# title, source, output, pixmill, sharp, ImageMagick
CASES = [
    ("a photo, from 5760 pixels", lambda f: samples["sea-sunset.jpg"], "jpg", ["--width", "512"], {"width": 512}, ["-auto-orient", "-resize", "512x>"]),
    ("turned by EXIF", lambda f: samples["winter forest turned.jpg"], "jpg", ["--width", "512"], {"width": 512}, ["-auto-orient", "-resize", "512x>"]),
    ("Display P3", wide_gamut, "jpg", ["--width", "512"], {"width": 512}, ["-resize", "512x>", "-strip"]),
    ("CMYK without a profile", four_inks, "jpg", ["--width", "512"], {"width": 512}, ["-resize", "512x>"]),
    ("transparency onto white", fringe, "jpg", ["--width", "512"], {"width": 512, "flatten": "white"}, ["-resize", "512x>", "-background", "white", "-flatten"]),
    ("detail finer than pixels", zones, "png", ["--width", "256"], {"width": 256}, ["-resize", "256x>"]),
    ("an animation, its third frame", moving, "gif", ["--width", "256"], {"width": 256, "animated": True}, ["-coalesce", "-resize", "256x>"]),
]


def by_pixmill(source, out, ours, sharp, magick):
    subprocess.run([program, "resize", *ours, str(source), str(out)], check=True, capture_output=True)


def by_sharp(source, out, ours, sharp, magick):
    if not (root / "bench/sharp/node_modules").exists():
        subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund"], cwd=root / "bench/sharp", check=True)
    subprocess.run(["node", str(root / "bench/sharp/side.js"), str(source), str(out), json.dumps(sharp)], check=True, capture_output=True)


def by_magick(source, out, ours, sharp, magick):
    command = shutil.which("magick") or shutil.which("convert")
    told = subprocess.run([command, "-version"], capture_output=True, text=True).stdout if command else ""
    if "ImageMagick" not in told or "Copyright" not in told:
        raise FileNotFoundError("imagemagick")
    subprocess.run([command, str(source), *magick, str(out)], check=True, capture_output=True)


def cell(path):
    """What a viewer without colour management shows."""
    image = Image.open(path)
    image.seek(min(2, getattr(image, "n_frames", 1) - 1))
    image = image.convert("RGBA")
    image.thumbnail(CELL, Image.Resampling.LANCZOS)
    made = Image.new("RGB", CELL, (235, 235, 235))
    made.paste(image, ((CELL[0] - image.width) // 2, (CELL[1] - image.height) // 2), image)
    return made


def main():
    columns = [("pixmill", by_pixmill), ("sharp", by_sharp), ("ImageMagick", by_magick)]
    gap, label = 8, 22
    sheet = Image.new("RGB", (gap + len(columns) * (CELL[0] + gap), label + len(CASES) * (CELL[1] + label + gap)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    for column, (name, _) in enumerate(columns):
        draw.text((gap + column * (CELL[0] + gap), 3), name, "black", font)
    with tempfile.TemporaryDirectory() as folder:
        for row, (title, source, extension, *settings) in enumerate(CASES):
            top = label + row * (CELL[1] + label + gap)
            draw.text((gap, top + 2), title, "#555555", font)
            given = source(pathlib.Path(folder))
            for column, (name, make) in enumerate(columns):
                out = pathlib.Path(folder) / f"{name}-{row}.{extension}"
                try:
                    make(given, out, *settings)
                    sheet.paste(cell(out), (gap + column * (CELL[0] + gap), top + label))
                except (FileNotFoundError, subprocess.CalledProcessError) as failure:
                    print(f"{title}: {name}: {getattr(failure, 'stderr', None) or failure}", file=sys.stderr)
    target = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else root / "docs/side-by-side.jpg"
    held = io.BytesIO()
    sheet.save(held, "JPEG", quality=82, optimize=True)
    target.write_bytes(held.getvalue())
    print(f"{target}: {len(held.getvalue())} bytes")


main()
