"""PngSuite: the 161 files that are right come out to the last bit, the 14 that are not are refused. `tests/corpora` says where it goes.

The reference is a decoder of a page, below, that shares nothing with ours: PNG by the book, as samples of 8 bits, rounded."""
import json
import os
import pathlib
import struct
import subprocess
import zlib

import pytest
from conftest import PROGRAM

SUITE = pathlib.Path(__file__).resolve().parents[1] / "data/pngsuite"
pytestmark = pytest.mark.skipif(not list(SUITE.glob("*.png")), reason="PngSuite is not here: tests/corpora says where it goes")
PASSES = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def unfilter(data, at, rows, count, step):
    above = bytes(count)
    for _ in range(rows):
        kind, row = data[at], bytearray(data[at + 1:at + 1 + count])
        for i in range(count):
            a, b, c = row[i - step] if i >= step else 0, above[i], above[i - step] if i >= step else 0
            nearest = min((abs(b - c), 0, a), (abs(a - c), 1, b), (abs(a + b - 2 * c), 2, c))[2]
            row[i] = (row[i] + (0, a, b, (a + b) // 2, nearest)[kind]) & 255
        yield row
        above, at = bytes(row), at + 1 + count


def decode(path):
    """Width, height and RGBA pixels by row; grey as three alike."""
    data, at, chunks, packed = path.read_bytes(), 8, {}, b""
    while at < len(data):
        length, name = struct.unpack(">I4s", data[at:at + 8])
        body = data[at + 8:at + 8 + length]
        packed += body if name == b"IDAT" else b""
        chunks.setdefault(name, body)
        at += 12 + length
    width, height, depth, kind, _, _, interlaced = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind]
    bits, raw, at = depth * channels, zlib.decompress(packed), 0
    pixels = [[None] * width for _ in range(height)]
    palette, most = chunks.get(b"PLTE", b""), (1 << depth) - 1
    clear = chunks.get(b"tRNS", b"")
    key = struct.unpack(f">{len(clear) // 2}H", clear) if clear and kind != 3 else None

    def pixel(row, x):
        if depth >= 8:
            size = depth // 8
            samples = [int.from_bytes(row[(x * channels + c) * size:(x * channels + c + 1) * size], "big") for c in range(channels)]
        else:
            samples = [row[x * depth // 8] >> (8 - depth - x * depth % 8) & most]
        if kind == 3:
            i = samples[0]
            return (*palette[3 * i:3 * i + 3], clear[i] if i < len(clear) else 255)
        alpha = samples.pop() if kind in (4, 6) else 0 if key == tuple(samples) else most
        return tuple((value * 255 * 2 + most) // (2 * most) for value in (*(samples * (3 // len(samples))), alpha))

    for x0, y0, dx, dy in PASSES if interlaced else [(0, 0, 1, 1)]:
        across, down = -(-(width - x0) // dx), -(-(height - y0) // dy)
        if across <= 0 or down <= 0:
            continue
        count = (across * bits + 7) // 8
        for j, row in enumerate(unfilter(raw, at, down, count, max(1, bits // 8))):
            for i in range(across):
                pixels[y0 + j * dy][x0 + i * dx] = pixel(row, i)
        at += down * (count + 1)
    return width, height, pixels


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """All of them at once, at their own size, their colours as stored."""
    target = tmp_path_factory.mktemp("out")
    done = subprocess.run([PROGRAM, "resize", "--width", "0", "--format", "png", "--colour", "keep", "--json", "--name", "{stem}.png", str(SUITE), str(target)],
                          capture_output=True, text=True, timeout=120)
    told = {pathlib.Path(line["source"]).name: line for line in map(json.loads, done.stdout.splitlines())}
    return target, told


def test_the_suite_is_whole():
    assert len(list(SUITE.glob("*.png"))) == 175 and len(list(SUITE.glob("x*.png"))) == 14


def test_what_is_right_comes_out_to_the_last_bit(made):
    target, told = made
    wrong = []
    for path in sorted(SUITE.glob("[!x]*.png")):
        if "error" in told[path.name] or decode(path) != decode(target / path.name):
            wrong.append((path.name, told[path.name].get("error")))
    assert not wrong, wrong
    assert len(list(target.iterdir())) == 161


def test_what_is_not_is_refused_with_the_reason(made):
    target, told = made
    for path in SUITE.glob("x*.png"):
        assert told[path.name].get("error", {}).get("code") in ("corrupt-image", "truncated-image", "unsupported-format"), (path.name, told[path.name])
        assert not os.path.exists(target / path.name)
