"""The same promises as in test_truncated.py, for the formats behind libraries and those that came later: WebP, GIF, BMP, TIFF, JPEG XL, AVIF, HEIC and
animated PNG. What is there comes out where it was, what is missing is grey or nothing, and both are said; a source without anything to show is refused."""
import functools
import io
import pathlib
import struct
import subprocess

import pytest
from conftest import PROGRAM
from PIL import Image
from test_cleaning import grid
from test_truncated import HEIGHT, WIDTH, encoded, near, resize, scene

ROOT = pathlib.Path(__file__).resolve().parents[2]


def runs():
    """BMP's RLE8, the last row first: two runs a row."""
    palette = b"".join(bytes((i, i, 255 - i, 0)) for i in range(256))
    data = b"".join(bytes((160, y % 256, 160, 255 - y % 256, 0, 0)) for y in range(HEIGHT)) + b"\0\1"
    head = struct.pack("<IiiHHIIiiII", 40, WIDTH, HEIGHT, 1, 8, 1, len(data), 0, 0, 256, 0)
    return struct.pack("<2sIHHI", b"BM", 14 + len(head) + len(palette) + len(data), 0, 0, 14 + len(head) + len(palette)) + head + palette + data


# What is made, and which rows of it are there when half of its bytes are: from, to.
STILLS = {
    "webp": (lambda: encoded("WEBP", quality=90, method=2), 0, 0.3),
    "webp, lossless": (lambda: encoded("WEBP", lossless=True, method=2), 0, 0.3),
    "gif": (lambda: encoded("GIF", "L", interlace=0), 0, 0.4),
    "gif, interlaced": (lambda: encoded("GIF", "L", interlace=1), 0, 0),
    "bmp": (lambda: encoded("BMP"), 0.52, 1),
    "bmp, grey": (lambda: encoded("BMP", "L"), 0.55, 1),
    "bmp, run lengths": (runs, 0.9, 1),
}


@pytest.mark.parametrize("name", STILLS)
def test_what_is_there_comes_out_and_the_rest_is_grey(tmp_path, name):
    make, first, last = STILLS[name]
    data = make()
    cut = data[:len(data) // 2]
    assert resize(tmp_path, cut, code=1)["error"]["code"] == "truncated-image"  # the twin
    assert resize(tmp_path, data, "--truncated", "accept").get("truncated") is not True
    whole = Image.open(tmp_path / "out.png").convert("RGB")
    assert resize(tmp_path, cut, "--truncated", "accept")["truncated"] is True
    ours = Image.open(tmp_path / "out.png").convert("RGB")
    assert ours.size == (WIDTH, HEIGHT)
    if last > first:
        assert near(ours, whole, (0, int(HEIGHT * first), WIDTH, int(HEIGHT * last)), 1)
    if name != "gif, interlaced":
        assert ours.getpixel((WIDTH - 5, HEIGHT - 1 if first == 0 else 0)) == (128, 128, 128)
    else:
        assert {(128, 128, 128)} < {ours.getpixel((5, y)) for y in range(HEIGHT)}


def test_where_there_is_alpha_the_rest_is_nothing(tmp_path):
    for options in ({"lossless": True}, {"quality": 90}):
        data = encoded("WEBP", "RGBA", method=2, **options)
        resize(tmp_path, data[:len(data) * 7 // 10], "--truncated", "accept")
        ours = Image.open(tmp_path / "out.png")
        assert ours.getpixel((5, HEIGHT - 1))[3] == 0
        assert sum(abs(a - b) for a, b in zip(ours.getpixel((5, 5)), Image.open(io.BytesIO(data)).getpixel((5, 5)))) < 8


@pytest.mark.parametrize("name", ["webp", "webp, lossless", "gif", "bmp", "bmp, run lengths"])
def test_wherever_it_ends(tmp_path, name):
    """Each cut is a picture that says so or an error that says so; nothing is a crash, and late cuts are pictures."""
    data = STILLS[name][0]()
    for cut in range(10, len(data) - 10, max(1, len(data) // 40)):
        (tmp_path / f"c{cut:06}").write_bytes(data[:cut])
    done = subprocess.run([PROGRAM, "resize", "--json", "--width", "50", "--truncated", "accept", *sorted(map(str, tmp_path.glob("c*"))), str(tmp_path / "out")], capture_output=True, text=True, timeout=120)
    told = list(map(__import__("json").loads, done.stdout.splitlines()))
    assert len(told) == len(list(tmp_path.glob("c*")))
    for line in told:
        assert line.get("truncated") is True or line["error"]["code"] in ("truncated-image", "unsupported-format"), line
        assert int(line["source"][-6:]) < len(data) * 2 // 3 or line.get("truncated") is True


@functools.cache
def frames(kind):
    out = io.BytesIO()
    made = [Image.blend(scene(), Image.new("RGB", (WIDTH, HEIGHT), colour), 0.6) for colour in ("red", "lime", "blue", "white")]
    options = {"GIF": {"disposal": 1}, "WEBP": {"quality": 80, "method": 0}, "PNG": {}, "AVIF": {"quality": 60, "speed": 10}}[kind]
    made[0].save(out, kind, save_all=True, append_images=made[1:], duration=[100, 200, 300, 400], loop=0, **options)
    return out.getvalue()


def mean(image):
    return image.convert("RGB").resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG", "AVIF"])
def test_of_an_animation_the_frames_that_are_there_come_out(tmp_path, kind):
    data = frames(kind)
    cut = data[:len(data) * (9 if kind == "AVIF" else 6) // 10]  # whose first frame is most of it
    assert resize(tmp_path, cut, code=1)["error"]["code"] == "truncated-image"
    (tmp_path / "cut").write_bytes(cut)
    done = subprocess.run([PROGRAM, "resize", "--width", "100", "--truncated", "accept", str(tmp_path / "cut"), str(tmp_path / "some.webp")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    some, whole = Image.open(tmp_path / "some.webp"), Image.open(io.BytesIO(data))
    assert some.n_frames in (2, 3)
    for i in range(2):
        some.seek(i)
        whole.seek(i)
        assert all(abs(a - b) < 6 for a, b in zip(mean(some), mean(whole)))
    first = data[:len(data) // 8]  # no frame is whole
    told = resize(tmp_path, first, "--truncated", "accept", code=0 if kind in ("GIF", "PNG") else 1)
    assert told.get("truncated") is True if kind in ("GIF", "PNG") else told["error"]["code"] == "truncated-image"


def test_an_animated_png_that_ends_between_two_frames_says_so(tmp_path):
    data = frames("PNG")
    second = data.index(b"fcTL", data.index(b"fcTL") + 4) - 4
    assert resize(tmp_path, data[:second], "--truncated", "accept")["truncated"] is True
    assert all(abs(a - b) < 2 for a, b in zip(mean(Image.open(tmp_path / "out.png")), mean(Image.open(io.BytesIO(data)))))


def large():
    ramp = Image.linear_gradient("L").resize((900, 700))
    return Image.merge("RGB", (ramp, ramp.transpose(Image.Transpose.ROTATE_180), Image.effect_noise((900, 700), 30)))


def through(tmp_path, image, kind, *arguments):
    image.save(tmp_path / "large.png")
    subprocess.run([PROGRAM, "resize", "--width", "0", *arguments, str(tmp_path / "large.png"), str(tmp_path / f"large.{kind}")], check=True, capture_output=True)
    return (tmp_path / f"large.{kind}").read_bytes()


def test_of_a_tiff_the_strips_that_are_whole_come_out(tmp_path):
    image = large()
    data = through(tmp_path, image, "tif")
    cut = data[:len(data) * 6 // 10]
    assert resize(tmp_path, cut, code=1)["error"]["code"] == "truncated-image"
    assert resize(tmp_path, cut, "--truncated", "accept")["truncated"] is True
    ours = Image.open(tmp_path / "out.png")
    assert ours.crop((0, 0, 900, 270)).tobytes() == image.crop((0, 0, 900, 270)).tobytes()
    assert ours.getpixel((450, 699)) == (128, 128, 128)
    told = resize(tmp_path, encoded("TIFF")[:3000], "--truncated", "accept", code=1)["error"]  # of the first strip: the library gives no part of one
    assert told["code"] == "truncated-image" and "first strip" in told["message"]


def test_of_a_tiff_in_tiles_those_that_are_whole_come_out(tmp_path):
    """Four of 64x64, grey, not compressed; the directory in front."""
    tiles = [bytes([value]) * 4096 for value in (10, 60, 110, 160)]
    entries = [(256, 4, 1, 128), (257, 4, 1, 128), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1), (277, 3, 1, 1), (322, 4, 1, 64), (323, 4, 1, 64)]
    at = 8 + 2 + 12 * (len(entries) + 2) + 4
    entries += [(324, 4, 4, at), (325, 4, 4, at + 16)]
    data = struct.pack("<2sHIH", b"II", 42, 8, len(entries)) + b"".join(struct.pack("<HHII", *e) for e in entries) + bytes(4)
    data += struct.pack("<4I", *(at + 32 + 4096 * i for i in range(4))) + struct.pack("<4I", *[4096] * 4) + b"".join(tiles)
    assert resize(tmp_path, data[:-100], "--truncated", "accept")["truncated"] is True
    ours = Image.open(tmp_path / "out.png").convert("L")
    assert [ours.getpixel(place) for place in ((0, 0), (127, 0), (0, 127), (127, 127))] == [10, 60, 110, 128]


def test_of_a_jpeg_xl_all_of_the_area_comes_out_with_less_detail(tmp_path):
    image = large()
    data = through(tmp_path, image, "jxl", "--quality", "90")
    cut = data[:len(data) * 6 // 10]
    assert resize(tmp_path, cut, code=1)["error"]["code"] == "truncated-image"
    assert resize(tmp_path, cut, "--truncated", "accept")["truncated"] is True
    assert near(Image.open(tmp_path / "out.png"), image, (0, 0, 900, 700), 20)
    told = resize(tmp_path, data[:200], "--truncated", "accept", code=1)["error"]
    assert told["code"] == "truncated-image"


def test_of_an_avif_rows_of_tiles_come_out_and_a_still_of_one_piece_is_refused(tmp_path):
    image = scene().resize((128, 128))
    data, tile = grid(image, down=True)
    cut = data[:-len(tile) // 2]
    assert resize(tmp_path, cut, code=1)["error"]["code"] == "truncated-image"
    assert resize(tmp_path, cut, "--truncated", "accept")["truncated"] is True
    ours = Image.open(tmp_path / "out.png")
    assert ours.size == (128, 256) and near(ours, image, (0, 0, 128, 128), 8)
    assert ours.getpixel((64, 200)) == (128, 128, 128)
    out = io.BytesIO()
    image.save(out, "AVIF", speed=10)
    told = resize(tmp_path, out.getvalue()[:-200], "--truncated", "accept", code=1)["error"]
    assert told["code"] == "truncated-image" and "anything to show" in told["message"]


def test_of_a_heic_comes_out_what_the_library_gives_and_nothing_silently(tmp_path):
    data = (ROOT / "tests/fuzz/corpus/heif/grid.heic").read_bytes()
    (tmp_path / "in").write_bytes(data[:-20])
    done = subprocess.run([PROGRAM, "resize", "--json", "--truncated", "accept", str(tmp_path / "in"), str(tmp_path / "out.png")], capture_output=True, text=True)
    told = __import__("json").loads(done.stdout)
    assert told.get("truncated") is True if done.returncode == 0 else (told["error"]["code"] == "truncated-image" and "no part of it" in told["error"]["message"])
