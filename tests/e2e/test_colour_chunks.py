"""Colours that a PNG tells in numbers (gAMA, cHRM, cICP), against the formulas in floats; and 16 bits: what is smooth stays smooth."""
import io
import math
import struct
import zlib

import pytest
from PIL import Image, ImageCms

from test_colour import PROFILES, SRGB, delta, lab, resize

D65, SRGB_XY = (0.3127, 0.3290), ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
P3_XY, BT2020_XY, ADOBE_XY = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060)), ((0.708, 0.292), (0.170, 0.797), (0.131, 0.046)), ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))


def chunk(name, body):
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def gama(gamma):
    return chunk(b"gAMA", struct.pack(">I", round(100000 / gamma)))


def chrm(primaries, white=D65):
    return chunk(b"cHRM", struct.pack(">8I", *(round(v * 100000) for point in (white, *primaries) for v in point)))


def cicp(primaries, transfer):
    return chunk(b"cICP", bytes((primaries, transfer, 0, 1)))


def png(width, height, depth, kind, samples, chunks=b""):
    """By hand: Pillow writes no 16-bit colours. `samples`: of the whole picture. With a long text, so that no output is bigger, and none is the source's own bytes."""
    chunks += chunk(b"tEXt", b"Comment\0" + b"long " * 1000)
    channels = {0: 1, 2: 3, 4: 2, 6: 4}[kind]
    step = width * channels
    code = ">%dH" if depth == 16 else ">%dB"
    raw = b"".join(b"\0" + struct.pack(code % step, *samples[y * step:(y + 1) * step]) for y in range(height))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)) + chunks + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b""))


# ---- what it should become ----

def solve(matrix, vector):
    (a, b, c), (d, e, f), (g, h, i) = matrix
    det = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    inverse = ((e * i - f * h, c * h - b * i, b * f - c * e), (f * g - d * i, a * i - c * g, c * d - a * f), (d * h - e * g, b * g - a * h, a * e - b * d))
    return [sum(x * y for x, y in zip(row, vector)) / det for row in inverse]


def to_xyz(primaries, white=D65):
    columns = [(x / y, 1, (1 - x - y) / y) for x, y in primaries]
    scale = solve(list(zip(*columns)), (white[0] / white[1], 1, (1 - white[0] - white[1]) / white[1]))
    return [[c[i] * s for c, s in zip(columns, scale)] for i in range(3)]


def from_bt709(v):
    return v / 4.5 if v < 0.081 else ((v + 0.099) / 1.099) ** (1 / 0.45)


def from_srgb(v):
    return v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4


def wanted(pixel, primaries, curve):
    light = [curve(value) for value in pixel]
    xyz = [sum(m * v for m, v in zip(row, light)) for row in to_xyz(primaries)]
    linear = solve(to_xyz(SRGB_XY), xyz)
    return tuple(255 * min(1, max(0, 12.92 * v if v <= 0.0031308 else 1.055 * max(v, 0) ** (1 / 2.4) - 0.055)) for v in linear)


KINDS = {
    "gAMA 1.0": (gama(1.0), SRGB_XY, lambda v: v),
    "gAMA 1.8": (gama(1.8), SRGB_XY, lambda v: v ** 1.8),
    "gAMA and cHRM of Adobe RGB": (gama(2.2) + chrm(ADOBE_XY), ADOBE_XY, lambda v: v ** 2.2),
    "cHRM in front of gAMA": (chrm(P3_XY) + gama(2.2), P3_XY, lambda v: v ** 2.2),
    "cICP Display P3": (cicp(12, 13), P3_XY, from_srgb),
    "cICP BT.2020": (cicp(9, 1), BT2020_XY, from_bt709),
    "cICP before gAMA": (gama(1.0) + cicp(12, 13), P3_XY, from_srgb),
}
SAME = {"none": b"", "gAMA 45455": chunk(b"gAMA", struct.pack(">I", 45455)), "gAMA and cHRM of sRGB": gama(2.2) + chrm(SRGB_XY), "sRGB beats gAMA": gama(1.0) + chunk(b"sRGB", b"\0"),
        "cICP sRGB": gama(1.0) + cicp(1, 13), "cICP PQ is not known": cicp(9, 16), "gAMA 0": chunk(b"gAMA", bytes(4)), "gAMA too short": chunk(b"gAMA", b"\0\1"),
        "cHRM alone": chrm(P3_XY), "cHRM of nothing": gama(1.0)[:0] + chunk(b"cHRM", bytes(32)), "cHRM in a line": gama(2.21) + chrm(((0.3, 0.3), (0.3, 0.3), (0.3, 0.3)))}
COLOURS = [(r, g, b) for r in (0, 32, 96, 160, 255) for g in (0, 48, 128, 255) for b in (0, 64, 200, 255)]


@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("name", KINDS)
def test_numbers_are_believed(tmp_path, name, depth):
    chunks, primaries, curve = KINDS[name]
    factor = 257 if depth == 16 else 1
    (tmp_path / "in.png").write_bytes(png(len(COLOURS), 1, depth, 2, [v * factor for pixel in COLOURS for v in pixel], chunks))
    ours = resize(tmp_path, tmp_path / "in.png", tmp_path / "out.png", "--width", "0", "--format", "png").get_flattened_data()
    far = []
    for pixel, got in zip(COLOURS, ours):
        right = wanted([v / 255 for v in pixel], primaries, curve)
        clipped = min(right) < 0.5 or max(right) > 254.5
        far.append((delta(lab(got), lab(tuple(right))), clipped))
    assert max(d for d, clipped in far if not clipped) < 1.0 and sum(d for d, _ in far) / len(far) < 0.5, sorted(far)[-3:]
    assert sum(delta(lab(pixel), lab(tuple(wanted([v / 255 for v in pixel], primaries, curve)))) for pixel in COLOURS) / len(COLOURS) > 0.7  # they do change


@pytest.mark.parametrize("name", SAME)
def test_what_is_srgb_or_means_nothing_changes_nothing(tmp_path, name):
    (tmp_path / "in.png").write_bytes(png(len(COLOURS), 1, 8, 2, [v for pixel in COLOURS for v in pixel], SAME[name]))
    ours = resize(tmp_path, tmp_path / "in.png", tmp_path / "out.png", "--width", "0", "--format", "png")
    assert list(ours.convert("RGB").get_flattened_data()) == COLOURS


def test_keep_embeds_a_profile_that_says_what_the_numbers_do(tmp_path):
    chunks, primaries, curve = KINDS["cICP Display P3"]
    (tmp_path / "in.png").write_bytes(png(len(COLOURS), 1, 8, 2, [v for pixel in COLOURS for v in pixel], chunks))
    ours = resize(tmp_path, tmp_path / "in.png", tmp_path / "out.png", "--width", "0", "--format", "png", "--colour", "keep")
    assert list(ours.get_flattened_data()) == COLOURS
    made = ImageCms.profileToProfile(ours, ImageCms.ImageCmsProfile(io.BytesIO(ours.info["icc_profile"])), ImageCms.ImageCmsProfile(io.BytesIO(SRGB)))
    for pixel, got in zip(COLOURS, made.get_flattened_data()):
        right = wanted([v / 255 for v in pixel], primaries, curve)
        assert max(abs(a - b) for a, b in zip(got, right)) <= 2 or min(right) < 1 or max(right) > 254


@pytest.mark.parametrize("depth", [8, 16])
def test_grey_with_a_gamma_becomes_srgb_s_grey(tmp_path, depth):
    (tmp_path / "in.png").write_bytes(png(256, 1, depth, 0, [v * (257 if depth == 16 else 1) for v in range(256)], gama(1.0)))
    ours = resize(tmp_path, tmp_path / "in.png", tmp_path / "out.png", "--width", "0", "--format", "png")
    assert ours.mode == "L"
    assert max(abs(got - wanted((v / 255,) * 3, SRGB_XY, lambda v: v)[0]) for v, got in enumerate(ours.get_flattened_data())) <= 1


# ---- 16 bits ----

def icc_chunk(icc):
    return chunk(b"iCCP", b"x\0\0" + zlib.compress(icc))


GRADIENTS = {  # name: colour type, chunks, how a sample at `t` is
    "grey": (0, b"", lambda t: (t,)),
    "grey, linear": (0, gama(1.0), lambda t: (t,)),
    "RGB": (2, b"", lambda t: (t, t * 0.8, 0.2 + t * 0.5)),
    "ProPhoto": (2, icc_chunk(PROFILES["ProPhoto"]), lambda t: (0.2 + t * 0.5, 0.25 + t * 0.45, 0.2 + t * 0.5)),
    "Display P3": (2, icc_chunk(PROFILES["Display P3"]), lambda t: (0.1 + t * 0.6, 0.2 + t * 0.5, 0.1 + t * 0.6)),
    "linear": (2, gama(1.0), lambda t: (t, t, t)),
    "linear with alpha": (6, gama(1.0), lambda t: (t, t, t, 1)),
    "BT.2020": (2, cicp(9, 1), lambda t: (0.2 + t * 0.5, 0.2 + t * 0.5, 0.25 + t * 0.5)),
}


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("name", GRADIENTS)
def test_a_gradient_of_16_bits_has_no_bands(tmp_path, name, interlaced):
    """4096 pixels wide: no step from one to the next is larger than a level, nor is a level left out, nor does one come back."""
    kind, chunks, at = GRADIENTS[name]
    width = 4096
    row = [round(v * 65535) for x in range(width) for v in at((x / (width - 1)) ** (3 if "linear" in name else 1))]  # dark tones are where linear light is coarse
    data = png(width, 1, 16, kind, row, chunks)
    if interlaced:  # one row: passes 1, 2, 4 and 6 have it
        channels = len(row) // width
        raw = b"".join(b"\0" + struct.pack(f">{len(part)}H", *part) for x0, dx in ((0, 8), (4, 8), (2, 4), (1, 2))
                       for part in [[v for x in range(x0, width, dx) for v in row[x * channels:(x + 1) * channels]]])
        data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, 1, 16, kind, 0, 0, 1)) + chunks + chunk(b"tEXt", b"Comment\0" + b"long " * 1000) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")
    (tmp_path / "in.png").write_bytes(data)
    for arguments in (["--width", "0"], ["--width", "2048"]):
        ours = resize(tmp_path, tmp_path / "in.png", tmp_path / "out.png", *arguments, "--format", "png")
        for band in ours.split():
            values = list(band.get_flattened_data())
            steps = [b - a for a, b in zip(values, values[1:])]
            assert max(steps) <= 1 and min(steps) >= (0 if arguments[1] == "0" else -1), (max(steps), min(steps))


def test_16_bits_are_rounded_not_cut(tmp_path):
    values = [0, 127, 128, 129, 385, 386, 32767, 32768, 65406, 65407, 65535]
    (tmp_path / "in.png").write_bytes(png(len(values), 1, 16, 0, values))
    ours = resize(tmp_path, tmp_path / "in.png", tmp_path / "out.png", "--width", "0", "--format", "png")
    assert list(ours.get_flattened_data()) == [math.floor(v * 255 / 65535 + 0.5) for v in values]
