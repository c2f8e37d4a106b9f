"""The engine against Pillow: PNG to the last bit, JPEG and every way of fitting within what rounding explains."""
import math
import pathlib
import subprocess

import pytest
from conftest import PROGRAM
from PIL import Image, ImageChops, ImageOps, ImageStat

SAMPLES = pathlib.Path(__file__).resolve().parents[2] / "samples"


def resized(source, tmp_path, *arguments):
    target = tmp_path / "out.png"
    subprocess.run([PROGRAM, "resize", *arguments, str(source), str(target)], check=True, capture_output=True)
    return Image.open(target)


def psnr(a, b):
    """Of two RGB pictures of one size, in dB."""
    assert a.size == b.size
    mean = sum(value * value for value in ImageStat.Stat(ImageChops.difference(a.convert("RGB"), b.convert("RGB"))).rms) / 3
    return 99.0 if mean == 0 else 10 * math.log10(255 * 255 / mean)


@pytest.fixture(scope="module")
def photo():
    """437x311, with alpha and much detail."""
    return Image.open(SAMPLES / "tür/kurve.png").convert("RGBA").resize((437, 311))


@pytest.mark.parametrize("mode,options", [
    ("RGB", {}), ("RGBA", {}), ("L", {}), ("LA", {}), ("1", {}), ("P256", {}), ("P16", {}), ("P4", {"bits": 2}), ("P50", {"transparency": 3})])
def test_png_is_read_to_the_last_bit(photo, tmp_path, mode, options):
    image = photo.convert("RGB").quantize(int(mode[1:])) if mode[0] == "P" else photo.convert(mode)
    image.save(tmp_path / "a.png", **options)
    wanted, got = Image.open(tmp_path / "a.png").convert("RGBA"), resized(tmp_path / "a.png", tmp_path, "--width", "0").convert("RGBA")
    # What is wholly transparent has no colour.
    shown = wanted.getchannel("A").point(lambda a: 255 if a else 0)
    assert ImageChops.difference(wanted.getchannel("A"), got.getchannel("A")).getbbox() is None
    blank = Image.new("RGB", wanted.size)
    assert ImageChops.difference(Image.composite(wanted.convert("RGB"), blank, shown), Image.composite(got.convert("RGB"), blank, shown)).getbbox() is None


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_blocks": 3}])
def test_jpeg_of_every_sampling(photo, tmp_path, subsampling, options):
    photo.convert("RGB").resize((1311, 933), Image.LANCZOS).save(tmp_path / "a.jpg", quality=92, subsampling=subsampling, **options)
    for width in (1311, 800, 400, 97):
        got = resized(tmp_path / "a.jpg", tmp_path, "--width", str(width))
        assert psnr(Image.open(tmp_path / "a.jpg").resize(got.size, Image.LANCZOS), got) > 40


@pytest.mark.parametrize("quality", [40, 80, 95])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_jpegs_are_those_of_libjpeg_turbo(photo, tmp_path, mode, quality):
    """Pillow writes by libjpeg-turbo: as near to the picture, in as many bytes; with effort high in fewer."""
    image = photo.convert(mode).resize((1021, 727), Image.LANCZOS)
    image.save(tmp_path / "a.png")
    image.save(tmp_path / "b.jpg", quality=quality, optimize=True, subsampling=0 if quality >= 90 else 2)
    near = {}
    for effort in ("low", "normal", "high"):
        target = tmp_path / f"{effort}.jpg"
        subprocess.run([PROGRAM, "resize", "--width", "0", "--quality", str(quality), "--effort", effort, str(tmp_path / "a.png"), str(target)],
                       check=True, capture_output=True)
        with Image.open(target) as got:
            got.load()
            assert got.mode == mode and got.size == image.size and bool(got.info.get("progressive")) == (effort == "high")
            near[effort] = psnr(image, got)
    theirs, libjpeg = (tmp_path / "b.jpg").stat().st_size, psnr(image, Image.open(tmp_path / "b.jpg"))
    assert (tmp_path / "low.jpg").read_bytes() == (tmp_path / "normal.jpg").read_bytes()
    assert (tmp_path / "normal.jpg").stat().st_size <= theirs * 1.001 and near["normal"] > libjpeg - 0.01
    assert (tmp_path / "high.jpg").stat().st_size < theirs and near["high"] > libjpeg - 2


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_in_every_fit(photo, tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    photo.convert("RGB").resize((600, 400)).save(tmp_path / "a.jpg", quality=97, subsampling=0, exif=exif)
    upright = ImageOps.exif_transpose(Image.open(tmp_path / "a.jpg"))
    for fit, size in [("inside", (200, 200)), ("cover", (200, 200)), ("cover", (150, 380)), ("contain", (200, 150)), ("fill", (210, 90)),
                      ("outside", (200, 200))]:
        got = resized(tmp_path / "a.jpg", tmp_path, "--width", str(size[0]), "--height", str(size[1]), "--fit", fit).convert("RGB")
        wanted = {"cover": lambda: ImageOps.fit(upright, size, Image.LANCZOS),
                  "contain": lambda: ImageOps.pad(upright, size, Image.LANCZOS, color="white"),
                  "fill": lambda: upright.resize(size, Image.LANCZOS)}.get(fit, lambda: upright.resize(got.size, Image.LANCZOS))()
        assert psnr(wanted, got) > 30, (fit, size)


@pytest.mark.parametrize("size,out", [((1, 1), (1, 1)), ((1, 3000), (1, 3000)), ((3000, 1), (800, 1)), ((65535, 1), (800, 1)), ((801, 1), (800, 1))])
def test_thin_pictures_keep_a_pixel(tmp_path, size, out):
    Image.new("RGB", size, "#336699").save(tmp_path / "a.png")
    got = resized(tmp_path / "a.png", tmp_path)
    assert got.size == out and got.convert("RGB").getpixel((0, 0)) == (0x33, 0x66, 0x99)


def test_samples_look_as_they_should(tmp_path):
    for path in SAMPLES.rglob("*.*"):
        if path.suffix.lower() in (".jpg", ".png"):
            got = resized(path, tmp_path)
            wanted = ImageOps.exif_transpose(Image.open(path)).resize(got.size, Image.LANCZOS)
            assert psnr(wanted, got) > 38, path.name
            best = resized(path, tmp_path, "--resampling", "best")
            assert psnr(wanted, best) > 40, path.name


def test_transparent_edges_are_not_dark(tmp_path):
    """A white disc on transparent black: where it is scaled, no grey may creep in."""
    image = Image.new("RGBA", (1600, 1600), (0, 0, 0, 0))
    image.paste((255, 255, 255, 255), (300, 300, 1301, 1301))
    image.save(tmp_path / "a.png")
    got = resized(tmp_path / "a.png", tmp_path).convert("RGBA")  # few colours: it may have a palette
    low = min(got.getpixel((x, 400))[0] for x in range(got.width) if got.getpixel((x, 400))[3] > 8)
    assert low > 250
