"""TIFF against Pillow (libtiff): what the file holds is what comes out, to the last bit where nothing is lost."""
import io
import pathlib
import struct
import subprocess

import pytest
from conftest import PROGRAM
from PIL import Image, ImageChops, ImageCms, ImageOps

SAMPLES = pathlib.Path(__file__).resolve().parents[2] / "samples"
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


def resize(source, target, *arguments, code=0):
    done = subprocess.run([PROGRAM, "resize", *arguments, str(source), str(target)], capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stderr
    return done.stderr


def worst(a, b):
    assert (a.size, a.mode) == (b.size, b.mode)
    return max(high for low, high in [(e if isinstance(e, tuple) else (0, e)) for e in ([ImageChops.difference(a, b).getextrema()] if len(a.getbands()) == 1
               else ImageChops.difference(a, b).getextrema())])


def all_resized(folder, *arguments, kind="tif", to="png"):
    """Every picture of a folder, by name: one run is faster than many."""
    resize_all = [PROGRAM, "resize", *arguments, "--format", to, "--name", "{stem}.{ext}", *map(str, sorted(folder.glob(f"*.{kind}"))), f"{folder}/out/"]
    done = subprocess.run(resize_all, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return {path.stem: Image.open(path) for path in (folder / "out").iterdir()}


def shown(image):
    """RGBA, black where nothing is seen of the colour."""
    image = image.convert("RGBA")
    return Image.composite(image, Image.new("RGBA", image.size), image.getchannel("A").point(lambda a: 255 if a else 0))


@pytest.fixture(scope="module")
def photo():
    return Image.open(SAMPLES / "tür/kurve.png").convert("RGBA").resize((237, 151))


@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_what_loses_nothing_is_read_to_the_last_bit(photo, tmp_path, compression):
    images = {mode: photo.convert("RGB" if mode == "CMYK" else mode).convert(mode) for mode in ("1", "L", "LA", "RGB", "RGBA", "CMYK")}
    images["P"] = photo.convert("RGB").quantize(100)
    images["I16"] = photo.convert("L").convert("I").point(lambda v: v * 257).convert("I;16")
    for name, image in images.items():
        image.save(tmp_path / f"{name}.tif", compression=compression)
    for name, got in all_resized(tmp_path, "--width", "0").items():
        if name == "CMYK":
            assert worst(got, images[name].convert("RGB")) <= 1  # roughly: Pillow's rounding is its own
        else:
            assert worst(shown(got), shown(photo.convert("L") if name == "I16" else images[name])) == 0, name
        mode = "RGB" if got.mode == "P" else got.mode  # few colours make a palette
        assert mode == {"1": "L", "P": "RGB", "CMYK": "RGB", "I16": "L"}.get(name, name)


def test_faxes_are_read(photo, tmp_path):
    for compression in ("group3", "group4", "tiff_ccitt"):
        photo.convert("1").save(tmp_path / f"{compression}.tif", compression=compression)
    for name, got in all_resized(tmp_path, "--width", "0").items():
        assert worst(got, photo.convert("1").convert("L")) == 0, name


def test_jpeg_inside_is_read(photo, tmp_path):
    for mode in ("L", "RGB", "YCbCr", "CMYK"):
        photo.convert("RGB").convert(mode).save(tmp_path / f"{mode}.tif", compression="jpeg", quality=90)
    for name, got in all_resized(tmp_path, "--width", "0").items():
        assert worst(got, Image.open(tmp_path / f"{name}.tif").convert("L" if name == "L" else "RGB")) <= 3, name


def test_luma_and_chroma_without_jpeg_are_read_and_lab_is_refused(photo, tmp_path):
    photo.convert("RGB").convert("YCbCr").save(tmp_path / "ycc.tif")
    resize(tmp_path / "ycc.tif", tmp_path / "a.png", "--width", "0")
    assert worst(Image.open(tmp_path / "a.png"), photo.convert("RGB")) <= 4
    ImageCms.profileToProfile(photo.convert("RGB"), ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB").save(tmp_path / "lab.tif")
    assert "L*a*b* (photometric interpretation 8) are not supported; save it as RGB" in resize(tmp_path / "lab.tif", tmp_path / "b.png", code=1)


def test_every_orientation(photo, tmp_path):
    for orientation in range(1, 9):
        photo.convert("RGB").save(tmp_path / f"{orientation}.tif", tiffinfo={274: orientation})
    for name, got in all_resized(tmp_path, "--width", "0").items():
        assert worst(got, ImageOps.exif_transpose(Image.open(tmp_path / f"{name}.tif"))) == 0


@pytest.mark.parametrize("effort", ["low", "normal", "high"])
def test_what_is_written_is_read_by_others_and_by_us(photo, tmp_path, effort):
    for mode in ("L", "LA", "RGB", "RGBA"):
        photo.convert(mode).resize((450, 350)).save(tmp_path / f"{mode}.png")
    for mode, got in all_resized(tmp_path, "--width", "0", "--effort", effort, kind="png", to="tiff").items():
        assert (got.format, got.mode, got.info["compression"]) == ("TIFF", mode, "tiff_adobe_deflate")
        assert worst(shown(got), shown(Image.open(tmp_path / f"{mode}.png"))) == 0
        got.save(tmp_path / f"{mode}.png")
    for path in (tmp_path / "out").iterdir():
        path.rename(tmp_path / path.name)
    for mode, back in all_resized(tmp_path, "--width", "0").items():
        assert worst(back, Image.open(tmp_path / f"{mode}.tif")) == 0


def test_the_profile_is_kept_when_asked_and_the_rest_goes(photo, tmp_path):
    photo.convert("RGB").save(tmp_path / "a.tif", icc_profile=SRGB, tiffinfo={274: 6, 270: "secret words", 315: "secret artist", 700: b"secret xmp"})
    resize(tmp_path / "a.tif", tmp_path / "b.tif", "--width", "0", "--colour", "keep")
    got = Image.open(tmp_path / "b.tif")
    assert got.info["icc_profile"] == SRGB and b"secret" not in (tmp_path / "b.tif").read_bytes()
    assert worst(got, ImageOps.exif_transpose(Image.open(tmp_path / "a.tif"))) == 0
    resize(tmp_path / "a.tif", tmp_path / "c.tif", "--width", "0")
    plain = Image.open(tmp_path / "c.tif")
    assert "icc_profile" not in plain.info and plain.getexif().get(274, 1) == 1 and b"secret" not in (tmp_path / "c.tif").read_bytes()


def test_keep_writes_a_tiff(photo, tmp_path):
    photo.save(tmp_path / "a.tif")
    made = all_resized(tmp_path, "--width", "100", to="keep")["a"]
    assert (made.format, made.size, made.mode) == ("TIFF", (100, 64), "RGBA")


def patched(data, tag, kind, value):
    """The little-endian TIFF with another value in an entry of its first directory."""
    at = struct.unpack_from("<I", data, 4)[0]
    for i in range(struct.unpack_from("<H", data, at)[0]):
        entry = at + 2 + 12 * i
        if struct.unpack_from("<H", data, entry)[0] == tag:
            return data[:entry + 2] + struct.pack("<HII", kind, 1, value) + data[entry + 12:]
    raise AssertionError(tag)


@pytest.mark.parametrize("tag,value,code,words", [
    (259, 34676, "unsupported-format", "compression 34676"), (262, 32803, "unsupported-format", "photometric"), (258, 32, "unsupported-format", "32 bits"),
    (258, 0, "corrupt-image", ""), (256, 0, "corrupt-image", "0x151"), (256, 70000, "too-many-pixels", "70000"), (257, 65536, "too-many-pixels", "65536"),
    (257, 0xffffffff, "too-many-pixels", "")])
def test_refusals_say_why(photo, tmp_path, tag, value, code, words):
    out = io.BytesIO()
    photo.convert("L").save(out, "TIFF", compression="tiff_lzw")
    (tmp_path / "a.tif").write_bytes(patched(out.getvalue(), tag, 4 if value > 65535 else 3, value))
    said = resize(tmp_path / "a.tif", tmp_path / "a.png", code=1)
    assert code in said and words in said and len(said.splitlines()) == 1, said


def test_a_camera_s_raw_file_is_no_picture(photo, tmp_path):
    photo.convert("RGB").save(tmp_path / "a.tif", tiffinfo={254: 1})
    data = (tmp_path / "a.tif").read_bytes()
    resize(tmp_path / "a.tif", tmp_path / "ok.png")
    photo.convert("RGB").save(tmp_path / "a.tif", tiffinfo={50706: b"\1\4\0\0"})
    assert "raw file" in resize(tmp_path / "a.tif", tmp_path / "a.png", code=1)
    (tmp_path / "b.tif").write_bytes(b"II*\0\x10\0\0\0CR\2\0" + data[12:])
    assert "not a picture" in resize(tmp_path / "b.tif", tmp_path / "b.png", code=1)
