"""WebP and BMP against Pillow, whose WebP is the same library: pixels, frames and times, what is left of metadata, what is refused."""
import io
import pathlib
import struct
import subprocess

import pytest
from conftest import PROGRAM
from PIL import Image, ImageChops, ImageCms, ImageOps, ImageSequence

SAMPLES = pathlib.Path(__file__).resolve().parents[2] / "samples"
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def resize(source, target, *arguments, code=0):
    done = subprocess.run([PROGRAM, "resize", *arguments, str(source), str(target)], capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stderr
    return done.stderr


def all_resized(folder, *arguments, kind="webp", to="png"):
    """Every picture of a folder, by name: one run is faster than many."""
    done = subprocess.run([PROGRAM, "resize", *arguments, "--format", to, "--name", "{stem}.{ext}", *map(str, sorted(folder.glob(f"*.{kind}"))), f"{folder}/out/"],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return {path.stem: Image.open(path) for path in (folder / "out").iterdir()}


def same(a, b):
    return (a.size, a.mode) == (b.size, b.mode) and a.tobytes() == b.tobytes()


def shown(image):
    """RGBA, black where nothing is seen of the colour."""
    image = image.convert("RGBA")
    return Image.composite(image, Image.new("RGBA", image.size), image.getchannel("A").point(lambda a: 255 if a else 0))


@pytest.fixture(scope="module")
def photo():
    image = Image.open(SAMPLES / "tür/kurve.png").convert("RGBA").resize((331, 217))
    image.info.clear()
    return image


@pytest.fixture(scope="module")
def frames(photo):
    """Four, of which the second leaves most as it is, and the third is in part transparent."""
    still = photo.convert("RGB").convert("RGBA").resize((160, 105))
    second = still.copy()
    second.paste((250, 10, 10, 255), (40, 30, 70, 60))
    third = second.copy()
    third.putalpha(Image.linear_gradient("L").resize(still.size).point(lambda v: 0 if v < 60 else v))
    return [still, second, third, ImageOps.mirror(still)]


def test_every_kind_is_read_to_the_last_bit(photo, tmp_path):
    for mode in ("RGB", "RGBA"):
        for quality in (5, 50, 95):
            photo.convert(mode).save(tmp_path / f"{mode}{quality}.webp", quality=quality)
        photo.convert(mode).save(tmp_path / f"{mode}lossless.webp", lossless=True)
        photo.convert(mode).crop((0, 0, 1, 1)).save(tmp_path / f"{mode}one.webp")
    for name, got in all_resized(tmp_path, "--width", "0").items():
        wanted = Image.open(tmp_path / f"{name}.webp")
        assert same(got.convert(wanted.mode), wanted), name  # one grey pixel is written as grey


def test_every_bmp_is_read_to_the_last_bit(photo, tmp_path):
    for mode in ("1", "L", "RGB"):
        photo.convert(mode).save(tmp_path / f"{mode}.bmp")
    for colours in (2, 16, 200):
        photo.convert("RGB").quantize(colours).save(tmp_path / f"P{colours}.bmp")
    photo.save(tmp_path / "RGBA.bmp")
    for name, got in all_resized(tmp_path, "--width", "0", kind="bmp", to="keep").items():
        assert got.format == "PNG" and same(got.convert("RGB"), Image.open(tmp_path / f"{name}.bmp").convert("RGB")), name
    assert "bmp is read, but not written" in resize(tmp_path / "L.bmp", tmp_path / "b.bmp", code=2)


@pytest.mark.parametrize("effort", ["low", "normal", "high"])
def test_what_is_written_is_read_by_others(photo, tmp_path, effort):
    for mode in ("L", "LA", "RGB", "RGBA"):
        photo.convert(mode).save(tmp_path / f"{mode}.png")
    for mode, got in all_resized(tmp_path, "--width", "0", "--lossless", "--effort", effort, kind="png", to="webp").items():
        assert got.format == "WEBP" and same(shown(got), shown(Image.open(tmp_path / f"{mode}.png")))
    sizes = []
    for quality in (20, 80):
        resize(tmp_path / "RGBA.png", tmp_path / "q.webp", "--width", "0", "--quality", str(quality), "--effort", effort)
        got = Image.open(tmp_path / "q.webp")
        sizes.append((tmp_path / "q.webp").stat().st_size)
        assert same(got.getchannel("A"), photo.getchannel("A"))  # alpha loses nothing
        mine = io.BytesIO()
        photo.save(mine, "WEBP", quality=quality, method={"low": 2, "normal": 4, "high": 6}[effort])
        assert abs(sizes[-1] - len(mine.getvalue())) <= len(mine.getvalue()) / 50  # as the library does it
    assert sizes[0] < sizes[1]


@pytest.mark.parametrize("lossless", [True, False])
def test_an_animation_stays_one(frames, tmp_path, lossless):
    times = [40, 120, 80, 500]
    frames[0].save(tmp_path / "a.webp", save_all=True, append_images=frames[1:], duration=times, loop=5, lossless=lossless, quality=90)
    resize(tmp_path / "a.webp", tmp_path / "b.webp", "--width", "0", "--lossless")
    resize(tmp_path / "a.webp", tmp_path / "c.webp", "--width", "80")
    resize(tmp_path / "a.webp", tmp_path / "d.tiff", "--width", "0")
    resize(tmp_path / "a.webp", tmp_path / "e.webp", "--width", "0", "--animated", "false", "--lossless")
    source = [frame.convert("RGBA") for frame in ImageSequence.Iterator(Image.open(tmp_path / "a.webp"))]
    for name, size in (("b", (160, 105)), ("c", (80, 53))):
        made = Image.open(tmp_path / f"{name}.webp")
        assert (made.n_frames, made.info["loop"], made.size) == (4, 5, size)
        for i, frame in enumerate(ImageSequence.Iterator(made)):
            frame.load()
            assert frame.info["duration"] == times[i]
            if name == "b":
                assert same(shown(frame), shown(source[i])), i
            else:
                small = shown(source[i]).resize(size, Image.LANCZOS)
                total = sum(sum(pixel) for pixel in ImageChops.difference(shown(frame), small).get_flattened_data())
                assert total / (size[0] * size[1] * 4) < 6, i
    for name in ("d.tiff", "e.webp"):
        still = Image.open(tmp_path / name)
        assert getattr(still, "n_frames", 1) == 1 and same(shown(still), shown(source[0]))


def test_too_many_frames_or_pixels_are_refused_but_the_first_can_be_had(tmp_path):
    many = [Image.new("RGB", (8, 8), (i % 256, i // 256, 7)) for i in range(1001)]
    many[0].save(tmp_path / "a.webp", save_all=True, append_images=many[1:], duration=10, lossless=True, method=0)
    assert "too-many-frames" in resize(tmp_path / "a.webp", tmp_path / "b.webp", code=1)
    resize(tmp_path / "a.webp", tmp_path / "b.webp", "--animated", "false")
    resize(tmp_path / "a.webp", tmp_path / "b.png", "--animated", "false")
    assert Image.open(tmp_path / "b.png").convert("RGB").getpixel((3, 3)) == (0, 0, 7)


def test_orientation_is_applied_and_metadata_goes(photo, tmp_path):
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112], exif[0x010F] = orientation, "SECRET"
        photo.convert("RGB").save(tmp_path / f"{orientation}.webp", lossless=True, exif=exif, icc_profile=SRGB, xmp=b"<x>SECRET</x>")
    for name, got in all_resized(tmp_path, "--width", "0", "--lossless", to="webp").items():
        assert same(got.convert("RGB"), ImageOps.exif_transpose(Image.open(tmp_path / f"{name}.webp")).convert("RGB"))
        assert not dict(got.getexif()) and "icc_profile" not in got.info and b"SECRET" not in (tmp_path / f"out/{name}.webp").read_bytes()
    resize(tmp_path / "6.webp", tmp_path / "kept.webp", "--colour", "keep", "--width", "100")
    kept = Image.open(tmp_path / "kept.webp")
    assert kept.info["icc_profile"] == SRGB and not dict(kept.getexif()) and b"SECRET" not in (tmp_path / "kept.webp").read_bytes()


def test_what_would_grow_is_the_source_s_own_bytes_without_what_is_no_picture(photo, frames, tmp_path):
    exif = Image.Exif()
    exif[0x010F] = "SECRET"
    photo.save(tmp_path / "still.webp", quality=5, exif=exif, xmp=b"<x>SECRET</x>", icc_profile=SRGB)
    photo.convert("RGB").save(tmp_path / "simple.webp", quality=5)
    frames[0].save(tmp_path / "moving.webp", save_all=True, append_images=frames[1:], duration=70, quality=5, exif=exif, xmp=b"<x>SECRET</x>")
    for name, got in all_resized(tmp_path, "--width", "0", "--quality", "100", "--colour", "keep", to="keep").items():
        source, bytes_now = Image.open(tmp_path / f"{name}.webp"), (tmp_path / f"out/{name}.webp").read_bytes()
        assert b"SECRET" not in bytes_now and not dict(got.getexif()) and len(bytes_now) <= (tmp_path / f"{name}.webp").stat().st_size
        assert got.info.get("icc_profile") == source.info.get("icc_profile") and got.n_frames == source.n_frames
        for ours, theirs in zip(ImageSequence.Iterator(got), ImageSequence.Iterator(source)):
            assert same(ours.convert("RGBA"), theirs.convert("RGBA")) and ours.info.get("duration") == theirs.info.get("duration"), name


def test_a_wide_gamut_becomes_srgb(photo, tmp_path):
    from test_colour import PROFILES, reference
    icc, image = PROFILES["Display P3"], photo.convert("RGB").resize((400, 262))
    image.save(tmp_path / "a.webp", lossless=True, icc_profile=icc)
    resize(tmp_path / "a.webp", tmp_path / "b.png", "--width", "0")
    wanted = reference(image, icc)
    assert max(high for _, high in ImageChops.difference(Image.open(tmp_path / "b.png"), wanted).getextrema()) <= 2


@pytest.mark.parametrize("data,code", [
    (b"RIFF\x20\0\0\0WEBP", "truncated-image"), (b"RIFF\x04\0\0\0WEBP", "corrupt-image"), (b"RIFF\x10\0\0\0WEBPVP8 \4\0\0\0abcd", "corrupt-image"),
    (b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\2\0\0\0\xff\xff\xff\x3f\0\0", "too-many-pixels"), (b"RIFF\x04\0\0\0WAVE", "unsupported-format"),
    (b"BM" + bytes(12) + struct.pack("<IiiHHI", 40, 1 << 30, 1 << 30, 1, 24, 0) + bytes(20), "too-many-pixels"),
    (b"BM" + bytes(12) + struct.pack("<IiiHHI", 40, 9, 9, 1, 24, 5) + bytes(20), "unsupported-format")], ids=range(7))
def test_refusals_say_why(tmp_path, data, code):
    (tmp_path / "a.webp").write_bytes(data)
    said = resize(tmp_path / "a.webp", tmp_path / "b.png", code=1)
    assert code in said and len(said.splitlines()) == 1, said
