"""Watermarks from outside: through `resize`, `serve` and the function, against the formula for one picture over another."""
import io
import json
import os
import pathlib
import re
import subprocess
import time

import pytest
from PIL import Image

from aws import s3_event, s3_events
from conftest import PROGRAM, Service

W, H, MARGIN = 120, 80, 4  # 5 percent of 80
POSITIONS = ["top-left", "top", "top-right", "left", "centre", "right", "bottom-left", "bottom", "bottom-right"]


def resize(*arguments, code=0):
    done = subprocess.run([PROGRAM, "resize", *map(str, arguments)], capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stderr
    return done.stderr


def pattern(width, height, seed, alpha=True):
    """Colours and alphas of all kinds, also none and all of it."""
    image = Image.new("RGBA", (width, height))
    image.putdata([((i * 53 + seed) % 256, (i * 97 + 40) % 256, (i * 29 + seed * 3) % 256,
                    ([0, 255, i * 11 % 256][i // 7 % 3] if alpha else 255)) for i in range(width * height)])
    return image if alpha else image.convert("RGB")


def png(image, **keys):
    out = io.BytesIO()
    image.save(out, "PNG", **keys)
    return out.getvalue()


@pytest.fixture
def logo(tmp_path):
    path = tmp_path / "logo.png"
    path.write_bytes(png(pattern(30, 12, 5)))  # 25 percent of 120: it goes by unscaled
    return path


def assert_marked(marked, plain, mark, opacity, position="bottom-right", tiled=False):
    """Inside its box the mark lies over the picture, within 2; outside nothing has changed."""
    assert marked.size == plain.size == (W, H) and marked.mode == plain.mode
    index = POSITIONS.index(position)
    left = [MARGIN, (W - mark.width) // 2, W - MARGIN - mark.width][index % 3]
    top = [MARGIN, (H - mark.height) // 2, H - MARGIN - mark.height][index // 3]
    alpha = marked.mode == "RGBA"
    got, was, over = (list(image.convert("RGBA").get_flattened_data()) for image in (marked, plain, mark))
    changed = 0
    for i, (have, below) in enumerate(zip(got, was)):
        x, y = i % W - left, i // W - top
        if tiled:
            x, y = x % (mark.width + MARGIN), y % (mark.height + MARGIN)
        if not (0 <= x < mark.width and 0 <= y < mark.height):
            assert have == below, (i % W, i // W)
            continue
        colour = over[y * mark.width + x]
        ours, theirs = colour[3] / 255 * opacity, below[3] / 255
        sum_ = ours + theirs * (1 - ours)
        assert abs(have[3] - sum_ * 255) <= (2 if alpha else 0.5)
        for c in range(3):
            assert abs(have[c] * have[3] / 255 - (colour[c] * ours + below[c] * theirs * (1 - ours))) <= 2, (i % W, i // W, c)
        changed += have != below
    assert changed > 40


@pytest.mark.parametrize("alpha", [True, False])
def test_an_image_at_every_place_and_opacity(tmp_path, logo, alpha):
    pattern(W, H, 1, alpha).save(tmp_path / "a.png")
    resize(tmp_path / "a.png", tmp_path / "plain.png")
    plain, mark = Image.open(tmp_path / "plain.png"), Image.open(logo)
    for number, place in enumerate([*POSITIONS, "tiled"]):
        for opacity in (25, 50, 100) if alpha else [(25, 50, 100)[number % 3]]:
            where = ["--watermark-tiled"] if place == "tiled" else ["--watermark-position", place]
            resize(tmp_path / "a.png", tmp_path / "b.png", "--watermark-image", logo, "--watermark-margin", 5, "--watermark-opacity", opacity, *where)
            assert_marked(Image.open(tmp_path / "b.png"), plain, mark, opacity / 100, "bottom-right" if place == "tiled" else place, place == "tiled")


def ink(tmp_path, text, *flags):
    """The text as it is drawn, alone: its colour, and how much of each pixel it is."""
    Image.new("RGB", (W, H)).save(tmp_path / "black.png")
    resize(tmp_path / "black.png", tmp_path / "ink.png", "--watermark-text", text, "--watermark-position", "top-left", "--watermark-margin", 5, *flags)
    drawn = Image.open(tmp_path / "ink.png").convert("RGB").getchannel(0)
    width, height = drawn.width * 40 // 100, drawn.getbbox()[3] - MARGIN
    mark = Image.new("RGBA", (width, height), (240, 180, 0, 255))
    mark.putalpha(drawn.crop((MARGIN, MARGIN, MARGIN + width, MARGIN + height)))
    return mark


@pytest.mark.parametrize("text", ["© Ελλάδα", "Москва", "مرحبا"])
def test_a_text_at_every_place(tmp_path, text):
    mark = ink(tmp_path, text, "--watermark-scale", 40)
    pattern(W, H, 1).save(tmp_path / "a.png")
    resize(tmp_path / "a.png", tmp_path / "plain.png")
    for number, place in enumerate([*POSITIONS, "tiled"]):
        opacity = (25, 50, 100)[number % 3]
        where = ["--watermark-tiled"] if place == "tiled" else ["--watermark-position", place]
        resize(tmp_path / "a.png", tmp_path / "b.png", "--watermark-text", text, "--watermark-colour", "#f0b400", "--watermark-margin", 5,
               "--watermark-scale", 40, "--watermark-opacity", opacity, *where)
        assert_marked(Image.open(tmp_path / "b.png"), Image.open(tmp_path / "plain.png"), mark, opacity / 100,
                      "bottom-right" if place == "tiled" else place, place == "tiled")


def seen(frame):
    """As RGBA, without the colours of what cannot be seen: those are an animation's encoder's to choose."""
    frame = frame.convert("RGBA")
    return Image.composite(frame, Image.new("RGBA", frame.size), frame.getchannel(3).point(lambda alpha: 255 if alpha else 0))


def test_every_frame_of_an_animation_has_it(tmp_path, logo):
    frames = [pattern(W, H, seed) for seed in (1, 60, 130)]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:], duration=100, lossless=True, exact=True)
    resize(tmp_path / "a.webp", tmp_path / "plain.webp", "--lossless")
    resize(tmp_path / "a.webp", tmp_path / "b.webp", "--lossless", "--watermark-image", logo, "--watermark-margin", 5, "--watermark-opacity", 50)
    plain, marked = Image.open(tmp_path / "plain.webp"), Image.open(tmp_path / "b.webp")
    assert marked.n_frames == plain.n_frames == 3
    for number in range(3):
        plain.seek(number)
        marked.seek(number)
        assert_marked(seen(marked), seen(plain), Image.open(logo), 0.5)


def test_a_logo_s_colours_are_those_of_its_profile(tmp_path):
    from test_colour import PROFILES
    from PIL import ImageCms
    logo = Image.new("RGB", (30, 12), (200, 80, 60))
    logo.save(tmp_path / "logo.png", icc_profile=PROFILES["Display P3"])
    Image.new("RGB", (W, H)).save(tmp_path / "a.png")
    resize(tmp_path / "a.png", tmp_path / "b.png", "--watermark-image", tmp_path / "logo.png", "--watermark-position", "centre")
    got = Image.open(tmp_path / "b.png").convert("RGB").getpixel((W // 2, H // 2))
    wanted = ImageCms.profileToProfile(logo, ImageCms.ImageCmsProfile(io.BytesIO(PROFILES["Display P3"])), ImageCms.createProfile("sRGB")).getpixel((1, 1))
    assert all(abs(a - b) <= 2 for a, b in zip(got, wanted)) and got[0] > 205


@pytest.mark.parametrize("flags, says", [
    (["--watermark-image", "absent.png"], "absent.png"), (["--watermark-image", "s3://bucket/logo.png"], "name a file"),
    (["--watermark-text", "x", "--watermark-font", "absent.ttf"], "absent.ttf"), (["--watermark-text", "x" * 513], "at most 512"),
    (["--watermark-text", b"\xff\xfe"], "UTF-8"), (["--watermark-opacity", "50"], "an image or a text")])
def test_what_cannot_be_used_is_refused_before_any_picture(tmp_path, flags, says):
    Image.new("RGB", (W, H)).save(tmp_path / "a.png")
    done = subprocess.run([PROGRAM, "resize", tmp_path / "a.png", tmp_path / "b.png", *flags], capture_output=True)
    assert done.returncode == 2 and says in done.stderr.decode() and len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "b.png").exists()


def test_check_names_file_and_line(tmp_path):
    (tmp_path / "pixmill.yaml").write_text("recipe:\n  outputs:\n    - id: web\n      watermark:\n        image: absent.png\n")
    done = subprocess.run([PROGRAM, "check"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2 and "pixmill.yaml:5: watermark.image: cannot read the file absent.png" in done.stderr


# ---- the service ----

RECIPE = '{ id: web, name: "{stem}.png", format: png, watermark: { image: "%s", text: "© ünser", position: top-left, opacity: 60 } }'


def marked_by_resize(tmp_path, logo):
    """What the outputs of RECIPE have to be, to the bit."""
    pattern(W, H, 1, False).save(tmp_path / "a.png")
    resize(tmp_path / "a.png", tmp_path / "marked.png", "--watermark-image", logo, "--watermark-text", "© ünser", "--watermark-position", "top-left",
           "--watermark-opacity", 60)
    return (tmp_path / "marked.png").read_bytes()


def test_the_service_fetches_it_from_its_own_store_and_tells_when_it_is_not_there(tmp_path, logo):
    (tmp_path / "pixmill.yaml").write_text("recipe:\n  outputs:\n    - " + RECIPE % "s3://assets/brand/logo.png" + "\n")
    service = Service("--config", str(tmp_path / "pixmill.yaml"))
    try:
        wanted = marked_by_resize(tmp_path, logo)
        body = (tmp_path / "a.png").read_bytes()
        service.s3.put_object(Bucket="source-bucket", Key="early.png", Body=body)
        record = service.wait_record("early.png")
        assert (record["Status"], record["Error"]["Code"]) == ("failed", "bad-recipe")
        assert "there is no s3://assets/brand/logo.png; upload it" in record["Error"]["Message"]
        service.s3.create_bucket(Bucket="assets")
        service.s3.put_object(Bucket="assets", Key="brand/logo.png", Body=logo.read_bytes())
        service.s3.put_object(Bucket="source-bucket", Key="a.png", Body=body)
        assert service.wait_record("a.png")["Status"] == "done"
        assert service.s3.get_object(Bucket="processed-bucket", Key="a.png")["Body"].read() == wanted
        first = service.wait_record("a.png")["Outputs"][0]["Recipe"]
        logo.write_bytes(png(pattern(30, 12, 99)))
        service.s3.put_object(Bucket="assets", Key="brand/logo.png", Body=logo.read_bytes())
        time.sleep(1.1)
        service.s3.put_object(Bucket="source-bucket", Key="b.png", Body=body)
        assert service.wait_record("b.png")["Outputs"][0]["Recipe"] != first
        assert service.s3.get_object(Bucket="processed-bucket", Key="b.png")["Body"].read() == marked_by_resize(tmp_path, logo)
    finally:
        service.close()


# ---- the function ----

def test_the_function_s_recipe_names_a_bucket_or_the_package(place, tmp_path, logo):
    bucket = f"assets-{place.source}"
    place.s3.create_bucket(Bucket=bucket)
    place.s3.put_object(Bucket=bucket, Key="logo.png", Body=logo.read_bytes())
    wanted = marked_by_resize(tmp_path, logo)
    packaged = RECIPE.replace("id: web", "id: packaged").replace("{stem}", "{stem}-packaged")
    place.environment["PIXMILL_RECIPE"] = f"{{ outputs: [ {RECIPE % f's3://{bucket}/logo.png'}, {packaged % logo} ] }}"
    place.put("a.png", (tmp_path / "a.png").read_bytes())
    runtime = place.start()
    event = s3_events(s3_event(place.source, "a.png"))
    assert runtime.invoke(event)[0] == "response", runtime.lines
    for key in ("a.png", "a-packaged.png"):
        assert place.s3.get_object(Bucket=place.target, Key=key)["Body"].read() == wanted

    def fetched():
        return sum(method == "GET" and "/logo.png" in path for method, path, _ in place.proxy.seen)

    assert runtime.invoke(event)[0] == "response" and fetched() == 1
    place.s3.put_object(Bucket=bucket, Key="logo.png", Body=png(pattern(30, 12, 99)))
    time.sleep(1.1)
    assert runtime.invoke(event)[0] == "response" and fetched() == 2
    assert place.s3.get_object(Bucket=place.target, Key="a.png")["Body"].read() != wanted, "a new logo makes its outputs stale"
    assert place.s3.get_object(Bucket=place.target, Key="a-packaged.png")["Body"].read() == wanted


def test_a_function_without_its_logo_says_so(place):
    place.environment["PIXMILL_WATERMARK_IMAGE"] = f"s3://{place.target}/absent.png"
    place.put("cat.jpg")
    runtime = place.start()
    kind, error = runtime.invoke(s3_events(s3_event(place.source, "cat.jpg")))
    assert (kind, error["errorType"]) == ("error", "Pixmill.bad-recipe") and "upload it" in error["errorMessage"]


# ---- the page ----

def test_the_commands_of_the_page_work(tmp_path, logo):
    text = (pathlib.Path(__file__).resolve().parents[2] / "docs/watermark.md").read_text()
    pattern(1200, 900, 1, False).save(tmp_path / "photo.jpg", quality=90)
    (tmp_path / "brand.ttf").symlink_to(pathlib.Path(__file__).resolve().parents[2] / "src/image/font/DejaVuSans.ttf")
    (tmp_path / "pixmill").symlink_to(os.path.abspath(PROGRAM))
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    yaml = re.search(r"```yaml\n(.*?)```", text, re.S)[1]
    (tmp_path / "pixmill.yaml").write_text(yaml)
    commands = "".join(re.findall(r"```sh\n(.*?)```", text, re.S))
    done = subprocess.run(["bash", "-euc", commands], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.glob("marked-*"))) >= 4
