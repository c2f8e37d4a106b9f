"""Animations and palettes from outside: Pillow makes them and judges what comes out."""
import io
import json
import math
import pathlib
import random
import struct
import subprocess
import zlib

import pytest
from conftest import PROGRAM
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageStat

DURATIONS = [100, 50, 200, 30]


def resize(source, target, *arguments, code=0):
    done = subprocess.run([PROGRAM, "resize", str(source), str(target), *map(str, arguments)], capture_output=True, text=True, timeout=60)
    assert done.returncode == code, done.stderr
    return done


def drawn(count=4, size=(60, 44), background=(0, 0, 0, 0)):
    """A ball that moves, something that comes and goes, something that stays."""
    frames = []
    for i in range(count):
        image = Image.new("RGBA", size, background)
        draw = ImageDraw.Draw(image)
        draw.ellipse((2 + 9 * i, 4 + 3 * i, 20 + 9 * i, 22 + 3 * i), fill=(255, 50 * i, 0, 255))
        if i % 2:
            draw.rectangle((45, 0, 59, 10), fill=(0, 200, 80, 255))
        draw.rectangle((0, 30, 15, 43), fill=(0, 0, 255, 255))
        frames.append(image)
    return frames


def save(path, frames, **options):
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=DURATIONS[:len(frames)], **{"loop": 3, **options})


def played(path):
    """Every frame as it is seen, and how long."""
    image, frames, times = Image.open(path), [], []
    for i in range(image.n_frames):
        image.seek(i)
        frames.append(image.convert("RGBA"))
        times.append(round(image.info.get("duration", 0)))
    return frames, times


def seen(image):
    """Without the colour of what cannot be seen."""
    mask = image.getchannel("A").point(lambda a: 255 if a else 0)
    return Image.composite(image, Image.new("RGBA", image.size), mask)


def same(one, other):
    assert len(one) == len(other)
    return all(ImageChops.difference(seen(a), seen(b)).getchannel("A").getbbox() is None and
               ImageChops.difference(seen(a).convert("RGB"), seen(b).convert("RGB")).getbbox() is None for a, b in zip(one, other))


def psnr(a, b):
    mean = sum(value * value for value in ImageStat.Stat(ImageChops.difference(a.convert("RGB"), b.convert("RGB"))).rms) / 3
    return 99.0 if mean == 0 else 10 * math.log10(255 * 255 / mean)


# ---- GIF ----

@pytest.mark.parametrize("disposal", [0, 1, 2, 3])
@pytest.mark.parametrize("background", [(0, 0, 0, 0), (250, 250, 200, 255)])
def test_gif_frames_are_composed_as_pillow_does(tmp_path, disposal, background):
    frames = drawn(background=background)
    save(tmp_path / "a.gif", frames, disposal=[disposal % 3] + [disposal] * 3)  # Pillow lets a first frame stay that has nothing to restore
    wanted, times = played(tmp_path / "a.gif")
    for name in ("b.gif", "b.png"):
        resize(tmp_path / "a.gif", tmp_path / name, "-w", 0)
        got, got_times = played(tmp_path / name)
        assert same(wanted, got)
        assert times == got_times == DURATIONS
    assert Image.open(tmp_path / "b.gif").info["loop"] == 3
    assert Image.open(tmp_path / "b.png").info["loop"] == 4, "GIF counts repeats, PNG plays"


def test_gif_becomes_smaller_gif_with_its_frames_times_and_loops(tmp_path):
    save(tmp_path / "a.gif", drawn(), disposal=2, loop=0)
    done = resize(tmp_path / "a.gif", tmp_path / "b.gif", "-w", 30, "--json")
    told = json.loads(done.stdout)
    assert (told["format"], told["width"], told["height"]) == ("gif", 30, 22)
    frames, times = played(tmp_path / "b.gif")
    assert (len(frames), times, Image.open(tmp_path / "b.gif").info["loop"]) == (4, DURATIONS, 0)
    wanted = [f.resize((30, 22), Image.LANCZOS) for f in played(tmp_path / "a.gif")[0]]
    for a, b in zip(wanted, frames):
        white = Image.new("RGBA", a.size, "white")
        assert psnr(Image.alpha_composite(white, a), Image.alpha_composite(white, b)) > 20  # half transparency is lost


def test_first_frame_alone(tmp_path):
    save(tmp_path / "a.gif", drawn())
    resize(tmp_path / "a.gif", tmp_path / "b.gif", "-w", 0, "--animated", "false")
    resize(tmp_path / "a.gif", tmp_path / "b.jpg", "-w", 0)
    still = Image.open(tmp_path / "b.gif")
    assert still.n_frames == 1 and same([still.convert("RGBA")], played(tmp_path / "a.gif")[0][:1])
    assert psnr(Image.open(tmp_path / "b.jpg"), Image.alpha_composite(Image.new("RGBA", (60, 44), "white"), drawn()[0])) > 20


@pytest.mark.parametrize("options", [{"interlace": 1}, {"interlace": 0}])
def test_photo_to_gif_and_back(tmp_path, options):
    photo = Image.radial_gradient("L").resize((200, 150)).convert("RGB")
    photo.save(tmp_path / "a.gif", **options)
    resize(tmp_path / "a.gif", tmp_path / "b.png", "-w", 0)
    assert ImageChops.difference(Image.open(tmp_path / "a.gif").convert("RGB"), Image.open(tmp_path / "b.png").convert("RGB")).getbbox() is None


@pytest.mark.parametrize("format", ["gif", "png"])
def test_too_many_frames_are_refused_from_the_header(tmp_path, format):
    frames = [Image.new("RGB", (2, 2), (i % 256, i // 256, 0)) for i in range(1001)]
    frames[0].save(tmp_path / f"a.{format}", save_all=True, append_images=frames[1:], duration=20, optimize=False)
    assert "too-many-frames" in resize(tmp_path / f"a.{format}", tmp_path / "b.gif", code=1).stderr
    resize(tmp_path / f"a.{format}", tmp_path / "b.jpg")  # one frame is not too many
    # Cut in its middle, where frames x pixels would be judged: the walk finds that first.
    whole = (tmp_path / f"a.{format}").read_bytes()
    (tmp_path / "cut").write_bytes(whole[:len(whole) // 2])
    assert "truncated-image" in resize(tmp_path / "cut", tmp_path / "b.jpg", code=1).stderr


def test_frames_times_pixels_are_limited(tmp_path):
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 3000, 2000, 0) + b"\x02\x02\x4c\x01\x00"  # its pixels are missing: nobody looks
    (tmp_path / "a.gif").write_bytes(b"GIF89a" + struct.pack("<HHBBB", 3000, 2000, 0x80, 0, 0) + bytes(6) + 45 * frame + b";")
    assert "too-many-pixels" in resize(tmp_path / "a.gif", tmp_path / "b.gif", code=1).stderr


def test_serve_keeps_an_animation(own_service_gif, tmp_path):
    save(tmp_path / "a.gif", drawn(size=(300, 220)), disposal=2)
    s3 = own_service_gif.s3
    s3.put_object(Bucket="source-bucket", Key="a.gif", Body=(tmp_path / "a.gif").read_bytes(), ContentType="image/gif")
    assert own_service_gif.wait_record("a.gif")["Status"] == "done"
    out = Image.open(io.BytesIO(s3.get_object(Bucket="processed-bucket", Key="processed-a.gif")["Body"].read()))
    assert (out.format, out.size, out.n_frames, out.info["loop"]) == ("GIF", (100, 73), 4, 3)


@pytest.fixture
def own_service_gif(tmp_path, monkeypatch):
    from conftest import Service
    monkeypatch.setenv("PIXMILL_WIDTH", "100")
    monkeypatch.setenv("PIXMILL_FORMAT", "keep")
    monkeypatch.setenv("PIXMILL_NAME", "{dir}processed-{stem}.{ext}")
    service = Service()
    yield service
    service.close()


# ---- APNG ----

def apng(path, size, frames):
    """By the book: frames are (picture, x, y, dispose, blend). Not compressed, so that no output is bigger than it."""
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    def pixels(image):
        raw, row = image.tobytes(), image.width * 4
        return zlib.compress(b"".join(b"\0" + raw[at:at + row] for at in range(0, len(raw), row)), 0)

    data, sequence = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 6, 0, 0, 0)), 0
    data += chunk(b"acTL", struct.pack(">II", len(frames), 2))
    for image, x, y, dispose, blend in frames:
        data += chunk(b"fcTL", struct.pack(">IIIIIHHBB", sequence, *image.size, x, y, 1, 25, dispose, blend))
        sequence += 1
        if image is frames[0][0]:
            data += chunk(b"IDAT", pixels(image))
        else:
            data += chunk(b"fdAT", struct.pack(">I", sequence) + pixels(image))
            sequence += 1
    path.write_bytes(data + chunk(b"IEND", b""))


def composed(size, frames):
    """The specification's words in Python: APNG's dispose and blend."""
    canvas, shown = Image.new("RGBA", size), []
    for index, (image, x, y, dispose, blend) in enumerate(frames):
        before = canvas.copy()
        region = canvas.crop((x, y, x + image.width, y + image.height))
        canvas.paste(Image.alpha_composite(region, image) if blend else image, (x, y))
        shown.append(canvas.copy())
        if dispose == 1 or (dispose == 2 and index == 0):
            canvas.paste((0, 0, 0, 0), (x, y, x + image.width, y + image.height))
        elif dispose == 2:
            canvas = before
    return shown


def patch(seed, size, alphas):
    image = Image.new("RGBA", size)
    image.putdata([(x // 9 * 50, y // 9 * 60, seed * 40, alphas[(x // 4 + y // 3 + seed) % len(alphas)]) for y in range(size[1]) for x in range(size[0])])
    return image


@pytest.mark.parametrize("dispose", [0, 1, 2])
@pytest.mark.parametrize("blend", [0, 1])
@pytest.mark.parametrize("alphas", [(255,), (0, 255), (0, 60, 170, 255)])
def test_apng_frames_are_composed_by_the_book(tmp_path, dispose, blend, alphas):
    frames = [(patch(0, (40, 30), alphas), 0, 0, dispose, blend), (patch(1, (20, 10), alphas), 5, 6, dispose, blend), (patch(2, (11, 17), alphas), 29, 13, 0, blend),
              (patch(3, (30, 22), alphas), 0, 8, dispose, blend), (patch(4, (1, 1), alphas), 39, 29, 1, 1 - blend), (patch(5, (40, 9), alphas), 0, 21, 0, 0)]
    apng(tmp_path / "a.png", (40, 30), frames)
    wanted = composed((40, 30), frames)
    resize(tmp_path / "a.png", tmp_path / "b.png", "-w", 0)
    got, times = played(tmp_path / "b.png")
    assert times == [40] * 6 and Image.open(tmp_path / "b.png").info["loop"] == 2
    near = 0 if len(alphas) < 4 else 2  # of what is half transparent: roundings
    for a, b in zip(wanted, got):
        assert max(high for low, high in ImageChops.difference(seen(a), seen(b)).getextrema()) <= near
    if near == 0:
        resize(tmp_path / "a.png", tmp_path / "b.gif", "-w", 0)
        assert same(wanted, played(tmp_path / "b.gif")[0])
        if dispose != 2:  # Pillow's idea of what comes back is another
            assert same(wanted, played(tmp_path / "a.png")[0])


@pytest.mark.parametrize("mode", ["RGB", "L", "LA", "P", "1"])
def test_apng_of_every_colour_type(tmp_path, mode):
    frames = [f.convert("RGB").convert(mode) for f in drawn(background=(9, 9, 9, 255))]
    if mode == "P":
        palette = drawn(background=(9, 9, 9, 255))[3].convert("RGB").quantize(16)
        frames = [f.convert("RGB").quantize(palette=palette, dither=Image.Dither.NONE) for f in drawn(background=(9, 9, 9, 255))]
    save(tmp_path / "a.png", frames, compress_level=0)
    wanted, times = played(tmp_path / "a.png")
    resize(tmp_path / "a.png", tmp_path / "b.png", "-w", 0)
    resize(tmp_path / "a.png", tmp_path / "b.gif", "-w", 0)
    assert times == played(tmp_path / "b.png")[1] == played(tmp_path / "b.gif")[1] == DURATIONS
    assert same(wanted, played(tmp_path / "b.png")[0]) and same(wanted, played(tmp_path / "b.gif")[0])
    assert (Image.open(tmp_path / "b.png").info["loop"], Image.open(tmp_path / "b.gif").info["loop"]) == (3, 2), "PNG counts plays, GIF repeats"


def test_apng_scaled_keeps_alpha_frames_and_times(tmp_path):
    save(tmp_path / "a.png", drawn(size=(120, 88)), blend=1, disposal=1)
    resize(tmp_path / "a.png", tmp_path / "b.png", "-w", 60)
    frames, times = played(tmp_path / "b.png")
    assert times == DURATIONS and frames[0].size == (60, 44)
    for a, b in zip(played(tmp_path / "a.png")[0], frames):
        assert ImageChops.difference(a.resize((60, 44), Image.LANCZOS).getchannel("A"), b.getchannel("A")).getextrema()[1] < 20


@pytest.mark.parametrize("what,code", [("claims", "corrupt-image"), ("sequence", "corrupt-image"), ("outside", "corrupt-image")])
def test_apng_that_contradicts_itself_is_refused(tmp_path, what, code):
    frames = [(patch(i, (20, 20), (255,)), 0 if what != "outside" or i == 0 else 5, 0, 0, 0) for i in range(3)]
    apng(tmp_path / "a.png", (20, 20), frames)
    data = (tmp_path / "a.png").read_bytes()
    if what == "claims":
        data = data.replace(struct.pack(">II", 3, 2) + struct.pack(">I", zlib.crc32(b"acTL" + struct.pack(">II", 3, 2))),
                            struct.pack(">II", 4, 2) + struct.pack(">I", zlib.crc32(b"acTL" + struct.pack(">II", 4, 2))))
    if what == "sequence":
        at = data.index(b"fdAT")
        count, = struct.unpack(">I", data[at - 4:at])
        body = b"fdAT" + struct.pack(">I", 7) + data[at + 8:at + 4 + count]
        data = data[:at] + body + struct.pack(">I", zlib.crc32(body)) + data[at + 8 + count:]
    (tmp_path / "a.png").write_bytes(data)
    assert code in resize(tmp_path / "a.png", tmp_path / "b.gif", code=1).stderr


def test_apng_with_a_still_of_its_own(tmp_path):
    still = Image.new("RGBA", (60, 44), (1, 2, 3, 255))
    still.save(tmp_path / "a.png", save_all=True, append_images=drawn(), default_image=True, duration=DURATIONS)
    resize(tmp_path / "a.png", tmp_path / "b.png", "-w", 0, "--animated", "false")
    resize(tmp_path / "a.png", tmp_path / "b.jpg", "-w", 0)
    assert Image.open(tmp_path / "b.png").convert("RGBA").getpixel((30, 30)) == (1, 2, 3, 255)
    assert max(Image.open(tmp_path / "b.jpg").getpixel((30, 30))) < 8
    resize(tmp_path / "a.png", tmp_path / "c.png", "-w", 0)
    assert same(played(tmp_path / "c.png")[0], drawn())


# ---- palettes ----

def photo():
    """Gradients, edges and grain, 320x240."""
    noise = Image.frombytes("RGB", (320, 240), random.Random(7).randbytes(320 * 240 * 3))
    radial = Image.radial_gradient("L").resize((320, 240))
    linear = Image.linear_gradient("L").resize((320, 240))
    smooth = Image.merge("RGB", (radial, linear, ImageChops.invert(radial).rotate(30)))
    image = Image.blend(smooth, noise, 0.05)
    ImageDraw.Draw(image).ellipse((40, 60, 120, 140), fill=(230, 180, 40))
    return image


@pytest.mark.parametrize("name", ["sea-sunset.jpg", "tür/kurve.png"])
def test_palette_is_not_worse_than_pillows(tmp_path, name):
    image = Image.open(pathlib.Path(__file__).resolve().parents[2] / "samples" / name).convert("RGB")
    image.thumbnail((320, 320))
    image.save(tmp_path / "a.png")
    resize(tmp_path / "a.png", tmp_path / "b.png", "-w", 0, "--palette")
    got = Image.open(tmp_path / "b.png")
    assert got.mode == "P" and len(got.getcolors()) <= 256
    assert psnr(image, got) > psnr(image, image.quantize()) - 1, "dithered, against Pillow's without"
    blur = lambda i: i.convert("RGB").filter(ImageFilter.GaussianBlur(1.5))  # what an eye does
    assert psnr(blur(image), blur(got)) > psnr(blur(image), blur(image.quantize())) + 1
    resize(tmp_path / "a.png", tmp_path / "c.png", "-w", 0)
    assert (tmp_path / "b.png").stat().st_size < (tmp_path / "c.png").stat().st_size / 1.5


@pytest.mark.parametrize("colours,bits", [(2, 1), (3, 2), (4, 2), (5, 4), (16, 4), (17, 8), (256, 8)])
@pytest.mark.parametrize("options", [["--palette"], []])
def test_few_colours_are_kept_exactly_in_few_bits(tmp_path, colours, bits, options):
    image = Image.new("RGBA", (64, 32))
    image.putdata([((i % colours) * 37 % 256, (i % colours) // 7 * 50 % 256, i % colours, 255 if i % colours else 0) for i in range(64 * 32)])
    image.save(tmp_path / "a.png", compress_level=0)
    resize(tmp_path / "a.png", tmp_path / "b.png", "-w", 0, *options)
    data = (tmp_path / "b.png").read_bytes()
    assert not options or (data[25], data[24]) == (3, bits), "a palette, with so many bits"
    assert same([image], [Image.open(tmp_path / "b.png").convert("RGBA")])


def test_a_palette_is_found_where_it_costs_nothing(tmp_path):
    for image in (drawn()[0], drawn(background=(9, 9, 9, 255))[1].convert("RGB")):
        image.save(tmp_path / "a.png")
        resize(tmp_path / "a.png", tmp_path / "b.png", "-w", 0)
        resize(tmp_path / "a.png", tmp_path / "c.png", "-w", 0, "--effort", "low")
        assert ((tmp_path / "b.png").read_bytes()[25], (tmp_path / "c.png").read_bytes()[25]) == (3, 6 if image.mode == "RGBA" else 2)
        assert (tmp_path / "b.png").stat().st_size < (tmp_path / "c.png").stat().st_size
        assert same([image.convert("RGBA")], [Image.open(tmp_path / "b.png").convert("RGBA")])


def test_palette_keeps_half_transparency(tmp_path):
    image = photo().convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    image.save(tmp_path / "a.png")
    resize(tmp_path / "a.png", tmp_path / "b.png", "-w", 0, "--palette")
    got = Image.open(tmp_path / "b.png").convert("RGBA")
    assert psnr(got.getchannel("A").convert("RGB"), image.getchannel("A").convert("RGB")) > 25
    assert got.getpixel((3, 0))[3] == 0


def test_low_effort_looks_for_no_palette(tmp_path):
    Image.new("RGB", (64, 64), "red").save(tmp_path / "a.png")
    resize(tmp_path / "a.png", tmp_path / "b.png", "-w", 32, "--effort", "low")
    resize(tmp_path / "a.png", tmp_path / "c.png", "-w", 32)
    assert Image.open(tmp_path / "b.png").mode == "RGB"
    assert (tmp_path / "c.png").stat().st_size <= (tmp_path / "b.png").stat().st_size


# ---- cleaning ----

def test_gif_is_cleaned_of_comments_and_unknown_applications(tmp_path):
    frames = drawn(background=(250, 250, 200, 255))
    save(tmp_path / "a.gif", frames, optimize=True)
    data = (tmp_path / "a.gif").read_bytes()
    at = 13 + 3 * (2 << (data[10] & 7))
    secret = b"\x21\xfe\x0bGPS 47.1 8.5\x00".replace(b"\x0b", b"\x0c")
    secret += b"\x21\xff\x0bXMP DataXMP\x06secret\x00"
    (tmp_path / "b.gif").write_bytes(data[:at] + secret + data[at:])
    resize(tmp_path / "b.gif", tmp_path / "c.gif", "-w", 0)
    out = (tmp_path / "c.gif").read_bytes()
    assert b"GPS" not in out and b"secret" not in out and b"NETSCAPE2.0" in out
    assert same(played(tmp_path / "a.gif")[0], played(tmp_path / "c.gif")[0])
