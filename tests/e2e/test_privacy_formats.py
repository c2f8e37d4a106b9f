"""What a picture tells besides what it shows, in the formats behind libraries: TIFF, AVIF, JPEG XL, and HEIC as a source. The same secrets as in
test_privacy.py, the same three policies. ExifTool reads what came out where it is installed; the bytes are searched always."""
import io
import itertools
import pathlib
import struct
import subprocess

import pytest
from boxes import with_items
from conftest import PROGRAM
from PIL import Image
from test_privacy import RIGHTS, SECRETS, XMP, absent, exif, jpeg, scene, tags

HEIC = pathlib.Path(__file__).resolve().parents[2] / "tests/fuzz/corpus/heif/turned.heic"
KINDS = ["tif", "avif", "jxl"]


def resize(tmp_path, data, name, *arguments, strip=None, source="in"):
    (tmp_path / source).write_bytes(data)
    done = subprocess.run([PROGRAM, "resize", *(["--strip", strip] if strip else []), *arguments, str(tmp_path / source), str(tmp_path / name)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return (tmp_path / name).read_bytes()


def tiff():
    """As cameras' programs write them: EXIF in the picture's own directory."""
    made = Image.Exif()
    made.load(exif())
    out = io.BytesIO()
    scene((300, 200)).save(out, "TIFF", exif=made)
    return out.getvalue()


def metadata_items(block=None):
    return [(b"Exif", b"", struct.pack(">I", 6) + (block or exif()), b"cdsc"), (b"mime", b"application/rdf+xml\0\0", XMP, b"cdsc")]


def avif():
    out = io.BytesIO()
    scene((300, 200)).save(out, "AVIF", quality=60, speed=10)
    return with_items(out.getvalue(), *metadata_items())


def heic():
    return with_items(HEIC.read_bytes(), *metadata_items())


def stored(content):
    """As Brotli has it that compresses nothing: RFC 7932, 9.2."""
    bits = (len(content) - 1) << 4 | 1 << 20
    return bits.to_bytes(3, "little") + content + b"\3"


def jxl(tmp_path, packed=False):
    bare = resize(tmp_path, jpeg(), "bare.jxl", "--width", "0", source="bare.jpg")
    inner = [(b"Exif", bytes(4) + exif()[6:]), (b"xml ", XMP)]
    inner = [(b"brob", kind + stored(content)) for kind, content in inner] if packed else inner
    made = [(b"JXL ", b"\r\n\x87\n"), (b"ftyp", b"jxl \0\0\0\0jxl ")] + inner + [(b"jxlc", bare)]
    return b"".join(struct.pack(">I", 8 + len(content)) + kind + content for kind, content in made)


SOURCES = {"jpeg": lambda path: jpeg(), "tiff": lambda path: tiff(), "avif": lambda path: avif(), "heic": lambda path: heic(),
           "jxl": jxl, "jxl, compressed": lambda path: jxl(path, True)}
LEFT = {"tiff": ["PacketOfXmp", "NoteOfMaker"]}  # what Pillow does not put there, or not where this is
# From each of these formats into each, through JPEG, which has tests of its own.
WAYS = [("jpeg", kind) for kind in KINDS] + [(name, kind) for name, kind in zip(itertools.islice(SOURCES, 1, None), itertools.cycle(KINDS[1:] + KINDS[:1]))] + [
    (name, "jpg") for name in itertools.islice(SOURCES, 1, None)]


@pytest.mark.parametrize("name,kind", WAYS)
def test_each_policy_holds_from_and_into_each_format(tmp_path, name, kind):
    data = SOURCES[name](tmp_path)
    assert all(word.encode() in data for word in ("Ada Artist", "SerialOfBody", "LatitudeN"))
    made = {strip: resize(tmp_path, data, f"{strip}.{kind}", "--width", "40", strip=strip) for strip in (None, "gps", "none")}
    absent(made[None], SECRETS + RIGHTS + ["Exif"])
    absent(made["gps"], SECRETS)
    assert all(word.encode() in made["gps"] for word in RIGHTS)
    kept = [word for word in ("SerialOfBody", "SerialOfLens", "OwnerOfCamera", "UniqueImage", "NoteOfMaker", "LatitudeN", "PacketOfXmp") if word not in LEFT.get(name, [])]
    assert all(word.encode() in made["none"] for word in (*RIGHTS, *kept))
    absent(made["none"], ["ThumbnailBytes", "Photoshop 3.0"])
    told = tags(made["gps"], tmp_path)
    if told:
        whole = tags(made["none"], tmp_path)
        assert (told["Artist"], told["Copyright"], told["Model"], told["DateTimeOriginal"], told["LensModel"]) == ("Ada Artist", "(c) Ada 2026", "Camera Seven", "2026:01:02 03:04:05", "Lens 50mm")
        assert not [tag for tag in told if tag.startswith("GPS") or "Serial" in tag or tag in ("OwnerName", "ImageUniqueID", "UserComment", "ThumbnailImage")]
        assert whole["GPSLatitude"] and "SerialOfBody" in (whole.get("SerialNumber"), whole.get("BodySerialNumber"))
        assert name == "tiff" or whole["Title"] == "PacketOfXmp"


def test_a_tiff_s_own_xmp_stays_with_none_alone(tmp_path):
    import PIL.TiffImagePlugin
    info = PIL.TiffImagePlugin.ImageFileDirectory_v2()
    info[700], info[34377], info[37724], info[33723], info[270] = XMP, b"8BIM-caption", b"8BIM-layers", b"iptc-caption", "a description"
    out = io.BytesIO()
    scene((60, 40)).save(out, "TIFF", tiffinfo=info)
    for kind in ("tif", "png"):
        absent(resize(tmp_path, out.getvalue(), f"a.{kind}"), ["PacketOfXmp", "8BIM", "iptc"])
        made = resize(tmp_path, out.getvalue(), f"b.{kind}", strip="none")
        assert b"PacketOfXmp" in made and b"a description" in made
        absent(made, ["8BIM", "iptc"])


@pytest.mark.parametrize("order", ["II", "MM"])
def test_a_tiff_with_exif_is_the_same_picture(tmp_path, order):
    """Its directory takes the block's order of bytes; readers find pixels, sizes and the sub-directories."""
    made = Image.Exif()
    made.endian = ">" if order == "MM" else "<"
    made[0x8298], made[0x013b], made[0x011a] = "(c) Ada 2026", "Ada Artist", 300.0
    made.get_ifd(0x8769)[0x9003] = "2026:01:02 03:04:05"
    for mode in ("L", "RGBA"):
        out, shown = io.BytesIO(), scene((301, 203)).convert(mode)
        if mode == "RGBA":
            shown.putpixel((7, 5), (200, 30, 40, 128))  # or its alpha would be left out
        shown.save(out, "PNG", exif=made)
        bare, whole = (resize(tmp_path, out.getvalue(), f"{strip}.tif", strip=strip) for strip in ("all", "none"))
        assert whole[:2] == order.encode()
        image = Image.open(io.BytesIO(whole))
        assert image.mode == mode and image.tobytes() == Image.open(io.BytesIO(bare)).tobytes() == shown.tobytes()
        assert image.getexif()[0x8298] == "(c) Ada 2026" and image.getexif().get_ifd(0x8769)[0x9003] == "2026:01:02 03:04:05"
        assert Image.open(io.BytesIO(resize(tmp_path, whole, "back.png"))).tobytes() == image.tobytes()


@pytest.mark.parametrize("kind", ["tif", "avif", "jxl"])
def test_an_orientation_that_is_kept_is_said_once_and_rightly(tmp_path, kind):
    """EXIF that goes along does not turn the picture a second time, and does not contradict."""
    turned = resize(tmp_path, jpeg(orientation=6), f"turned.{kind}", "--width", "0", "--rotate", "false", strip="gps")
    upright = resize(tmp_path, turned, "upright.png", "--width", "0")
    assert Image.open(io.BytesIO(upright)).size == (200, 300)
    told = tags(turned, tmp_path)
    assert not told or told["Orientation"] == "Rotate 90 CW"


def test_a_block_that_is_too_big_is_left_out_and_one_that_lies_is_no_harm(tmp_path):
    big = Image.Exif()
    big.get_ifd(0x8769)[0x927c] = b"n" * 65000
    out = io.BytesIO()
    scene((80, 60)).save(out, "AVIF", speed=10)
    big_block, lies = big.tobytes() + bytes(1000), struct.pack(">I", 0xfffffff0) + exif()
    for block in (struct.pack(">I", 6) + big_block, lies, b"\0", bytes(4) + b"II*\0\xff\xff\xff\xff"):
        data = with_items(out.getvalue(), (b"Exif", b"", block, b"cdsc"))
        assert b"Exif" not in resize(tmp_path, data, "a.jpg", "--width", "40", strip="none")
