"""ThumbHash and dominant colour: against an implementation written here from the published description, in Python."""
import base64
import colorsys
import io
import json
import math
import os
import subprocess

import pytest
from PIL import Image, ImageCms, ImageDraw

PIXMILL = os.path.abspath(os.environ.get("PIXMILL", "build/pixmill"))


def told(path, *options):
    out = path.parent / "out.png"
    done = subprocess.run([PIXMILL, "resize", path, out, "--json", *map(str, options)], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    line = json.loads(done.stdout)
    return base64.b64decode(line["placeholder"], validate=True), line["colour"]


def rounded(value):
    return math.floor(value + .5)  # as JavaScript does


def thumbhash(image):
    """ThumbHash as its author describes it: the lowest terms of cosine transforms of L, P, Q and A, scaled by the largest."""
    width, height = image.size
    pixels = [tuple(v / 255 for v in image.getpixel((x, y))) for y in range(height) for x in range(width)]
    weight = sum(a for *_, a in pixels)
    mean = [sum(p[c] * p[3] for p in pixels) / weight if weight else 0 for c in range(3)]
    has_alpha = any(p[3] < 1 for p in pixels)
    mixed = [[mean[c] * (1 - p[3]) + p[3] * p[c] for c in range(3)] for p in pixels]
    channels = ([(r + g + b) / 3 for r, g, b in mixed], [(r + g) / 2 - b for r, g, b in mixed], [r - g for r, g, b in mixed], [p[3] for p in pixels])

    def encode(channel, nx, ny):
        terms = []
        for v in range(ny):
            for u in range(nx):
                if u * ny < nx * (ny - v):
                    fx = [math.cos(math.pi / width * u * (x + .5)) for x in range(width)]
                    terms.append(sum(math.cos(math.pi / height * v * (y + .5)) * sum(channel[y * width + x] * fx[x] for x in range(width))
                                     for y in range(height)) / (width * height))
        scale = max(map(abs, terms[1:]))
        scale = 0 if scale < 1e-9 else scale
        return terms[0], [.5 + .5 / scale * t if scale else 0 for t in terms[1:]], scale

    most = 5 if has_alpha else 7
    lx, ly = (max(1, rounded(most * side / max(width, height))) for side in (width, height))
    l, p, q = encode(channels[0], max(3, lx), max(3, ly)), encode(channels[1], 3, 3), encode(channels[2], 3, 3)
    landscape = width > height
    first = rounded(63 * l[0]) | rounded(31.5 + 31.5 * p[0]) << 6 | rounded(31.5 + 31.5 * q[0]) << 12 | rounded(31 * l[2]) << 18 | has_alpha << 23
    second = (ly if landscape else lx) | rounded(63 * p[2]) << 3 | rounded(63 * q[2]) << 9 | landscape << 15
    out, nibbles = bytearray(first.to_bytes(3, "little") + second.to_bytes(2, "little")), [*l[1], *p[1], *q[1]]
    if has_alpha:
        a = encode(channels[3], 5, 5)
        out.append(rounded(15 * a[0]) | rounded(15 * a[2]) << 4)
        nibbles += a[1]
    nibbles = [rounded(15 * f) for f in nibbles] + [0]
    return bytes(out) + bytes(nibbles[i] | nibbles[i + 1] << 4 for i in range(0, len(nibbles) - 1, 2))


def drawing(width, height, mode="RGBA"):
    image = Image.new("RGBA", (width, height), (230, 220, 200, 255))
    draw = ImageDraw.Draw(image)
    draw.ellipse((width * .1, height * .2, width * .6, height * .9), fill=(200, 40, 30, 255))
    draw.rectangle((width * .5, height * .1, width * .95, height * .45), fill=(20, 60, 190, 255 if mode == "RGB" else 90))
    draw.polygon([(0, height), (width * .4, height * .6), (width * .7, height)], fill=(30, 140, 60, 255))
    return image.convert(mode)


@pytest.mark.parametrize("size", [(100, 75), (60, 90), (40, 40), (97, 13), (5, 3), (1, 1), (1, 100)])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_it_is_the_published_hash_of_a_small_picture_byte_for_byte(tmp_path, size, mode):
    image = drawing(*size, mode)
    image.save(tmp_path / "a.png")
    wanted, got = thumbhash(image.convert("RGBA")), told(tmp_path / "a.png")[0]
    assert len(got) == len(wanted) and got[:6] == wanted[:6]
    off = [abs((a >> s & 15) - (b >> s & 15)) for a, b in zip(got, wanted) for s in (0, 4)]
    # straight samples pass through premultiplied ones, whose rounding may just carry a term over
    assert max(off) <= (0 if mode == "RGB" else 1) and sum(off) <= 2


@pytest.mark.parametrize("form,slack", [("png", 0), ("jpg", 2)])
def test_a_large_picture_has_the_hash_of_its_mean(tmp_path, form, slack):
    image = drawing(1200, 900, "RGB")
    image.save(tmp_path / f"a.{form}", quality=95, subsampling=0)
    wanted, (got, colour) = thumbhash(image.resize((100, 75), Image.Resampling.BOX).convert("RGBA")), told(tmp_path / f"a.{form}", "--width", 60)
    off = [abs((a >> s & 15) - (b >> s & 15)) for a, b in zip(got, wanted) for s in (0, 4)]
    assert len(got) == len(wanted) and sum(off) <= slack and got[0] >> 4 == wanted[0] >> 4
    assert all(abs(int(colour[i:i + 2], 16) - v) <= 3 for i, v in ((1, 230), (3, 220), (5, 200)))


def test_every_orientation_and_recipe_gives_the_same(tmp_path):
    upright, seen = drawing(90, 60, "RGB"), set()
    from test_geometry import STORE
    for orientation, how in STORE.items():
        exif = Image.Exif()
        exif[0x0112] = orientation
        (upright if how is None else upright.transpose(how)).save(tmp_path / "a.png", exif=exif)
        for options in [(), ("--rotate", "none"), ("--crop", "0,0,9,9"), ("--width", 7)]:
            seen.add(told(tmp_path / "a.png", *options))
    assert seen == {(thumbhash(upright.convert("RGBA")), seen.copy().pop()[1])}


@pytest.mark.parametrize("options", [(), ("--colour", "keep")])
def test_both_are_in_srgb_whatever_the_profile_is(tmp_path, options):
    from test_colour import PROFILES, SRGB
    image = drawing(90, 60, "RGB")
    image.save(tmp_path / "a.png", icc_profile=PROFILES["Adobe RGB"])
    wide, srgb = (ImageCms.ImageCmsProfile(io.BytesIO(each)) for each in (PROFILES["Adobe RGB"], SRGB))
    converted = ImageCms.profileToProfile(image, wide, srgb, renderingIntent=1, outputMode="RGB")
    wanted, (got, colour) = thumbhash(converted.convert("RGBA")), told(tmp_path / "a.png", *options)
    assert got[:3] == wanted[:3] != thumbhash(image.convert("RGBA"))[:3]
    assert all(abs(int(colour[i:i + 2], 16) - v) <= 2 for i, v in zip((1, 3, 5), converted.getpixel((88, 50)))) and colour != "#e6dcc8"


@pytest.mark.parametrize("colour", [(200, 30, 40), (12, 13, 11), (250, 250, 250), (64, 128, 255)])
def test_the_dominant_colour_is_what_most_of_it_has(tmp_path, colour):
    image = Image.new("RGB", (400, 300), colour)
    for i in range(8):  # two thirds of it are in many other colours
        image.paste(tuple(int(255 * v) for v in colorsys.hsv_to_rgb(i / 8, .6, .7)), (i * 50, 0, i * 50 + 50, 200))
    image.save(tmp_path / "a.png")
    assert told(tmp_path / "a.png")[1] == "#%02x%02x%02x" % colour


def test_a_picture_s_record_and_log_have_both(service, tmp_path):
    drawing(300, 200, "RGB").save(tmp_path / "a.png")
    service.s3.put_object(Bucket="source-bucket", Key="held/place.png", Body=(tmp_path / "a.png").read_bytes())
    record = service.wait_record("held/place.png")
    placeholder, colour = told(tmp_path / "a.png")
    assert (base64.b64decode(record["Placeholder"]), record["Colour"]) == (placeholder, colour)
    logged = subprocess.run([PIXMILL, "logs", "--json", "--data", service.data, "--key", "held/place.png"], capture_output=True, text=True, check=True)
    lines = [line for line in map(json.loads, logged.stdout.splitlines()) if line.get("message") == "source"]
    assert [(line["placeholder"], line["colour"]) for line in lines] == [(record["Placeholder"], colour)]
    shown = subprocess.run([PIXMILL, "records", "--data", service.data, "--key", "held/place.png"], capture_output=True, text=True, check=True)
    assert colour in shown.stdout


def test_it_is_left_out_when_nobody_wants_it(tmp_path):
    drawing(100, 75, "RGB").save(tmp_path / "a.png")
    for value, keys in (("true", {"placeholder", "colour"}), ("false", set())):
        done = subprocess.run([PIXMILL, "resize", tmp_path / "a.png", tmp_path / "b.png", "--json", "--placeholder", value], capture_output=True, text=True)
        assert done.returncode == 0 and {"placeholder", "colour"} & set(json.loads(done.stdout)) == keys
    done = subprocess.run([PIXMILL, "resize", tmp_path / "a.png", tmp_path / "b.png", "--placeholder", "maybe"], capture_output=True, text=True)
    assert done.returncode == 2 and "true or false" in done.stderr


@pytest.mark.parametrize("way", ["file", "environment"])
def test_the_configuration_switches_it_off_in_record_log_and_manifest(tmp_path, monkeypatch, way):
    from conftest import Service
    out = io.BytesIO()
    drawing(100, 75, "RGB").save(out, "PNG")
    (tmp_path / "pixmill.yaml").write_text("manifest: '{stem}.json'\n" + ("placeholder: false\n" if way == "file" else ""))
    if way == "environment":
        monkeypatch.setenv("PIXMILL_PLACEHOLDER", "false")
    service = Service("--config", str(tmp_path / "pixmill.yaml"))
    try:
        service.s3.put_object(Bucket="source-bucket", Key="a.png", Body=out.getvalue())
        record = service.wait_record("a.png")
        manifest = json.loads(service.s3.get_object(Bucket="processed-bucket", Key="a.json")["Body"].read())
        log = subprocess.run([PIXMILL, "logs", "--json", "--data", service.data], capture_output=True, text=True).stdout
    finally:
        service.close()
    line = next(line for line in map(json.loads, log.splitlines()) if line.get("message") == "source")
    assert (record["Status"], record["Width"], manifest["width"], line["width"]) == ("done", 100, 100, 100)
    assert record["Placeholder"] == record["Colour"] == "" and not {"placeholder", "colour"} & (set(manifest) | set(line))
