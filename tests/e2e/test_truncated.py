"""Pictures that end early: an error by default; with `truncated: accept` what is there comes out where it was, the rest is grey (or nothing,
where there is alpha), and the log, the record and --json say so."""
import functools
import io
import json
import subprocess

import pytest
from conftest import PROGRAM, Service
from PIL import Image

WIDTH, HEIGHT = 320, 240


@functools.cache
def scene(mode="RGB"):
    ramp = Image.linear_gradient("L").resize((WIDTH, HEIGHT))
    image = Image.merge("RGB", (ramp, ramp.transpose(Image.Transpose.ROTATE_180), Image.effect_noise((WIDTH, HEIGHT), 30)))
    if mode == "RGBA":
        image.putalpha(ramp.point(lambda v: 255 - v // 2))
    return image.convert(mode)


def encoded(kind, mode="RGB", **options):
    out = io.BytesIO()
    scene(mode).save(out, kind, **options)
    return out.getvalue()


def adam7(data):
    """The PNG again, interlaced, by hand: Pillow writes none."""
    import struct
    import zlib
    image = Image.open(io.BytesIO(data)).convert("RGB")
    raw = b""
    for x0, y0, dx, dy in [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]:
        for y in range(y0, HEIGHT, dy):
            raw += b"\0" + b"".join(bytes(image.getpixel((x, y))) for x in range(x0, WIDTH, dx))

    def chunk(name, body):
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 1)) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")


def resize(tmp_path, data, *arguments, code=0):
    (tmp_path / "in").write_bytes(data)
    done = subprocess.run([PROGRAM, "resize", "--json", "--width", "0", *arguments, str(tmp_path / "in"), str(tmp_path / "out.png")], capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def near(ours, wanted, box, most):
    a, b = ours.convert("RGB").crop(box), wanted.convert("RGB").crop(box)
    return sum(abs(x - y) for x, y in zip(a.tobytes(), b.tobytes())) / len(a.tobytes()) <= most


SOURCES = {
    "jpeg": (lambda: encoded("JPEG", quality=90), 0.4),
    "jpeg, grey": (lambda: encoded("JPEG", "L", quality=90), 0.4),
    "jpeg with restart markers": (lambda: encoded("JPEG", quality=90, restart_marker_rows=1), 0.4),
    "png": (lambda: encoded("PNG"), 0.4),
    "png, grey": (lambda: encoded("PNG", "L"), 0.4),
    "png, palette": (lambda: encoded("PNG", "P"), 0.3),
}


@pytest.mark.parametrize("name", SOURCES)
def test_what_is_there_comes_out_and_the_rest_is_grey(tmp_path, name):
    data, there = SOURCES[name][0](), SOURCES[name][1]
    cut = data[:len(data) // 2]
    assert resize(tmp_path, cut, code=1)["error"]["code"] == "truncated-image"  # the twin
    assert not (tmp_path / "out.png").exists()
    assert resize(tmp_path, cut, "--truncated", "accept")["truncated"] is True
    ours = Image.open(tmp_path / "out.png")
    assert ours.size == (WIDTH, HEIGHT)
    assert near(ours, Image.open(io.BytesIO(data)), (0, 0, WIDTH, int(HEIGHT * there)), 2)
    assert ours.convert("RGB").getpixel((WIDTH - 5, HEIGHT - 1)) == (128, 128, 128)


def test_where_there_is_alpha_the_rest_is_nothing(tmp_path):
    data = encoded("PNG", "RGBA")
    resize(tmp_path, data[:len(data) // 2], "--truncated", "accept")
    ours = Image.open(tmp_path / "out.png")
    assert ours.getpixel((5, HEIGHT - 1))[3] == 0 and ours.getpixel((5, 5)) == Image.open(io.BytesIO(data)).getpixel((5, 5))


def test_a_progressive_jpeg_has_all_of_its_area_with_less_detail(tmp_path):
    data = encoded("JPEG", quality=90, progressive=True)
    whole = Image.open(io.BytesIO(data))
    assert resize(tmp_path, data[:len(data) // 2], code=1)["error"]["code"] == "truncated-image"
    assert resize(tmp_path, data[:len(data) * 6 // 10], "--truncated", "accept")["truncated"] is True
    assert near(Image.open(tmp_path / "out.png"), whole, (0, 0, WIDTH, HEIGHT), 16)


def test_an_interlaced_png_has_all_of_its_area_with_less_detail(tmp_path):
    data = adam7(encoded("PNG"))
    assert resize(tmp_path, data)["width"] == WIDTH
    assert Image.open(tmp_path / "out.png").tobytes() == scene("RGB").tobytes()
    assert resize(tmp_path, data[:len(data) // 2], "--truncated", "accept")["truncated"] is True
    assert near(Image.open(tmp_path / "out.png"), scene("RGB"), (0, 0, WIDTH, HEIGHT), 16)


@pytest.mark.parametrize("data", [encoded("JPEG", quality=70), encoded("JPEG", quality=70, progressive=True), encoded("PNG")], ids=["jpeg", "progressive", "png"])
def test_wherever_it_ends(tmp_path, data):
    """With accept, every cut behind the first rows or scan comes out, and those in the header are still errors."""
    cuts = sorted({*range(len(data) // 3, len(data) - 20, max(1, len(data) // 60)), *range(2, 400, 40), *(at + 9 for at in range(len(data) // 3, len(data) - 20) if data[at:at + 2] == b"\xff\xc4")})
    for cut in cuts:
        (tmp_path / f"c{cut:06}.{'png' if data[0] == 0x89 else 'jpg'}").write_bytes(data[:cut])
    done = subprocess.run([PROGRAM, "resize", "--json", "--truncated", "accept", str(tmp_path), str(tmp_path / "out")], capture_output=True, text=True, timeout=60)
    told = {int(line["source"][-10:-4]): line for line in map(json.loads, done.stdout.splitlines())}
    assert len(told) == len(cuts)
    late = [cut for cut in cuts if cut >= len(data) // 3 and told[cut].get("truncated") is not True]
    assert not late, [(cut, told[cut]) for cut in late]
    assert told[2]["error"]["code"] == "unsupported-format" and told[42]["error"]["code"] == "truncated-image"


def test_a_damaged_picture_is_still_refused(tmp_path):
    data = bytearray(encoded("PNG"))
    data[len(data) // 2] ^= 0x55
    assert resize(tmp_path, bytes(data), "--truncated", "accept", code=1)["error"]["code"] == "corrupt-image"
    assert subprocess.run([PROGRAM, "resize", "--truncated", "maybe", "a", "b.png"], capture_output=True).returncode == 2


def test_the_service_says_so_in_log_and_record(tmp_path):
    (tmp_path / "pixmill.yaml").write_text("limits: { truncated: accept }\n")
    data = encoded("JPEG", quality=90)
    service = Service("--config", str(tmp_path / "pixmill.yaml"))
    try:
        service.s3.put_object(Bucket="source-bucket", Key="cut.jpg", Body=data[:len(data) // 2])
        service.s3.put_object(Bucket="source-bucket", Key="whole.jpg", Body=data)
        cut, whole = service.wait_record("cut.jpg"), service.wait_record("whole.jpg")
        log = subprocess.run([PROGRAM, "logs", "--json", "--data", service.data], capture_output=True, text=True).stdout
    finally:
        service.close()
    assert (cut["Status"], cut["Truncated"]) == ("done", True) and (whole["Status"], "Truncated" in whole) == ("done", False)
    lines = {line["key"]: line for line in map(json.loads, log.splitlines()) if line.get("message") == "source"}
    assert lines["source-bucket/cut.jpg"]["truncated"] is True and "truncated" not in lines["source-bucket/whole.jpg"]
