"""What a picture's ICC profile says is what people see: against littlecms on the full-size picture (Pillow's ImageCms)."""
import functools
import io
import math
import pathlib
import struct
import subprocess

import pytest
from PIL import Image, ImageCms, ImageDraw

from conftest import PROGRAM


# ---- profiles: matrix and curve, as ICC.1 spells them (version 2) ----

def s15(value):
    return struct.pack(">i", round(value * 65536))


def xyz(*values):
    return b"XYZ \0\0\0\0" + b"".join(map(s15, values))


def curve(gamma):
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"


def profile(space, tags, device=b"mntr"):
    tags = {b"desc": b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(80), b"cprt": b"text\0\0\0\0none\0\0\0\0", b"wtpt": xyz(0.9642, 1, 0.8249), **tags}
    table, data = b"", b""
    for name, body in tags.items():
        body += bytes(-len(body) % 4)
        table += name + struct.pack(">II", 128 + 4 + 12 * len(tags) + len(data), len(body))
        data += body
    size = 128 + 4 + len(table) + len(data)
    head = struct.pack(">I4s4s4s4s4s12s4s", size, b"\0\0\0\0", b"\x02\x40\0\0", device, space, b"XYZ ", struct.pack(">6H", 2026, 1, 1, 0, 0, 0), b"acsp")
    return head + bytes(28) + s15(0.9642) + s15(1) + s15(0.8249) + bytes(48) + struct.pack(">I", len(tags)) + table + data


def rgb(red, green, blue, gamma):
    return profile(b"RGB ", {b"rXYZ": xyz(*red), b"gXYZ": xyz(*green), b"bXYZ": xyz(*blue),
                             b"rTRC": curve(gamma), b"gTRC": curve(gamma), b"bTRC": curve(gamma)})


PROFILES = {  # primaries in D50
    "Display P3": rgb((0.51512, 0.2412, -0.00105), (0.29198, 0.69225, 0.04189), (0.1571, 0.06657, 0.78407), 2.2),
    "Adobe RGB": rgb((0.60974, 0.31111, 0.01947), (0.20528, 0.62567, 0.06087), (0.14919, 0.06322, 0.74457), 2.19921875),
    "ProPhoto": rgb((0.79767, 0.28804, 0), (0.13519, 0.71188, 0), (0.03134, 0.00009, 0.82491), 1.8),
}
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
GREY = profile(b"GRAY", {b"kTRC": curve(1.0)})  # linear: far from how sRGB's greys are


def picture(size=(1200, 900), mode="RGB"):
    """Soft patches of all kinds of colours: what a resampler does to edges is not the question."""
    small = Image.new("RGB", (12, 9))
    small.putdata([((i * 53) % 256, (i * 97 + 40) % 256, (i * 29 + 90) % 256) for i in range(108)])
    return small.convert(mode).resize(size, Image.Resampling.BICUBIC)


def resize(tmp_path, source, target, *arguments):
    subprocess.run([PROGRAM, "resize", *arguments, str(source), str(target)], check=True, capture_output=True, text=True, timeout=60)
    return Image.open(target)


def reference(image, icc, width=400):
    """The whole picture converted at full size, then made small."""
    made = ImageCms.profileToProfile(image, ImageCms.ImageCmsProfile(io.BytesIO(icc)), ImageCms.ImageCmsProfile(io.BytesIO(SRGB)),
                                     renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC, outputMode="RGB", flags=ImageCms.Flags.BLACKPOINTCOMPENSATION)
    return made.resize((width, width * image.height // image.width), Image.Resampling.LANCZOS)


@functools.cache
def lab(pixel):
    """CIE Lab (D65) of an sRGB pixel, in floats: Lab in whole steps would be off by one by itself."""
    r, g, b = ((value / 255 + 0.055) ** 2.4 / 1.055 ** 2.4 if value > 10.31475 else value / 255 / 12.92 for value in pixel)
    x, y, z = (sum(weight * light for weight, light in zip(row, (r, g, b))) for row in
               ((0.4339527, 0.3762192, 0.1898281), (0.2126729, 0.7151522, 0.0721750), (0.0177565, 0.1094680, 0.8727755)))
    x, y, z = (t ** (1 / 3) if t > 216 / 24389 else (24389 / 27 * t + 16) / 116 for t in (x, y, z))
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def delta(one, two):
    """ΔE2000 (Sharma, Wu and Dalal 2005)."""
    (l1, a1, b1), (l2, a2, b2) = one, two
    middle = (math.hypot(a1, b1) + math.hypot(a2, b2)) / 2
    g = 0.5 * (1 - math.sqrt(middle ** 7 / (middle ** 7 + 25 ** 7)))
    a1, a2 = a1 * (1 + g), a2 * (1 + g)
    c1, c2, h1, h2 = math.hypot(a1, b1), math.hypot(a2, b2), math.degrees(math.atan2(b1, a1)) % 360, math.degrees(math.atan2(b2, a2)) % 360
    turn = 0 if c1 * c2 == 0 else (h2 - h1 + 180) % 360 - 180
    dl, dc, dh = l2 - l1, c2 - c1, 2 * math.sqrt(c1 * c2) * math.sin(math.radians(turn) / 2)
    l, c, h = (l1 + l2) / 2, (c1 + c2) / 2, (h1 + h2 if c1 * c2 == 0 else h1 + turn / 2)
    t = (1 - 0.17 * math.cos(math.radians(h - 30)) + 0.24 * math.cos(math.radians(2 * h)) + 0.32 * math.cos(math.radians(3 * h + 6)) - 0.2 * math.cos(math.radians(4 * h - 63)))
    sl, sc, sh = 1 + 0.015 * (l - 50) ** 2 / math.sqrt(20 + (l - 50) ** 2), 1 + 0.045 * c, 1 + 0.015 * c * t
    rotate = -2 * math.sqrt(c ** 7 / (c ** 7 + 25 ** 7)) * math.sin(math.radians(60 * math.exp(-((h % 360 - 275) / 25) ** 2)))
    return math.sqrt((dl / sl) ** 2 + (dc / sc) ** 2 + (dh / sh) ** 2 + rotate * dc / sc * dh / sh)


def differences(ours, wanted, step=7):
    """ΔE2000 of every seventh pixel, sorted: of those that the reference does not clip, and of all."""
    assert ours.size == wanted.size
    pairs = [(delta(lab(a), lab(b)), 0 in b or 255 in b) for a, b in zip(ours.convert("RGB").get_flattened_data()[::step], wanted.convert("RGB").get_flattened_data()[::step])]
    return sorted(value for value, clipped in pairs if not clipped), sorted(value for value, _ in pairs)


def mean(found):
    return sum(found[1]) / len(found[1])


def judge(found, most=0.5, p99=2.0, worst=5.0):
    inside, all_ = found
    figures = mean(found), all_[int(len(all_) * 0.99)], inside[-1]
    assert figures[0] <= most and figures[1] <= p99 and figures[2] <= worst, figures


def test_the_measure_is_the_published_one():
    """Three pairs of Sharma, Wu and Dalal's table, and white."""
    for one, two, wanted in [((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425), ((50, -1, 2), (50, 0, 0), 2.3669), ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644)]:
        assert abs(delta(one, two) - wanted) < 1e-4
    assert max(abs(a - b) for a, b in zip(lab((255, 255, 255)), (100, 0, 0))) < 0.01


@pytest.mark.parametrize("kind", ["png", "jpg"])
@pytest.mark.parametrize("name", PROFILES)
def test_a_wide_gamut_becomes_srgb(tmp_path, name, kind):
    image, icc = picture(), PROFILES[name]
    image.save(tmp_path / f"in.{kind}", icc_profile=icc, quality=98, subsampling=0)
    ours = resize(tmp_path, tmp_path / f"in.{kind}", tmp_path / "out.png", "--width", "400", "--format", "png")
    wanted = reference(image, icc)
    judge(differences(ours, wanted))
    assert "icc_profile" not in ours.info
    plain = image.resize(ours.size, Image.Resampling.LANCZOS)
    assert mean(differences(plain, wanted)) > 1.5  # it would be far off without


def test_through_jpeg_too(tmp_path):
    image, icc = picture(), PROFILES["Display P3"]
    image.save(tmp_path / "in.jpg", icc_profile=icc, quality=98, subsampling=0)
    ours = resize(tmp_path, tmp_path / "in.jpg", tmp_path / "out.jpg", "--width", "400", "--quality", "95")
    judge(differences(ours, reference(image, icc)), 2.0, 8.0, 20)  # 4:2:0
    assert "icc_profile" not in ours.info


def test_keep_embeds_the_profile_and_leaves_the_colours(tmp_path):
    image, icc = picture(), PROFILES["Adobe RGB"]
    for kind in ("png", "jpg"):
        image.save(tmp_path / f"in.{kind}", icc_profile=icc, quality=98, subsampling=0)
        ours = resize(tmp_path, tmp_path / f"in.{kind}", tmp_path / f"out.{kind}", "--width", "400", "--format", kind, "--colour", "keep", "--quality", "95")
        assert ours.info["icc_profile"] == icc
        judge(differences(ours, image.resize(ours.size, Image.Resampling.LANCZOS)), 2.0, 8.0, 20)


def test_grey_stays_grey_with_srgb_s_curve(tmp_path):
    image = picture(mode="L")
    image.save(tmp_path / "in.png", icc_profile=GREY)
    ours = resize(tmp_path, tmp_path / "in.png", tmp_path / "out.png", "--width", "400", "--format", "png")
    assert ours.mode == "L"

    def to_srgb(value):
        linear = value / 255
        return 255 * (12.92 * linear if linear <= 0.0031308 else 1.055 * linear ** (1 / 2.4) - 0.055)

    wanted = image.point([round(to_srgb(value)) for value in range(256)]).resize(ours.size, Image.Resampling.LANCZOS)
    worst = max(abs(a - b) for a, b in zip(ours.get_flattened_data(), wanted.get_flattened_data()))
    assert worst <= 3, worst


def test_alpha_is_left_alone_and_colours_under_it_are_converted(tmp_path):
    image, icc = picture(), PROFILES["Display P3"]
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    image.save(tmp_path / "in.png", icc_profile=icc)
    ours = resize(tmp_path, tmp_path / "in.png", tmp_path / "out.png", "--width", "400", "--format", "png")
    wanted = reference(image.convert("RGB"), icc)
    alpha = image.getchannel("A").resize(ours.size, Image.Resampling.LANCZOS)
    assert max(abs(a - b) for a, b in zip(ours.getchannel("A").get_flattened_data(), alpha.get_flattened_data())) <= 1
    box = (0, 150, 400, 300)  # where there is enough of it to tell colours
    judge(differences(ours.convert("RGB").crop(box), wanted.crop(box)), 1.0, 3.0)


def test_transparency_is_laid_on_the_background_in_srgb(tmp_path):
    image, icc = Image.new("RGBA", (1200, 900), (0, 0, 0, 0)), PROFILES["ProPhoto"]
    ImageDraw.Draw(image).rectangle((0, 0, 599, 899), (200, 120, 60, 255))
    image.save(tmp_path / "in.png", icc_profile=icc)
    ours = resize(tmp_path, tmp_path / "in.png", tmp_path / "out.png", "--width", "400", "--format", "jpeg", "--background", "#10f080", "--quality", "95")
    assert all(abs(a - b) <= 6 for a, b in zip(ours.convert("RGB").getpixel((390, 150)), (0x10, 0xf0, 0x80)))


def inks():
    """A press: the Lab of its sixteen overprints (about those of coated paper), and between them straight lines (lut8Type, ICC.1 10.11)."""
    corners = {"": (95, 0, -2), "C": (55, -37, -50), "M": (48, 74, -3), "Y": (89, -5, 93), "CM": (24, 22, -46), "CY": (50, -68, 33), "MY": (47, 68, 48),
               "CMY": (23, 0, 0), "K": (16, 0, 0)}
    grid = b""
    for node in range(16):
        name = "".join(ink for ink, bit in zip("CMYK", (8, 4, 2, 1)) if node & bit)
        l, a, b = corners.get(name) or tuple(value * 0.2 for value in corners[name.replace("K", "")])
        grid += bytes((round(l * 2.55), round(a + 128), round(b + 128)))
    ramp = bytes(range(256))
    one = struct.pack(">9i", *(65536 if i % 4 == 0 else 0 for i in range(9)))
    return profile(b"CMYK", {b"A2B0": b"mft1\0\0\0\0" + bytes((4, 3, 2, 0)) + one + ramp * 4 + grid + ramp * 3}, b"prtr").replace(b"XYZ \x07\xea", b"Lab \x07\xea", 1)


def test_inks_become_the_colours_that_their_profile_says(tmp_path):
    image, icc = picture().convert("CMYK"), inks()
    image.save(tmp_path / "in.jpg", icc_profile=icc, quality=98, subsampling=0)
    for mode in ("srgb", "keep"):  # no output holds inks
        ours = resize(tmp_path, tmp_path / "in.jpg", tmp_path / "out.png", "--width", "400", "--format", "png", "--colour", mode)
        wanted = reference(Image.open(tmp_path / "in.jpg"), icc)
        judge(differences(ours, wanted))
        assert ours.mode == "RGB" and "icc_profile" not in ours.info
    image.save(tmp_path / "plain.jpg", quality=98, subsampling=0)
    plain = resize(tmp_path, tmp_path / "plain.jpg", tmp_path / "plain.png", "--width", "400", "--format", "png")
    assert mean(differences(plain, wanted)) > 1.5  # it would be far off without


@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_an_srgb_profile_costs_no_level(tmp_path, kind):
    image = picture()
    image.save(tmp_path / f"with.{kind}", icc_profile=SRGB, quality=95)
    image.save(tmp_path / f"without.{kind}", quality=95)
    outputs = [resize(tmp_path, tmp_path / f"{name}.{kind}", tmp_path / f"{name}-out.png", "--width", "400", "--format", "png") for name in ("with", "without")]
    assert outputs[0].tobytes() == outputs[1].tobytes()


@pytest.mark.parametrize("broken", [b"", b"\0", SRGB[:200], SRGB[:-1], bytes(128), b"x" * 5000, PROFILES["Display P3"].replace(b"RGB ", b"CMYK"),
                                    PROFILES["Display P3"].replace(b"mntr", b"link")], ids=range(8))
@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_a_profile_that_cannot_be_used_is_passed_over(tmp_path, kind, broken):
    image = picture((300, 200))
    image.save(tmp_path / f"in.{kind}", icc_profile=broken, quality=95)
    image.save(tmp_path / f"plain.{kind}", quality=95)
    ours, plain = (resize(tmp_path, tmp_path / f"{name}.{kind}", tmp_path / f"{name}-out.png", "--width", "100", "--format", "png") for name in ("in", "plain"))
    worst = max(abs(a - b) for a, b in zip(ours.tobytes(), plain.tobytes()))
    assert worst <= 2 or len(broken) > 400, worst


def test_a_profile_in_many_parts_is_put_together(tmp_path):
    """A JPEG's segment holds 64 kB; the profile here has four, in disorder, and one more that is not its own."""
    icc = profile(b"RGB ", {b"rXYZ": xyz(0.51512, 0.2412, -0.00105), b"gXYZ": xyz(0.29198, 0.69225, 0.04189), b"bXYZ": xyz(0.1571, 0.06657, 0.78407),
                            b"rTRC": curve(2.2), b"gTRC": curve(2.2), b"bTRC": curve(2.2), b"more": b"text\0\0\0\0" + bytes(200000)})
    image = picture()
    out = io.BytesIO()
    image.save(out, "JPEG", quality=98, subsampling=0)
    parts = [icc[i:i + 60000] for i in range(0, len(icc), 60000)]
    segments = [b"\xff\xe2" + struct.pack(">H", 16 + len(part)) + b"ICC_PROFILE\0" + bytes((number + 1, len(parts))) + part for number, part in enumerate(parts)]
    segments.insert(0, b"\xff\xe2" + struct.pack(">H", 8) + b"MPF\0ab")
    body = out.getvalue()
    (tmp_path / "in.jpg").write_bytes(body[:2] + b"".join(reversed(segments)) + body[2:])
    ours = resize(tmp_path, tmp_path / "in.jpg", tmp_path / "out.png", "--width", "400", "--format", "png")
    judge(differences(ours, reference(image, icc)))
    (tmp_path / "short.jpg").write_bytes(body[:2] + b"".join(segments[:-1]) + body[2:])  # one part is missing: no profile
    short = resize(tmp_path, tmp_path / "short.jpg", tmp_path / "short.png", "--width", "400", "--format", "png")
    judge(differences(short, image.resize(short.size, Image.Resampling.LANCZOS)))


PRESS = next((path for name in ("FOGRA39L_coated.icc", "default_cmyk.icc") for path in pathlib.Path("/usr/share/color/icc").rglob(name)), None)


@pytest.mark.skipif(not PRESS, reason="no profile of a press here: apt-get install libgs-common")
def test_a_press_s_own_profile(tmp_path):
    image, icc = picture().convert("CMYK"), PRESS.read_bytes()
    image.save(tmp_path / "in.jpg", icc_profile=icc, quality=98, subsampling=0)
    ours = resize(tmp_path, tmp_path / "in.jpg", tmp_path / "out.png", "--width", "400", "--format", "png")
    judge(differences(ours, reference(Image.open(tmp_path / "in.jpg"), icc)))
