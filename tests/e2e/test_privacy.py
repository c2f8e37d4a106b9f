"""What a picture tells besides what it shows: nothing by default, and no more than was asked for otherwise; through every way that an
output comes about - made anew, passed through, from JPEG and from PNG. ExifTool reads what came out where it is installed; the bytes are searched always."""
import io
import json
import pathlib
import shutil
import struct
import subprocess
import zlib

import pytest
from conftest import PROGRAM, Service
from PIL import Image, ImageOps

from test_colour import PROFILES

SECRETS = ["SerialOfBody", "SerialOfLens", "OwnerOfCamera", "UniqueImage", "NoteOfMaker", "ThumbnailBytes", "LatitudeN", "CommentOfFile", "TextOfComment", "PacketOfXmp", "Photoshop 3.0"]
RIGHTS = ["Ada Artist", "(c) Ada 2026", "Camera Seven", "2026:01:02 03:04:05"]


def exif(orientation=1):
    made = Image.Exif()
    made[0x010f], made[0x0110], made[0x0132], made[0x013b], made[0x8298], made[0x0112] = "Maker", "Camera Seven", "2026:01:02 03:04:05", "Ada Artist", "(c) Ada 2026", orientation
    made.get_ifd(0x8769).update({0x9003: "2026:01:02 03:04:05", 0x927c: b"NoteOfMaker" * 3, 0x9286: b"ASCII\0\0\0TextOfComment", 0xa420: "UniqueImage", 0xa430: "OwnerOfCamera",
                                 0xa431: "SerialOfBody", 0xa435: "SerialOfLens", 0xa002: 4000, 0xa003: 3000, 0xa434: "Lens 50mm"})
    made.get_ifd(0x8825).update({1: "N", 2: (52.0, 31.0, 12.0), 29: "LatitudeN"})
    made.get_ifd(1).update({0x0201: 8, 0x0202: 14})
    return made.tobytes() + b"ThumbnailBytes"  # behind the last directory, where thumbnails lie


XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:Description tiff:Orientation="6" dc:title="PacketOfXmp"/></x:xmpmeta>'


def scene(size):
    image = Image.effect_noise(size, 60).convert("RGB")
    image.paste((200, 30, 40), (0, 0, size[0] // 3, size[1] // 4))
    return image


def jpeg(size=(300, 200), quality=40, orientation=1, icc=b""):
    out = io.BytesIO()
    scene(size).save(out, "JPEG", quality=quality, exif=exif(orientation), xmp=XMP, comment=b"CommentOfFile", icc_profile=icc or None)
    body = out.getvalue()
    return body[:2] + b"\xff\xed" + struct.pack(">H", 2 + 26) + b"Photoshop 3.0\0PacketOfXmp2" + body[2:]


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(size=(300, 200), orientation=1, level=9):
    out = io.BytesIO()
    scene(size).quantize(16).save(out, "PNG", compress_level=level)  # a palette: what we write is bigger, and the source passes
    body = out.getvalue()
    block = exif(orientation)[6:]
    extra = (chunk(b"eXIf", block) + chunk(b"tEXt", b"Copyright\0(c) Ada 2026") + chunk(b"tEXt", b"Author\0Ada Artist") + chunk(b"tEXt", b"Comment\0CommentOfFile")
             + chunk(b"zTXt", b"Raw profile type exif\0\0" + zlib.compress(b"SerialOfBody")) + chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + XMP))
    return body[:33] + extra + body[33:]


def make(tmp_path, data, strip, *arguments, kind="jpg"):
    source = tmp_path / ("in.png" if data[:4] == b"\x89PNG" else "in.jpg")
    source.write_bytes(data)
    target = tmp_path / f"out.{kind}"
    options = ["--strip", strip] if strip else []
    subprocess.run([PROGRAM, "resize", *options, *arguments, str(source), str(target)], check=True, capture_output=True, text=True, timeout=60)
    return target.read_bytes()


def tags(data, tmp_path):
    """What ExifTool finds, by name; None without it."""
    if not shutil.which("exiftool"):
        return None
    (tmp_path / "look").write_bytes(data)
    told = json.loads(subprocess.run(["exiftool", "-j", "-a", "-u", "-G1", str(tmp_path / "look")], capture_output=True, text=True, check=True).stdout)[0]
    assert not [value for key, value in told.items() if key.endswith((":Warning", ":Error"))], told
    return {key.split(":")[-1]: value for key, value in told.items()}


def absent(data, words):
    assert not [word for word in words if word.encode() in data]


WAYS = [("resized", ["--width", "100"]), ("passed", ["--width", "0", "--quality", "100"])]


@pytest.mark.parametrize("kind", ["jpg", "png"])
@pytest.mark.parametrize("way,arguments", WAYS)
@pytest.mark.parametrize("source", [jpeg, png])
@pytest.mark.parametrize("strip", [None, "all"])
def test_by_default_nothing_is_told(tmp_path, source, way, arguments, kind, strip):
    data = source()
    assert all(word.encode() in data for word in (*RIGHTS, "SerialOfBody", "LatitudeN", "ThumbnailBytes"))
    out = make(tmp_path, data, strip, *arguments, kind=kind)
    absent(out, SECRETS + RIGHTS + ["Exif", "eXIf", "tEXt"])
    found = tags(out, tmp_path)
    assert found is None or not {"GPSLatitude", "Make", "Artist", "Comment", "ThumbnailImage"} & set(found)


@pytest.mark.parametrize("kind", ["jpg", "png"])
@pytest.mark.parametrize("way,arguments", WAYS)
@pytest.mark.parametrize("source", [jpeg, png])
def test_gps_keeps_rights_and_dates_without_place_owner_and_serials(tmp_path, source, way, arguments, kind):
    out = make(tmp_path, source(), "gps", *arguments, kind=kind)
    absent(out, SECRETS)
    assert all(word.encode() in out for word in RIGHTS)
    found = tags(out, tmp_path)
    if found:
        assert (found["Artist"], found["Copyright"], found["Model"], found["DateTimeOriginal"], found["LensModel"]) == ("Ada Artist", "(c) Ada 2026", "Camera Seven", "2026:01:02 03:04:05", "Lens 50mm")
        assert not [name for name in found if name.startswith("GPS") or "Serial" in name or name in ("OwnerName", "ImageUniqueID", "UserComment", "Comment", "ThumbnailImage")]
    if source is png and kind == "png":
        assert b"tEXtCopyright\0(c) Ada 2026" in out and b"tEXtAuthor\0Ada Artist" in out


@pytest.mark.parametrize("kind", ["jpg", "png"])
@pytest.mark.parametrize("way,arguments", WAYS)
@pytest.mark.parametrize("source", [jpeg, png])
def test_none_keeps_exif_and_xmp_but_no_thumbnail(tmp_path, source, way, arguments, kind):
    out = make(tmp_path, source(), "none", *arguments, kind=kind)
    absent(out, ["ThumbnailBytes", "Photoshop 3.0", "Raw profile"])
    assert all(word.encode() in out for word in (*RIGHTS, "SerialOfBody", "SerialOfLens", "OwnerOfCamera", "UniqueImage", "NoteOfMaker", "LatitudeN", "PacketOfXmp"))
    found = tags(out, tmp_path)
    if found:
        assert found["GPSLatitude"] and found["BodySerialNumber" if "BodySerialNumber" in found else "SerialNumber"] == "SerialOfBody" and "ThumbnailImage" not in found
    assert (b"CommentOfFile" in out) == (source is png and kind == "png")


@pytest.mark.parametrize("source,kind,strip", [(jpeg, "jpg", "none"), (png, "png", "none"), (jpeg, "png", "gps"), (png, "jpg", "all")])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_upright_and_said_no_more(tmp_path, source, kind, orientation, strip):
    data = source(orientation=orientation)
    out = make(tmp_path, data, strip, "--width", "0", "--quality", "95", kind=kind)
    made, stored = Image.open(io.BytesIO(out)), Image.open(io.BytesIO(data))
    assert made.size == ((200, 300) if orientation > 4 else (300, 200))
    assert made.getexif().get(0x0112, 1) == 1
    wanted = ImageOps.exif_transpose(stored).convert("RGB").resize((30, 30), Image.Resampling.BOX)
    ours = made.convert("RGB").resize((30, 30), Image.Resampling.BOX)
    assert max(abs(a - b) for a, b in zip(ours.tobytes(), wanted.tobytes())) < 25
    if strip == "none":
        assert b'tiff:Orientation="1"' in out and b'tiff:Orientation="6"' not in out


def test_what_passes_through_keeps_pixels_and_profile(tmp_path):
    """Also where EXIF stays: the same scans, the same profile, and the record says so."""
    data = jpeg(icc=PROFILES["Display P3"])
    for strip in ("all", "gps", "none"):
        out = make(tmp_path, data, strip, "--width", "0", "--quality", "100", "--colour", "keep")
        assert len(out) < len(data)
        assert Image.open(io.BytesIO(out)).tobytes() == Image.open(io.BytesIO(data)).tobytes()
        assert Image.open(io.BytesIO(out)).info["icc_profile"] == PROFILES["Display P3"]


def test_a_block_that_is_too_big_or_broken_is_cut_not_refused(tmp_path):
    big = Image.Exif()
    big[0x8298] = "(c) Ada 2026"
    big.get_ifd(0x8769)[0x927c] = b"n" * 65000
    big.get_ifd(0x8769)[0x9286] = b"u" * 300
    out = io.BytesIO()
    scene((300, 200)).save(out, "JPEG", exif=big)
    made = make(tmp_path, out.getvalue(), "none", "--width", "100")
    assert b"(c) Ada 2026" in made and Image.open(io.BytesIO(made)).size == (100, 67)
    body = jpeg()
    at = body.index(b"Exif\0\0")
    for step in range(6, 40):
        broken = body[:at + step] + b"\xff\xff" + body[at + step + 2:]
        for strip in ("gps", "none"):
            if step % 3 == 0:
                made = make(tmp_path, broken, strip, "--width", "100")
                assert Image.open(io.BytesIO(made)).width == 100 and b"ThumbnailBytes" not in made


def test_a_word_that_is_no_policy_is_refused(tmp_path):
    (tmp_path / "a.jpg").write_bytes(jpeg())
    done = subprocess.run([PROGRAM, "resize", "--strip", "some", str(tmp_path / "a.jpg"), str(tmp_path / "b.jpg")], capture_output=True, text=True)
    assert done.returncode == 2 and "all|gps|none" in done.stderr


def test_the_service_follows_the_recipe(tmp_path):
    (tmp_path / "pixmill.yaml").write_text("recipe:\n  outputs:\n    - { id: bare, name: 'bare-{stem}.jpg', width: 100 }\n"
                                           "    - { id: credit, name: 'credit-{stem}.jpg', width: 100, strip: gps }\n"
                                           "    - { id: whole, name: 'whole-{stem}.jpg', width: 100, strip: none }\n")
    service = Service("--config", str(tmp_path / "pixmill.yaml"))
    try:
        service.s3.put_object(Bucket="source-bucket", Key="a.jpg", Body=jpeg(orientation=6))
        record = service.wait_record("a.jpg")
        assert (record["Status"], record["Width"], record["Height"]) == ("done", 200, 300)  # as people see it
        bare, credit, whole = (service.s3.get_object(Bucket="processed-bucket", Key=f"{name}-a.jpg")["Body"].read() for name in ("bare", "credit", "whole"))
    finally:
        service.close()
    absent(bare, SECRETS + RIGHTS)
    absent(credit, SECRETS)
    assert b"(c) Ada 2026" in credit and b"SerialOfBody" in whole and b"ThumbnailBytes" not in whole
    assert all(Image.open(io.BytesIO(data)).size == (100, 150) for data in (bare, credit, whole))


@pytest.mark.skipif(not shutil.which("exiftool"), reason="no exiftool here: apt-get install libimage-exiftool-perl")
def test_the_page_s_commands_print_what_the_page_says(tmp_path):
    page = (pathlib.Path(__file__).resolve().parents[2] / "docs/privacy.md").read_text()
    commands, printed = page.split("```sh\n")[1].split("```")[0], page.split("prints two lines")[1].split("```\n")[1].split("```")[0]
    (tmp_path / "photo.jpg").write_bytes(jpeg((1000, 700)))
    done = subprocess.run(["bash", "-euc", f"pixmill() {{ '{pathlib.Path(PROGRAM).resolve()}' \"$@\"; }}\n{commands}"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "".join(line for line in done.stdout.splitlines(True) if "->" not in line) == printed
