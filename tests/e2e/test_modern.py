"""AVIF, HEIC and JPEG XL from outside: against Pillow where it knows them (AVIF), by small files and round trips where it does not."""
import io
import pathlib
import struct
import subprocess

import pytest
from conftest import PROGRAM
from PIL import Image, ImageChops, ImageOps
from test_pictures import psnr

ROOT = pathlib.Path(__file__).resolve().parents[2]
HEIC = ROOT / "tests/fuzz/corpus/heif"
RED, GREEN, BLUE, WHITE = (200, 30, 30), (30, 160, 60), (40, 60, 200), (255, 255, 255)


def resize(*arguments, code=0):
    done = subprocess.run([PROGRAM, "resize", *map(str, arguments)], capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stderr
    return done.stderr


@pytest.fixture(scope="module")
def photo():
    return ImageOps.exif_transpose(Image.open(ROOT / "samples/sea-sunset.jpg")).convert("RGB").resize((437, 311))


def as_png(tmp_path, source, *arguments):
    resize("--width", "0", *arguments, source, tmp_path / "out.png")
    return Image.open(tmp_path / "out.png")


def near(pixel, colour, distance=8):
    return all(abs(a - b) <= distance for a, b in zip(pixel, colour))


def quarters(image):
    image = image.convert("RGB")
    return [image.getpixel((x, y)) for y in (image.height // 4, image.height * 3 // 4) for x in (image.width // 4, image.width * 3 // 4)]


@pytest.mark.parametrize("options", [{}, {"subsampling": "4:4:4"}, {"subsampling": "4:2:2"}, {"range": "limited"}, {"subsampling": "4:0:0"}])
def test_avif_is_read_as_pillow_reads_it(photo, tmp_path, options):
    photo.save(tmp_path / "a.avif", quality=90, speed=10, **options)
    assert psnr(Image.open(tmp_path / "a.avif").convert("RGB"), as_png(tmp_path, tmp_path / "a.avif").convert("RGB")) > 42


def test_avif_with_alpha(photo, tmp_path):
    image = photo.convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    image.save(tmp_path / "a.avif", quality=90, speed=10)
    got = as_png(tmp_path, tmp_path / "a.avif")
    assert got.mode == "RGBA"
    assert ImageChops.difference(got.getchannel("A"), Image.open(tmp_path / "a.avif").getchannel("A")).getextrema()[1] <= 1
    resize("--width", "200", tmp_path / "a.avif", tmp_path / "b.jpg")
    assert near(Image.open(tmp_path / "b.jpg").getpixel((100, 0)), (255, 255, 255), 14)  # transparent above: the background


@pytest.mark.parametrize("orientation", range(1, 9))
def test_avif_is_upright_whichever_way_it_is_stored(tmp_path, orientation):
    image = Image.new("RGB", (96, 64), WHITE)
    for at, colour in [((0, 0), RED), ((48, 0), GREEN), ((0, 32), BLUE)]:
        image.paste(colour, (*at, at[0] + 48, at[1] + 32))
    exif = Image.Exif()
    exif[0x0112] = orientation
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(jpeg_of(image, exif))))
    image.save(tmp_path / "a.avif", quality=95, speed=10, exif=exif)  # Pillow says it by irot and imir, and takes it out of `exif`
    got = as_png(tmp_path, tmp_path / "a.avif")
    assert got.size == upright.size
    assert all(near(a, b, 12) for a, b in zip(quarters(got), quarters(upright)))


def jpeg_of(image, exif):
    out = io.BytesIO()
    image.save(out, "JPEG", quality=98, subsampling=0, exif=exif)
    return out.getvalue()


@pytest.mark.parametrize("effort", ["low", "normal", "high"])
def test_avif_is_written_smaller_than_jpeg_and_as_good(photo, tmp_path, effort):
    photo.save(tmp_path / "a.png")
    resize("--width", "0", "--effort", effort, tmp_path / "a.png", tmp_path / "b.avif")
    resize("--width", "0", tmp_path / "a.png", tmp_path / "b.jpg")
    out = Image.open(tmp_path / "b.avif")
    assert (out.format, out.size) == ("AVIF", photo.size)
    assert psnr(photo, out.convert("RGB")) > psnr(photo, Image.open(tmp_path / "b.jpg").convert("RGB")) - 1.5
    assert (tmp_path / "b.avif").stat().st_size < (tmp_path / "b.jpg").stat().st_size * 0.85


@pytest.mark.parametrize("extension", ["avif", "jxl"])
def test_lossless_is_exact(photo, tmp_path, extension):
    image = photo.convert("RGBA").crop((0, 0, 151, 99))
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    image.save(tmp_path / "a.png")
    resize("--width", "0", "--lossless", "--effort", "low", tmp_path / "a.png", tmp_path / f"b.{extension}")
    got = as_png(tmp_path, tmp_path / f"b.{extension}")
    assert ImageChops.difference(got.getchannel("A"), image.getchannel("A")).getbbox() is None
    shown = image.getchannel("A").point(lambda a: 255 if a else 0)
    blank = Image.new("RGB", image.size)
    assert ImageChops.difference(Image.composite(got.convert("RGB"), blank, shown), Image.composite(image.convert("RGB"), blank, shown)).getbbox() is None


def test_jxl_is_near_at_every_quality(photo, tmp_path):
    photo.save(tmp_path / "a.png")
    sizes = []
    for quality, least in [(30, 26), (80, 34), (95, 40)]:
        resize("--width", "0", "--quality", quality, tmp_path / "a.png", tmp_path / "b.jxl")
        assert psnr(photo, as_png(tmp_path, tmp_path / "b.jxl").convert("RGB")) > least
        sizes.append((tmp_path / "b.jxl").stat().st_size)
    assert sizes == sorted(sizes)


def test_animation_goes_through_avif_and_jxl(tmp_path):
    frames = [Image.new("RGB", (64, 48), colour) for colour in (RED, GREEN, BLUE)]
    frames[0].save(tmp_path / "a.avif", save_all=True, append_images=frames[1:], duration=[100, 250, 400], speed=10)
    resize("--width", "32", tmp_path / "a.avif", tmp_path / "b.jxl")
    resize("--width", "0", tmp_path / "b.jxl", tmp_path / "c.avif")
    out = Image.open(tmp_path / "c.avif")
    assert (out.n_frames, out.size) == (3, (32, 24))
    for i, (colour, duration) in enumerate(zip((RED, GREEN, BLUE), (100, 250, 400))):
        out.seek(i)
        out.load()
        assert out.info["duration"] == duration and near(out.convert("RGB").getpixel((16, 12)), colour, 10)
    resize("--width", "0", tmp_path / "c.avif", tmp_path / "d.jpg")  # the first alone, where there is no more room
    assert near(Image.open(tmp_path / "d.jpg").getpixel((16, 12)), RED, 10)


# Linear light of Display P3 and of BT.2020 to that of sRGB, as every table of colour spaces has them.
TO_SRGB = {1: [(1, 0, 0), (0, 1, 0), (0, 0, 1)], 12: [(1.2249, -0.2247, 0), (-0.0420, 1.0419, 0), (-0.0197, -0.0786, 1.0979)],
           9: [(1.6605, -0.5876, -0.0728), (-0.1246, 1.1329, -0.0083), (-0.0182, -0.1006, 1.1187)]}


def srgb_of(pixel, primaries):
    linear = [(v / 255 / 12.92) if v <= 10 else ((v / 255 + 0.055) / 1.055) ** 2.4 for v in pixel]
    light = [sum(a * b for a, b in zip(row, linear)) for row in TO_SRGB[primaries]]
    return [round(255 * (1.055 * max(v, 0) ** (1 / 2.4) - 0.055)) for v in light]


@pytest.mark.parametrize("primaries", TO_SRGB)
def test_colours_by_number_are_turned_right(tmp_path, primaries):
    """nclx alone, without a profile: the numbers of a file that we wrote are changed in it."""
    colour = (150, 120, 100)
    Image.new("RGB", (64, 48), colour).save(tmp_path / "a.png")
    resize("--width", "0", "--lossless", tmp_path / "a.png", tmp_path / "a.avif")
    data = bytearray((tmp_path / "a.avif").read_bytes())
    at = data.index(b"nclx") + 4
    data[at:at + 4] = struct.pack(">HH", primaries, 13)
    (tmp_path / "b.avif").write_bytes(data)
    got = as_png(tmp_path, tmp_path / "b.avif").convert("RGB").getpixel((5, 5))
    assert near(got, srgb_of(colour, primaries), 1)
    assert primaries == 1 or not near(got, colour, 1)


@pytest.mark.parametrize("nits,light", [(0, 0), (20, 20 / 203), (80, 80 / 203), (1000, 1), (4000, 1)])
def test_hdr_is_toned_down(tmp_path, nits, light):
    """PQ (SMPTE ST 2084): up to half of diffuse white as it is, 1000 cd/m2 and more are white."""
    p = (nits / 10000) ** 0.1593017578125
    grey = round(255 * ((0.8359375 + 18.8515625 * p) / (1 + 18.6875 * p)) ** 78.84375)
    Image.new("RGB", (64, 48), (grey, grey, grey + 1 if grey < 255 else 254)).save(tmp_path / "a.png")  # almost: grey would have one channel
    resize("--width", "0", "--lossless", tmp_path / "a.png", tmp_path / "a.avif")
    data = bytearray((tmp_path / "a.avif").read_bytes())
    at = data.index(b"nclx") + 4
    data[at:at + 4] = struct.pack(">HH", 9, 16)
    (tmp_path / "b.avif").write_bytes(data)
    wanted = 255 * (1.055 * light ** (1 / 2.4) - 0.055) if light > 0.0031308 else 255 * 12.92 * light
    assert abs(as_png(tmp_path, tmp_path / "b.avif").convert("RGB").getpixel((5, 5))[1] - wanted) <= 3


@pytest.mark.parametrize("name,size,colours", [("turned.heic", (64, 96), None), ("grid.heic", (120, 60), [RED, GREEN, BLUE, WHITE]),
                                                ("alpha.heic", (96, 64), [RED, GREEN, BLUE, WHITE])])
def test_heic_is_what_people_see(tmp_path, name, size, colours):
    got = as_png(tmp_path, HEIC / name)
    assert got.size == size and (got.mode == "RGBA") == (name == "alpha.heic")
    assert not colours or all(near(a, b) for a, b in zip(quarters(got), colours))


def test_damage_is_told_by_name(tmp_path):
    whole = (HEIC / "turned.heic").read_bytes()
    (tmp_path / "a.heic").write_bytes(whole[:-60])
    assert "truncated-image" in resize(tmp_path / "a.heic", tmp_path / "b.jpg", code=1)
    at = whole.index(b"ispe") + 8
    (tmp_path / "a.heic").write_bytes(whole[:at] + struct.pack(">II", 60000, 60000) + whole[at + 8:])
    assert "too-many-pixels" in resize(tmp_path / "a.heic", tmp_path / "b.jpg", code=1)
    assert not (tmp_path / "b.jpg").exists()
    assert "heif" in resize(HEIC / "grid.heic", tmp_path / "b.heic", code=2)  # not written


def test_the_service_takes_them_all(service, photo, tmp_path):
    photo.save(tmp_path / "a.avif", quality=80, speed=10)
    resize("--width", "0", tmp_path / "a.avif", tmp_path / "a.jxl")
    for key, path, form, size in [("modern/a.avif", tmp_path / "a.avif", "avif", photo.size), ("modern/b.jxl", tmp_path / "a.jxl", "jxl", photo.size),
                                  ("modern/c.heic", HEIC / "grid.heic", "heif", (120, 60))]:
        service.s3.put_object(Bucket="source-bucket", Key=key, Body=path.read_bytes())
        record = service.wait_record(key)
        assert record["Status"] == "done" and record["Format"] == form, record
        name = key.rsplit("/", 1)[1].split(".")[0]
        out = Image.open(io.BytesIO(service.s3.get_object(Bucket="processed-bucket", Key=f"modern/processed-{name}.jpg")["Body"].read()))
        assert (out.format, out.size) == ("JPEG", size)


def test_a_heic_of_12_bits_in_wide_colours_has_no_bands(tmp_path):
    """deep.heic: a gradient in Display P3, without loss. Rounded to 8 bits first, its red would leave levels out, two at a time."""
    row = as_png(tmp_path, HEIC / "deep.heic").crop((0, 3, 1024, 4))
    for band in row.split():
        values = list(band.get_flattened_data())
        assert max(abs(a - b) for a, b in zip(values, values[1:])) == 1
    resize("--width", "300", "--colour", "keep", HEIC / "deep.heic", tmp_path / "kept.png")
    assert Image.open(tmp_path / "kept.png").info["icc_profile"]


def test_a_grey_heic_stays_grey(tmp_path):
    got = as_png(tmp_path, HEIC / "grey.heic")
    assert got.mode == "L" and got.size == (64, 48)
    assert all(abs(got.getpixel((x, y)) - (3 * x + 2 * y) % 256) <= 12 for x, y in [(5, 5), (20, 30), (50, 10)])
    assert as_png(tmp_path, HEIC / "alpha.heic").mode == "RGBA" and as_png(tmp_path, HEIC / "grid.heic").mode != "L"


def test_a_sequence_of_hevc_without_a_still_is_refused_by_name(tmp_path):
    def box(kind, content):
        return struct.pack(">I", 8 + len(content)) + kind + content
    (tmp_path / "a.heics").write_bytes(box(b"ftyp", b"hevc\0\0\0\0hevcmsf1") + box(b"moov", box(b"mvhd", bytes(100))) + box(b"mdat", bytes(100)))
    said = resize(tmp_path / "a.heics", tmp_path / "b.png", code=1)
    assert "unsupported-format" in said and "an image sequence without a still" in said


def test_a_jpeg_xl_in_inks_becomes_the_colours_of_its_profile(tmp_path):
    """cmyk.jxl: ramps of all four inks, 64x32, without loss, in the colours of test_colour's press. There, as in every JPEG XL, 0 is full ink."""
    from test_colour import differences, inks, mean, reference
    source = Image.new("CMYK", (64, 32))
    source.putdata([(255 - i % 64 * 4, i % 64 * 4, 255 - i // 64 * 8, i // 64 * 4) for i in range(64 * 32)])
    wanted = reference(source, inks(), 64)
    for mode in ("srgb", "keep"):  # no output holds inks
        ours = as_png(tmp_path, ROOT / "tests/fuzz/corpus/jxl/cmyk.jxl", "--colour", mode)
        assert ours.mode == "RGB" and "icc_profile" not in ours.info
        assert mean(differences(ours, wanted)) < 0.1
