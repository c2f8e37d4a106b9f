"""Bytes that go through, in AVIF, JPEG XL and TIFF: an output that would be bigger than its source is the source's own coded pixels, to the bit,
in a file of our own, without anything else that the source's file had. What is not understood is encoded again, and as clean."""
import io
import struct

import pytest
from boxes import box, boxes, places, with_items
from PIL import Image, ImageDraw
from test_privacy import RIGHTS, SECRETS, XMP, absent, exif, scene, tags
from test_privacy_formats import metadata_items, resize, stored

HIDDEN = ["ThumbnailPage", "BehindTheEnd", "NameOfItem", "JpegOfBefore"]


def passed(tmp_path, data, kind, strip=None):
    """At a quality that makes it bigger."""
    return resize(tmp_path, data, f"out.{kind}", "--width", "0", "--quality", "100", "--effort", "low", "--colour", "keep", strip=strip)


def pixels(tmp_path, data, kind):
    return Image.open(io.BytesIO(resize(tmp_path, data, "look.png", "--width", "0", "--colour", "keep", source=f"look.{kind}"))).tobytes()


# ---- AVIF ----

def coded(data):
    """The coded pixels of the primary item."""
    start, end = next((s, e) for k, s, e in boxes(data, 0, len(data)) if k == b"meta")
    known = {k: data[s:e] for k, s, e in boxes(data, start + 4, end)}
    told = {name: pieces for name, _, pieces in places(known[b"iloc"])}
    return b"".join(data[at:at + count] for at, count in told[int.from_bytes(known[b"pitm"][4:6], "big")])


def avif(mode="RGB", added=(), **options):
    out = io.BytesIO()
    image = scene((300, 200))
    if mode == "RGBA":
        image.putalpha(Image.linear_gradient("L").resize(image.size))
    image.convert(mode).save(out, "AVIF", quality=30, speed=10, **options)
    thumbnail = (b"jpeg", b"", b"ThumbnailPage" * 5, b"thmb")
    return with_items(out.getvalue(), *metadata_items(), thumbnail, (b"mime", b"text/plain\0\0", b"NameOfItem", None), *added) + box(b"free", b"BehindTheEnd")


@pytest.mark.parametrize("mode,strip", [("RGB", None), ("RGBA", "gps"), ("RGBA", "none"), ("L", None), ("L", "none")])
def test_avif_keeps_its_coded_pixels_and_no_item_more(tmp_path, mode, strip):
    data = avif(mode, icc_profile=b"")
    made = passed(tmp_path, data, "avif", strip)
    assert len(made) < len(data) and coded(made) == coded(data)
    assert Image.open(io.BytesIO(made)).mode == Image.open(io.BytesIO(data)).mode
    assert Image.open(io.BytesIO(made)).tobytes() == Image.open(io.BytesIO(data)).tobytes() and pixels(tmp_path, made, "avif") == pixels(tmp_path, data, "avif")
    absent(made, HIDDEN + ["ThumbnailBytes"])
    if strip != "none":
        absent(made, SECRETS)
    assert (b"Ada Artist" in made) == (strip is not None) and (b"PacketOfXmp" in made) == (strip == "none")
    told = tags(made, tmp_path)
    assert not told or (told.get("Artist") == ("Ada Artist" if strip else None) and ("GPSLatitude" in told) == (strip == "none"))


def test_avif_keeps_turn_profile_and_grid(tmp_path):
    from test_colour import PROFILES
    block = Image.Exif()
    block[0x0112] = 6
    out = io.BytesIO()
    scene((300, 200)).save(out, "AVIF", quality=30, speed=10, exif=block, icc_profile=PROFILES["Display P3"])
    data = with_items(out.getvalue(), *metadata_items())
    made = resize(tmp_path, data, "out.avif", "--width", "0", "--quality", "100", "--colour", "keep", "--rotate", "none")
    assert coded(made) == coded(data)
    a, b = Image.open(io.BytesIO(made)), Image.open(io.BytesIO(data))
    assert a.info["icc_profile"] == PROFILES["Display P3"] and a.getexif()[0x0112] == 6 and a.tobytes() == b.tobytes()
    absent(made, SECRETS)


def grid(image, shared=False, down=False):
    """The picture beside itself, or below; `shared`: both tiles are the same bytes."""
    out = io.BytesIO()
    image.save(out, "AVIF", quality=30, speed=10)
    data = out.getvalue()
    kind, start, end = next(b for b in boxes(data, 0, len(data)) if b[0] == b"meta")
    known = {k: data[s:e] for k, s, e in boxes(data, start + 4, end)}
    tile = coded(data)
    parts = {k: data[s - 8:e] for k, s, e in boxes(known[b"iprp"], 0, len(known[b"iprp"]))}
    assert set(parts) == {b"ipco", b"ipma"}
    inner = next((s, e) for k, s, e in boxes(known[b"iprp"], 0, len(known[b"iprp"])) if k == b"ipco")
    properties = [known[b"iprp"][s - 8:e] for _, s, e in boxes(known[b"iprp"], *inner)]
    width, height = next(struct.unpack(">II", p[12:20]) for p in properties if p[4:8] == b"ispe")
    properties += [box(b"ispe", struct.pack(">III", 0, *((width, 2 * height) if down else (2 * width, height)))), box(b"udes", b"\0\0\0\0en\0NameOfItem\0\0\0")]
    own = list(range(1, len(properties) - 1))
    uses = b"".join(struct.pack(">HB", item, len(own)) + bytes(own) for item in (2, 3))
    whole = [i for i in own if properties[i - 1][4:8] in (b"colr", b"pixi")] + [len(properties) - 1, len(properties)]
    ipma = bytes(4) + struct.pack(">IHB", 3, 1, len(whole)) + bytes(whole) + uses
    content = struct.pack(">BBBBHH", 0, 0, 1, 0, width, 2 * height) if down else struct.pack(">BBBBHH", 0, 0, 0, 1, 2 * width, height)

    def meta(at):
        iloc = bytes(4) + b"\x44\0" + struct.pack(">H", 3)
        for item, where, count in ((1, at, len(content)), (2, at + 8, len(tile)), (3, at + 8 + (0 if shared else len(tile)), len(tile))):
            iloc += struct.pack(">HHHII", item, 0, 1, where, count)
        infe = [box(b"infe", b"\2\0\0" + bytes([hidden]) + struct.pack(">HH4sB", item, 0, kind, 0)) for item, kind, hidden in ((1, b"grid", 0), (2, b"av01", 1), (3, b"av01", 1))]
        return box(b"meta", bytes(4) + box(b"hdlr", known[b"hdlr"]) + box(b"pitm", bytes(4) + b"\0\1") + box(b"iloc", iloc) + box(b"iinf", bytes(4) + b"\0\3" + b"".join(infe))
                   + box(b"iref", bytes(4) + box(b"dimg", struct.pack(">HHHH", 1, 2, 2, 3))) + box(b"iprp", box(b"ipco", b"".join(properties)) + box(b"ipma", ipma)))
    head = data[:start - 8]
    return head + meta(len(head) + len(meta(0)) + 8) + box(b"mdat", content + tile + (b"" if shared else tile)), tile


def test_an_avif_of_tiles_keeps_them_and_loses_names(tmp_path):
    twice, tile = grid(scene((128, 128)))
    data = with_items(twice, *metadata_items())
    made = passed(tmp_path, data, "avif", "gps")
    assert pixels(tmp_path, made, "avif") == pixels(tmp_path, data, "avif")
    absent(made, SECRETS + ["NameOfItem", "udes"])
    assert tile in made and b"Ada Artist" in made


def test_an_avif_that_is_not_understood_is_encoded_again(tmp_path):
    """Each of these says something that the cleaner does not know, or lies; libavif reads them all the same."""
    data, animated = avif(), io.BytesIO()
    frames = [scene((120, 80)) for _ in range(3)]
    frames[0].save(animated, "AVIF", save_all=True, append_images=frames[1:], quality=20, speed=10)
    twice = with_items(grid(scene((128, 128)), shared=True)[0], *metadata_items())
    protected = data.replace(b"infe\2\0\0\0\0\4\0\0", b"infe\2\0\0\0\0\4\0\1")
    assert protected != data
    for source in (animated.getvalue(), twice, protected):
        made = passed(tmp_path, source, "avif")
        absent(made, SECRETS + HIDDEN)
        assert coded(made) not in source


# ---- JPEG XL ----

def jxl(tmp_path, parts=1, level=None, behind=b"", packed=False):
    out = io.BytesIO()
    scene((300, 200)).save(out, "PNG")
    stream = resize(tmp_path, out.getvalue(), "bare.jxl", "--width", "0", "--quality", "20", source="bare.png")
    inner = [(b"Exif", bytes(4) + exif()[6:]), (b"xml ", XMP), (b"jumb", b"NameOfItem"), (b"jbrd", b"JpegOfBefore")]
    inner = [(b"brob", kind + stored(content)) for kind, content in inner[:2]] if packed else inner
    step = -(-len(stream) // parts)
    pieces = [stream[at:at + step] for at in range(0, len(stream), step)]
    coded = [(b"jxlp", struct.pack(">I", i | (i + 1 == parts) << 31) + piece) for i, piece in enumerate(pieces)] if parts > 1 else [(b"jxlc", stream + behind)]
    made = [(b"JXL ", b"\r\n\x87\n"), (b"ftyp", b"jxl \0\0\0\0jxl ")] + ([(b"jxll", bytes([level]))] if level else []) + inner + coded + [(b"free", b"BehindTheEnd")]
    return b"".join(box(kind, content) for kind, content in made), stream


@pytest.mark.parametrize("parts,level,packed,strip", [(1, None, False, None), (1, None, False, "none"), (3, None, False, None), (3, None, False, "gps"), (1, 10, True, None), (1, 10, True, "none")])
def test_jxl_keeps_its_codestream_and_no_box_more(tmp_path, parts, level, packed, strip):
    data, stream = jxl(tmp_path, parts, level, packed=packed)
    made = passed(tmp_path, data, "jxl", strip)
    assert stream in made and len(made) < len(data)
    absent(made, HIDDEN + ["ThumbnailBytes"])
    assert strip is not None or level or made == stream
    if level:
        assert (b"jxll" + bytes([level])) in made
    if strip != "none":
        absent(made, SECRETS)
    assert (b"Ada Artist" in made) == (strip is not None) and (b"PacketOfXmp" in made) == (strip == "none")
    assert pixels(tmp_path, made, "jxl") == pixels(tmp_path, data, "jxl")


def test_a_jxl_with_something_behind_its_last_frame_is_encoded_again(tmp_path):
    told, stream = jxl(tmp_path, behind=b"BehindTheEnd")
    assert passed(tmp_path, stream, "jxl") == stream
    for data in (stream + b"BehindTheEnd", told):
        made = passed(tmp_path, data, "jxl")
        absent(made, HIDDEN + SECRETS)
        assert len(made) > len(stream)


# ---- TIFF ----

def tiff(image, **options):
    """Pillow's file with more in its directory: EXIF, place, XMP, IPTC, Photoshop's block, a second page. And as it was."""
    out = io.BytesIO()
    image.save(out, "TIFF", **options)
    data = out.getvalue()
    assert data[:2] == b"II"
    at, = struct.unpack_from("<I", data, 4)
    count, = struct.unpack_from("<H", data, at)
    entries = [data[at + 2 + 12 * i:at + 14 + 12 * i] for i in range(count)]
    body = bytearray(data + b"BehindTheEnd")

    def value(content):
        body.extend(bytes(len(body) % 2))
        body.extend(content)
        return len(body) - len(content)

    def ascii_entry(tag, text):
        return struct.pack("<HHII", tag, 2, len(text) + 1, value(text.encode() + b"\0"))

    def directory(made, behind=0):
        return value(struct.pack("<H", len(made)) + b"".join(sorted(made, key=lambda e: struct.unpack("<H", e[:2]))) + struct.pack("<I", behind))
    inner = directory([ascii_entry(0xa431, "SerialOfBody"), ascii_entry(0x9003, RIGHTS[3])])
    place = directory([ascii_entry(29, "LatitudeN")])
    page = directory([ascii_entry(270, "ThumbnailPage")])
    more = [ascii_entry(0x8298, "(c) Ada 2026"), ascii_entry(0x013b, "Ada Artist"), ascii_entry(0x0110, "Camera Seven"), ascii_entry(269, "NameOfItem"),
            struct.pack("<HHII", 700, 1, len(XMP), value(XMP)), struct.pack("<HHII", 33723, 7, 13, value(b"CommentOfFile")), struct.pack("<HHII", 34377, 7, 13, value(b"Photoshop 3.0")),
            struct.pack("<HHII", 0x8769, 4, 1, inner), struct.pack("<HHII", 0x8825, 4, 1, place)]
    struct.pack_into("<I", body, 4, directory(entries + more, page))
    return bytes(body), data


def drawing():
    image = Image.new("1", (1200, 900), 1)
    for i in range(60):
        ImageDraw.Draw(image).ellipse((i * 17, i * 11, i * 20 + 40, i * 13 + 90), outline=0)
    return image


TIFFS = {
    "group 4": lambda: tiff(drawing(), compression="group4"),
    "palette": lambda: tiff(scene((300, 200)).quantize(8), compression="tiff_lzw"),
    "jpeg": lambda: tiff(scene((300, 200)), compression="jpeg", quality=30),
    "strips": lambda: tiff(drawing(), compression="group4", tiffinfo={278: 16}),
}


@pytest.mark.parametrize("name,strip", [("group 4", None), ("group 4", "none"), ("palette", "gps"), ("palette", None), ("jpeg", None), ("jpeg", "none"), ("strips", "gps"), ("strips", None)])
def test_tiff_keeps_its_strips_and_no_tag_more(tmp_path, name, strip):
    data, plain = TIFFS[name]()
    assert all(word.encode() in data for word in ("ThumbnailPage", "SerialOfBody", "LatitudeN", "CommentOfFile"))
    made = passed(tmp_path, data, "tif", strip)
    a, b = Image.open(io.BytesIO(made)), Image.open(io.BytesIO(plain))
    assert len(made) < len(data) and (a.mode, a.size, a.info["compression"]) == (b.mode, b.size, b.info["compression"]) and a.tobytes() == b.tobytes()
    absent(made, [word for word in HIDDEN if (word, strip) != ("NameOfItem", "none")] + ["Photoshop 3.0", "CommentOfFile"])
    if strip != "none":
        absent(made, SECRETS)
    else:
        assert all(word.encode() in made for word in ("SerialOfBody", "LatitudeN", "PacketOfXmp"))
    assert all((word.encode() in made) == (strip is not None) for word in RIGHTS)
    assert pixels(tmp_path, made, "tif") == pixels(tmp_path, data, "tif")
    told = name != "jpeg" and tags(made, tmp_path)  # ExifTool 12 stumbles over strips of JPEG
    assert not told or told.get("Artist") == ("Ada Artist" if strip else None)


def test_a_tiff_whose_strips_tell_something_is_encoded_again(tmp_path):
    data, _ = tiff(scene((300, 200)), compression="jpeg", quality=30)
    directory = Image.open(io.BytesIO(data)).tag_v2
    at, count = directory[273][0], directory[279][0]
    comment, where = b"\xff\xfe\0\x0fSerialOfBody\0", len(data) + len(data) % 2  # in the first strip, which moves behind the file
    told = data + bytes(len(data) % 2) + data[at:at + 2] + comment + data[at + 2:at + count]
    for old, new in ((directory[273], (where, *directory[273][1:])), (directory[279], (count + len(comment), *directory[279][1:]))):
        told = told.replace(struct.pack(f"<{len(old)}I", *old), struct.pack(f"<{len(new)}I", *new))
    assert len(told) < len(resize(tmp_path, data, "again.tif", "--width", "300", "--crop", "0,0,300,199"))  # so that it would go through
    made = passed(tmp_path, told, "tif")
    absent(made, SECRETS)
    assert Image.open(io.BytesIO(made)).info["compression"] == "tiff_adobe_deflate"
