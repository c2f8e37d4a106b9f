"""Crop, rotate, position, sharpen and the canvas, against the same done by Pillow on the upright picture."""
import json
import math
import os
import random
import subprocess

import pytest
from PIL import Image, ImageChops, ImageDraw, ImageOps, ImageStat

PIXMILL = os.path.abspath(os.environ.get("PIXMILL", "build/pixmill"))
POINTS = {"centre": (.5, .5), "top": (.5, 0), "bottom": (.5, 1), "left": (0, .5), "right": (1, .5), "top-left": (0, 0),
          "top-right": (1, 0), "bottom-left": (0, 1), "bottom-right": (1, 1)}
# How an upright picture is stored, so that orientation N makes it upright again.
STORE = {1: None, 2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
         5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE, 8: Image.Transpose.ROTATE_270}
CLOCKWISE = {"90": Image.Transpose.ROTATE_270, "180": Image.Transpose.ROTATE_180, "270": Image.Transpose.ROTATE_90}


def run(*arguments, code=0):
    done = subprocess.run([PIXMILL, "resize", *map(str, arguments)], capture_output=True, timeout=60)
    assert done.returncode == code, done.stderr.decode()
    return done


def picture(width, height, mode="RGB"):
    """Something else at every place, at a few scales, the same each time."""
    image = Image.new(mode, (width, height))
    image.putdata([tuple(int(127 + 70 * math.sin(x * .11 * (c + 1) + y * .05) + 50 * math.cos(y * .09 * (c + 2) - x * .03)) for c in range(3))
                   + ((int(255 * x / width),) if mode == "RGBA" else ()) for y in range(height) for x in range(width)])
    return image


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """picture(90, 60) stored in every orientation."""
    path = tmp_path_factory.mktemp("orientations")
    (path / "in").mkdir()
    for orientation, how in STORE.items():
        exif = Image.Exif()
        exif[0x0112] = orientation
        stored = picture(90, 60) if how is None else picture(90, 60).transpose(how)
        stored.save(path / f"in/{orientation}.png", exif=exif)
    return path


def outputs(folder, *options):
    """What every orientation becomes, as people see it."""
    run(folder / "in", folder / "out", "--name", "{stem}.png", "--format", "png", *options)
    made = {}
    for orientation in STORE:
        image = Image.open(folder / f"out/{orientation}.png")
        assert image.getexif().get(0x0112, 1) == (orientation if ("--rotate", "none") in zip(options, options[1:]) else 1)
        made[orientation] = ImageOps.exif_transpose(image)
    return made


def psnr(a, b):
    assert a.size == b.size and a.mode == b.mode
    error = sum(ImageStat.Stat(ImageChops.difference(a, b)).sum2) / (a.size[0] * a.size[1] * len(a.getbands()))
    return 99 if error == 0 else 10 * math.log10(255 ** 2 / error)


@pytest.mark.parametrize("rotate", ["auto", "none"])
@pytest.mark.parametrize("position", POINTS)
def test_cover_shows_that_part_of_every_orientation(folder, position, rotate):
    upright, (across, down) = picture(90, 60), POINTS[position]
    for width, height in [(33, 60), (90, 25)]:  # as they are: exact
        left, top = int((90 - width) * across), int((60 - height) * down)
        for made in outputs(folder, "--width", width, "--height", height, "--fit", "cover", "--position", position, "--rotate", rotate).values():
            assert made.tobytes() == upright.crop((left, top, left + width, top + height)).tobytes()
    for width, height in [(20, 30), (45, 10)]:  # at half the size: as well as resampling is
        part = (width * 2, height * 2)
        left, top = (90 - part[0]) * across, (60 - part[1]) * down
        wanted = upright.resize((width, height), Image.Resampling.LANCZOS, (left, top, left + part[0], top + part[1]))
        for made in outputs(folder, "--width", width, "--height", height, "--fit", "cover", "--position", position, "--rotate", rotate).values():
            assert psnr(made, wanted) > 45


@pytest.mark.parametrize("rotate", ["auto", "none"])
@pytest.mark.parametrize("position", [*POINTS, "attention"])
def test_contain_lays_the_picture_there_on_its_canvas(folder, position, rotate):
    across, down = POINTS.get(position, (.5, .5))
    for width, height in [(121, 60), (90, 83)]:
        wanted = Image.new("RGB", (width, height), (10, 200, 30))
        wanted.paste(picture(90, 60), (int((width - 90) * across), int((height - 60) * down)))
        for made in outputs(folder, "--width", width, "--height", height, "--fit", "contain", "--background", "#0ac81e", "--position", position,
                            "--rotate", rotate).values():
            # padding is where the layout says, in the stored rows too
            assert made.tobytes() == wanted.tobytes()


@pytest.mark.parametrize("rotate", ["auto", "none", "90", "180", "270"])
@pytest.mark.parametrize("crop,box", [("10,5,40,30", (10, 5, 50, 35)), ("50%,0%,50%,50%", (45, 0, 90, 30)), ("80,50,500,500", (80, 50, 90, 60))])
def test_crop_then_rotate_every_orientation(folder, crop, box, rotate):
    wanted = picture(90, 60).crop(box)
    if rotate in CLOCKWISE:
        wanted = wanted.transpose(CLOCKWISE[rotate])
    for made in outputs(folder, "--width", 0, "--crop", crop, "--rotate", rotate).values():
        assert made.size == wanted.size and made.tobytes() == wanted.tobytes()


@pytest.mark.parametrize("rotate", ["90", "180", "270"])
def test_a_position_is_meant_as_people_see_the_rotated_picture(folder, rotate):
    wanted = picture(90, 60).crop((10, 0, 80, 50)).transpose(CLOCKWISE[rotate])
    wanted = wanted.crop((wanted.width - 30, 0, wanted.width, wanted.height))
    for made in outputs(folder, "--crop", "10,0,70,50", "--rotate", rotate, "--width", 30, "--height", wanted.height, "--fit", "cover",
                        "--position", "right").values():
        assert made.tobytes() == wanted.tobytes()


def test_the_told_size_is_the_one_that_people_see(folder):
    done = run(folder / "in/6.png", folder / "told.png", "--rotate", "90", "--crop", "0%,0%,50%,50%", "--width", 0, "--json")
    told = json.loads(done.stdout)
    assert (told["width"], told["height"]) == (30, 45) == Image.open(folder / "told.png").size
    assert (told["source_width"], told["source_height"]) == (90, 60)


def test_a_crop_keeps_what_lies_beside_it_out(tmp_path):
    image = Image.new("RGB", (800, 600), (0, 0, 0))
    image.paste((250, 250, 250), (200, 144, 600, 440))
    image.save(tmp_path / "a.png")
    image.save(tmp_path / "a.jpg", quality=95, subsampling=0)
    run(tmp_path / "a.png", tmp_path / "b.png", "--crop", "200,144,400,296", "--width", 77)
    assert Image.open(tmp_path / "b.png").convert("RGB").getextrema() == ((250, 250),) * 3
    run(tmp_path / "a.jpg", tmp_path / "b.png", "--crop", "200,144,400,296", "--width", 77)  # decoded at a scale
    assert all(low >= 247 for low, high in Image.open(tmp_path / "b.png").convert("RGB").getextrema())


def test_a_small_crop_of_a_large_jpeg_is_decoded_as_finely_as_it_needs(tmp_path):
    picture(1600, 1200).save(tmp_path / "a.jpg", quality=95, subsampling=0)
    run(tmp_path / "a.jpg", tmp_path / "b.png", "--crop", "400,300,200,150", "--width", 200)
    assert psnr(Image.open(tmp_path / "b.png"), Image.open(tmp_path / "a.jpg").crop((400, 300, 600, 450))) > 45


@pytest.mark.parametrize("crop", ["90,0,10,10", "0,60,10,10"])
def test_a_crop_beside_the_picture_is_refused(folder, crop):
    done = run(folder / "in/1.png", folder / "refused.png", "--crop", crop, code=1)
    assert b"bad-recipe" in done.stderr and b"90x60" in done.stderr and not (folder / "refused.png").exists()


@pytest.mark.parametrize("options", [("--crop", "1,2,3"), ("--crop", "10%,10,10%,10%"), ("--crop", "0,0,0,5"), ("--crop", "1.5,0,9,9"),
                                     ("--crop", "1,2,3,4,5"), ("--crop", "101%,0%,5%,5%"), ("--rotate", "45"), ("--position", "middle"),
                                     ("--sharpen", "101"), ("--background", "#12345")])
def test_nonsense_is_refused_by_name(folder, options):
    done = run(folder / "in/1.png", folder / "refused.png", *options, code=2)
    assert options[0].encode() in done.stderr


def test_rotate_takes_its_older_words(folder):
    assert outputs(folder, "--rotate", "true")[6].tobytes() == picture(90, 60).tobytes()
    run(folder / "in/6.png", folder / "older.png", "--rotate", "false")
    assert Image.open(folder / "older.png").getexif()[0x0112] == 6


def test_sharpening_leaves_flat_areas_and_makes_an_edge_steeper(tmp_path):
    image = Image.new("RGB", (400, 200), (90, 120, 60))
    image.paste((170, 180, 190), (200, 0, 400, 200))
    image.save(tmp_path / "a.png")
    made = {}
    for strength in (0, 50, 100):
        run(tmp_path / "a.png", tmp_path / "b.png", "--width", 100, "--sharpen", strength)
        made[strength] = Image.open(tmp_path / "b.png").convert("RGB")
        assert made[strength].crop((0, 0, 40, 50)).getextrema() == ((90, 90), (120, 120), (60, 60))
    steps = [max(abs(image.getpixel((x + 1, 25))[0] - image.getpixel((x, 25))[0]) for x in range(99)) for image in made.values()]
    assert steps[0] + 10 < steps[1] < steps[2] - 10


def test_sharpening_keeps_alpha_and_leaves_no_fringe(tmp_path):
    alpha = Image.new("L", (400, 400))
    ImageDraw.Draw(alpha).ellipse((40, 40, 360, 360), fill=255)
    image = Image.new("RGBA", (200, 200), (240, 200, 20, 0))
    image.putalpha(alpha.resize((200, 200), Image.Resampling.BOX))  # one colour, its edge soft
    image.save(tmp_path / "a.png")
    for width, slack in [(200, 6), (60, 20)]:  # scaling alone rounds, and rings
        run(tmp_path / "a.png", tmp_path / "plain.png", "--width", width)
        run(tmp_path / "a.png", tmp_path / "sharp.png", "--width", width, "--sharpen", 100)
        plain, sharp = (Image.open(tmp_path / name).convert("RGBA") for name in ("plain.png", "sharp.png"))
        assert plain.getchannel("A").tobytes() == sharp.getchannel("A").tobytes()
        colours = {sharp.getpixel((x, y)) for y in range(sharp.height) for x in range(sharp.width)}
        assert all(a < 48 or (r > 240 - slack and g > 200 - slack) for r, g, b, a in colours)


def test_contain_is_transparent_where_it_is_to_be(tmp_path):
    picture(40, 20).save(tmp_path / "a.png")
    run(tmp_path / "a.png", tmp_path / "b.png", "--width", 40, "--height", 40, "--fit", "contain", "--background", "transparent")
    made = Image.open(tmp_path / "b.png")
    assert made.mode == "RGBA" and made.getchannel("A").crop((0, 0, 40, 10)).getextrema() == (0, 0)
    assert made.crop((0, 10, 40, 30)).convert("RGB").tobytes() == picture(40, 20).tobytes()
    assert made.getchannel("A").crop((0, 10, 40, 30)).getextrema() == (255, 255)
    run(tmp_path / "a.png", tmp_path / "b.png", "--width", 40, "--height", 40, "--fit", "contain")  # by default it is white
    assert Image.open(tmp_path / "b.png").convert("RGBA").getpixel((0, 0)) == (255, 255, 255, 255)
    run(tmp_path / "a.png", tmp_path / "b.jpg", "--width", 40, "--height", 40, "--fit", "contain", "--background", "transparent")
    assert min(Image.open(tmp_path / "b.jpg").getpixel((20, 2))) > 240  # and where there is no alpha


def test_contain_lays_alpha_over_a_background_with_alpha(tmp_path):
    picture(40, 20, "RGBA").save(tmp_path / "a.png")
    run(tmp_path / "a.png", tmp_path / "b.png", "--width", 40, "--height", 40, "--fit", "contain", "--background", "#ff000080")
    wanted = Image.new("RGBA", (40, 40), (255, 0, 0, 128))
    wanted.alpha_composite(picture(40, 20, "RGBA"), (0, 10))
    made = Image.open(tmp_path / "b.png")
    assert max(high for low, high in ImageChops.difference(made, wanted).getextrema()) <= 2
    run(tmp_path / "a.png", tmp_path / "b.png", "--width", 40, "--height", 40, "--fit", "contain", "--background", "transparent")
    made = Image.open(tmp_path / "b.png").crop((0, 10, 40, 30))
    assert made.getchannel("A").tobytes() == picture(40, 20, "RGBA").getchannel("A").tobytes()


def noisy(box, seed, size=(600, 300)):
    """An even shading, with something going on in the box alone."""
    chance = random.Random(seed)
    image = Image.linear_gradient("L").resize(size)
    image = Image.merge("RGB", [image.point(lambda v, c=c: 60 + v // 3 + c * 20) for c in range(3)])
    draw = ImageDraw.Draw(image)
    for _ in range(120):
        x, y = chance.randrange(box[0], box[2] - 12), chance.randrange(box[1], box[3] - 12)
        draw.ellipse((x, y, x + chance.randrange(4, 12), y + chance.randrange(4, 12)), fill=tuple(chance.randrange(256) for _ in range(3)))
    return image


def test_attention_finds_the_half_with_the_detail(tmp_path):
    right = 0
    for seed in range(12):
        second, wide = seed % 2, seed % 4 < 2
        image = noisy((300 * second, 0, 300 * second + 300, 300), seed)
        scaled = image.resize((200, 100), Image.Resampling.LANCZOS)
        if not wide:
            image = image.transpose(Image.Transpose.TRANSPOSE)
        exif = Image.Exif()
        exif[0x0112] = seed % 8 + 1
        how = STORE[seed % 8 + 1]
        (image if how is None else image.transpose(how)).save(tmp_path / "a.png", exif=exif)
        run(tmp_path / "a.png", tmp_path / "b.png", "--width", 100, "--height", 100, "--fit", "cover", "--position", "attention")
        made = Image.open(tmp_path / "b.png").convert("RGB")
        assert made.size == (100, 100)
        made = made if wide else made.transpose(Image.Transpose.TRANSPOSE)
        where = max(range(101), key=lambda x: psnr(scaled.crop((x, 0, x + 100, 100)), made))
        assert psnr(scaled.crop((where, 0, where + 100, 100)), made) > 40
        right += abs(where - 100 * second) <= 10  # a picture of 100 may begin a little beside its half
    assert right >= 11


def test_attention_without_anything_to_see_is_the_centre_and_the_same_each_time(tmp_path):
    Image.new("RGB", (300, 100), (80, 90, 100)).save(tmp_path / "flat.png")
    run(tmp_path / "flat.png", tmp_path / "b.png", "--width", 50, "--height", 50, "--fit", "cover", "--position", "attention")
    assert Image.open(tmp_path / "b.png").size == (50, 50)
    noisy((150, 0, 420, 300), 5).save(tmp_path / "a.png")
    bytes_ = set()
    for _ in range(2):
        run(tmp_path / "a.png", tmp_path / "b.png", "--width", 300, "--height", 300, "--fit", "cover", "--position", "attention")
        bytes_.add((tmp_path / "b.png").read_bytes())
    assert len(bytes_) == 1
    # unscaled: a window of the source itself
    source, made = Image.open(tmp_path / "a.png"), Image.open(tmp_path / "b.png").convert("RGB")
    assert any(source.crop((x, 0, x + 300, 300)).tobytes() == made.tobytes() for x in range(301))
