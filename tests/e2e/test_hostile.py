"""Files made to hurt (FIGURES.md, T4, T5 and T6): refused from the header, or worked off within bounds of memory and time, and never a crash.

Memory is the largest resident set of pixmill and all of its children; time is their CPU time, which does not depend on what else runs."""
import io
import json
import os
import struct
import subprocess
import sys
import zlib

import pytest
from conftest import PROGRAM
from PIL import Image

SANITIZED, LONG = bool(os.environ.get("PIXMILL_SANITIZED")), bool(os.environ.get("PIXMILL_LONG"))
MIB = 1 << 20


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(width, height, depth=8, kind=0, raw=b"", interlaced=0, chunks=b"", packed=None):
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlaced)) + chunks
            + chunk(b"IDAT", zlib.compress(raw) if packed is None else packed) + chunk(b"IEND", b""))


def jpeg(size=(64, 48), **options):
    out = io.BytesIO()
    Image.effect_noise(size, 40).convert("RGB").save(out, "JPEG", **options)
    return out.getvalue()


def sized(data, width, height):
    """The JPEG with another size in its header."""
    at = 2
    while data[at + 1] not in (0xc0, 0xc1, 0xc2):
        at += 2 + int.from_bytes(data[at + 2:at + 4], "big")
    return data[:at + 5] + struct.pack(">HH", height, width) + data[at + 9:]


def zeros(mebibytes):
    """A zlib stream that inflates to so many zeros, without the time that takes: one block, flushed, again and again. Its checksum is wrong: nobody gets there."""
    make = zlib.compressobj(9)
    head = make.compress(b"") + make.compress(bytes(16 * MIB)) + make.flush(zlib.Z_FULL_FLUSH)
    again = make.compress(bytes(16 * MIB)) + make.flush(zlib.Z_FULL_FLUSH)
    return head + again * (mebibytes // 16 - 1) + b"\x03\x00" + bytes(4)


# A process's peak begins with that of whom it was forked from: here a small one, since this one has the files to be tried in memory.
LAUNCHER = """
import os, sys
child = os.fork()
if child == 0:
    os.execv(sys.argv[1], sys.argv[1:])
usage = os.wait4(child, 0)[2]
print(usage.ru_maxrss / 1024, usage.ru_utime + usage.ru_stime)
"""


def run(tmp_path, data, *arguments):
    """What it said, the peak in MiB, CPU seconds."""
    (tmp_path / "in").write_bytes(data)
    done = subprocess.run([sys.executable, "-S", "-E", "-c", LAUNCHER, PROGRAM, "resize", "--json", *arguments, str(tmp_path / "in"), str(tmp_path / "out.jpg")],
                          capture_output=True, text=True, timeout=60)
    told, usage = done.stdout.splitlines()
    return (json.loads(told), *map(float, usage.split()))


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """What a picture of one pixel takes."""
    return run(tmp_path_factory.mktemp("base"), png(1, 1, raw=bytes(2)))[1:]


def within(base, found, mebibytes, seconds):
    told, peak, cpu = found
    if not SANITIZED:
        assert peak - base[0] < mebibytes and cpu - base[1] < seconds, (told, peak, base[0], cpu)


PROGRESSIVE = jpeg(progressive=True)
SCAN = PROGRESSIVE[PROGRESSIVE.index(b"\xff\xda"):]
SCAN = SCAN[:SCAN.index(b"\xff\xc4")]  # of the first values, which may be told again
TOO_BIG = {
    "png 20K square": png(20000, 20000), "png 60K square": png(60000, 60000), "png 60K square, 16-bit RGBA": png(60000, 60000, 16, 6),
    "png 60K square, interlaced": png(60000, 60000, interlaced=1), "png 2^31-1 square": png(0x7fffffff, 0x7fffffff), "png 2^32-1 wide": png(0xffffffff, 1),
    "png 65536 wide": png(65536, 1), "png 100000 high": png(1, 100000),
    "jpeg 65535 square": sized(jpeg(), 65535, 65535), "jpeg 65500 square": sized(jpeg(), 65500, 65500), "progressive 65500 square": sized(PROGRESSIVE, 65500, 65500),
    "arithmetic 65500 square": sized(jpeg(), 65500, 65500).replace(b"\xff\xc0", b"\xff\xc9", 1),
}


@pytest.mark.parametrize("name", TOO_BIG)
def test_t4_what_is_over_the_limits_is_refused_from_its_header(tmp_path, base, name):
    found = run(tmp_path, TOO_BIG[name])
    assert found[0]["error"]["code"] == "too-many-pixels"
    within(base, found, 16, 0.05)
    assert not (tmp_path / "out.jpg").exists()


def test_t5_a_square_of_one_colour_within_the_limits_takes_rows_not_the_picture(tmp_path, base):
    side = 10000
    found = run(tmp_path, png(side, side, 1, 0, bytes((side // 8 + 1) * side)))
    assert (found[0]["width"], found[0]["height"]) == (800, 800)
    within(base, found, 16, 3)


@pytest.mark.parametrize("name", ["zTXt", "iTXt", "iCCP"])
@pytest.mark.parametrize("strip", ["all", "none"])
def test_t5_a_gigabyte_in_a_chunk_is_not_unpacked(tmp_path, base, name, strip):
    body = {"zTXt": b"Comment\0\0", "iTXt": b"XML:com.adobe.xmp\0\1\0\0\0", "iCCP": b"x\0\0"}[name] + zeros(1024)
    found = run(tmp_path, png(4, 4, 8, 0, bytes(20), chunks=chunk(name.encode(), body)), "--strip", strip)
    assert found[0]["width"] == 4
    within(base, found, 16, 0.3)


def test_t5_a_picture_that_inflates_to_more_than_it_has_is_not_inflated(tmp_path, base):
    found = run(tmp_path, png(4, 4, packed=zeros(1024)))
    assert found[0].get("error", {}).get("code", "corrupt-image") == "corrupt-image"
    within(base, found, 16, 0.3)


@pytest.mark.parametrize("scans,code", [(100, None), (5000, "too-many-frames")])
def test_t5_thousands_of_scans_are_refused_some_are_not(tmp_path, base, scans, code):
    found = run(tmp_path, PROGRESSIVE[:-2] + SCAN * scans + PROGRESSIVE[-2:])
    assert found[0].get("error", {}).get("code") == code
    within(base, found, 16, 1)


def test_t5_more_metadata_than_the_limit_is_refused(tmp_path, base):
    found = run(tmp_path, png(4, 4, raw=bytes(20), chunks=chunk(b"tEXt", b"Comment\0" + bytes(MIB)) * 17))
    assert found[0]["error"]["code"] == "too-many-bytes"
    within(base, found, 16, 0.3)
    data = jpeg()
    found = run(tmp_path, data[:2] + (b"\xff\xe1" + struct.pack(">H", 65535) + b"Exif\0\0" + bytes(65527)) * 300 + data[2:])
    assert found[0]["error"]["code"] == "too-many-bytes"
    within(base, found, 16, 0.3)


LIES = {
    "png of more rows than data": (png(64, 16000, raw=bytes(65 * 48)), {"corrupt-image"}), "png of more columns": (png(16000, 48, raw=bytes(65 * 48)), {"corrupt-image"}),
    "png of other depth": (png(64, 48, 16, 6, bytes(65 * 48)), {"corrupt-image"}), "png without size": (png(0, 5), {"corrupt-image"}),
    "jpeg of more rows than data": (sized(jpeg(), 64, 16000), {"corrupt-image"}), "jpeg of more columns": (sized(jpeg(), 16000, 48), {"corrupt-image"}),
    "jpeg 16K square": (sized(jpeg(), 16000, 16000), {"corrupt-image"}), "progressive 16K square": (sized(PROGRESSIVE, 16000, 16000), {"corrupt-image", "out-of-memory"}),
    "jpeg without size": (sized(jpeg(), 0, 5), {"corrupt-image"}),
}


@pytest.mark.parametrize("name", LIES)
def test_t6_a_header_that_lies_is_an_error_and_costs_little(tmp_path, base, name):
    data, codes = LIES[name]
    found = run(tmp_path, data)
    assert found[0]["error"]["code"] in codes, found[0]
    within(base, found, 64, 0.5)


def interlaced():
    raw = b"".join(b"\0" + bytes((i * 7 + p) % 256 for i in range(3 * across)) for p, (across, down) in
                   enumerate([(2, 2), (1, 2), (3, 1), (3, 3), (6, 3), (5, 6), (11, 5)]) for _ in range(down))
    return png(11, 11, 8, 2, raw, 1)


@pytest.mark.parametrize("accept", ["refuse", "accept"])
def test_t6_cut_at_every_byte_nothing_crashes(tmp_path, accept):
    """Three small files a format; each cut is an error that says so, or, accepted, what is there."""
    small = {"jpg": [jpeg((9, 9)), jpeg((17, 9), progressive=True), jpeg((9, 17), restart_marker_blocks=1)],
             "png": [png(9, 9, raw=bytes(90)), interlaced(), png(5, 5, 8, 2, bytes(80), chunks=chunk(b"eXIf", b"MM\0*" + bytes(20)) + chunk(b"tEXt", b"Author\0me"))]}
    expected = 0
    for kind, files in small.items():
        for n, data in enumerate(files):
            for cut in range(3 + n if not LONG else 3, len(data) - 4, 1 if LONG else 13):
                (tmp_path / f"{n}-{cut:05}.{kind}").write_bytes(data[:cut])
                expected += 1
    done = subprocess.run([PROGRAM, "resize", "--json", "--strip", "none", "--truncated", accept, str(tmp_path), str(tmp_path / "out")], capture_output=True, text=True, timeout=300)
    codes = [line.get("error", {}).get("code", "truncated" if line.get("truncated") else "whole") for line in map(json.loads, done.stdout.splitlines())]
    assert len(codes) == expected
    assert set(codes) <= {"truncated-image", "unsupported-format"} | ({"truncated"} if accept == "accept" else set()), {code: codes.count(code) for code in set(codes)}
