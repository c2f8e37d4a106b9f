"""pixmill resize from outside: pictures made with Pillow go in, what comes out is judged with Pillow."""
import io
import json
import os
import subprocess

import pytest
from PIL import Image

PIXMILL = os.environ.get("PIXMILL", "build/pixmill")


def run(*arguments, code=0, data=None):
    done = subprocess.run([os.path.abspath(PIXMILL), "resize", *map(str, arguments)], input=data, capture_output=True,
                          timeout=60)
    assert done.returncode == code, done.stderr.decode()
    return done


def picture(width=1200, height=900, mode="RGB", colour=(200, 30, 40)):
    image = Image.new(mode, (width, height), colour)
    image.paste((10, 20, 250) if mode == "RGB" else (10, 20, 250, 255), (0, 0, width // 4, height // 4))  # top left
    return image


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turn by 90 degrees clockwise
    exif[0x010F] = "A camera maker"
    picture().save(path, quality=95, exif=exif)
    return path


def near(pixel, colour, distance=12):
    return all(abs(a - b) <= distance for a, b in zip(pixel, colour))


def test_default_is_800_wide_jpeg(tmp_path):
    picture().save(tmp_path / "a.png")
    run(tmp_path / "a.png", tmp_path / "b.jpg")
    out = Image.open(tmp_path / "b.jpg")
    assert (out.format, out.size) == ("JPEG", (800, 600))
    assert near(out.getpixel((5, 5)), (10, 20, 250)) and near(out.getpixel((700, 500)), (200, 30, 40))


def test_never_enlarged_unless_asked(tmp_path):
    picture(100, 50).save(tmp_path / "a.png")
    run(tmp_path / "a.png", tmp_path / "b.jpg")
    assert Image.open(tmp_path / "b.jpg").size == (100, 50)
    run(tmp_path / "a.png", tmp_path / "b.jpg", "--width=300", "--enlarge")
    assert Image.open(tmp_path / "b.jpg").size == (300, 150)


def test_width_0_keeps_the_size(tmp_path):
    picture(1000, 500).save(tmp_path / "a.png")
    run(tmp_path / "a.png", tmp_path / "b.png", "--width", "0")
    assert Image.open(tmp_path / "b.png").size == (1000, 500)


def test_orientation_is_applied_and_exif_gone(photo, tmp_path):
    run(photo, tmp_path / "b.jpg", "--width", "300")
    out = Image.open(tmp_path / "b.jpg")
    assert out.size == (300, 400)
    assert near(out.getpixel((290, 10)), (10, 20, 250)), "the stored top left is at the upper right for people"
    assert not dict(out.getexif())
    assert b"camera maker" not in (tmp_path / "b.jpg").read_bytes()


def test_alpha_on_white_and_on_a_colour(tmp_path):
    picture(40, 40, "RGBA", (0, 0, 0, 0)).save(tmp_path / "a.png")
    run(tmp_path / "a.png", tmp_path / "b.jpg")
    assert near(Image.open(tmp_path / "b.jpg").getpixel((35, 35)), (255, 255, 255))
    run(tmp_path / "a.png", tmp_path / "b.jpg", "--background", "#00ff00")
    assert near(Image.open(tmp_path / "b.jpg").getpixel((35, 35)), (0, 255, 0))
    run(tmp_path / "a.png", tmp_path / "b.png")
    assert Image.open(tmp_path / "b.png").convert("RGBA").getpixel((35, 35))[3] == 0


@pytest.mark.parametrize("fit,size", [("inside", (400, 300)), ("cover", (400, 400)), ("contain", (400, 400)),
                                      ("fill", (400, 400)), ("outside", (533, 400))])
def test_fit(tmp_path, fit, size):
    picture().save(tmp_path / "a.jpg")
    run(tmp_path / "a.jpg", tmp_path / "b.jpg", "--width", 400, "--height", 400, "--fit", fit)
    assert Image.open(tmp_path / "b.jpg").size == size


def test_standard_input_and_output(photo):
    done = run("-", "-", "--format", "png", "--json", data=photo.read_bytes())
    out = Image.open(io.BytesIO(done.stdout))
    assert (out.format, out.size) == ("PNG", (800, 1067))
    told = json.loads(done.stderr)
    assert (told["format"], told["width"], told["bytes"]) == ("png", 800, len(done.stdout))


def test_folder_keeps_subfolders(tmp_path):
    (tmp_path / "in/a/b").mkdir(parents=True)
    picture(50, 40).save(tmp_path / "in/one.png")
    picture(50, 40).save(tmp_path / "in/a/b/two.jpg")
    (tmp_path / "in/notes.txt").write_text("not a picture")
    done = run(tmp_path / "in", tmp_path / "out", "--json")
    made = {str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*") if p.is_file()}
    assert made == {"processed-one.jpg", "a/b/processed-two.jpg"}
    assert len([json.loads(line) for line in done.stdout.splitlines()]) == 2


def test_name_template(tmp_path):
    picture(1000, 500).save(tmp_path / "a.png")
    run(tmp_path / "a.png", str(tmp_path) + "/out/", "--name", "{stem}-{width}x{height}.{ext}", "--format", "keep")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["a-800x400.png"]
    run(tmp_path / "a.png", tmp_path / "out", "--name", "{nonsense}.jpg", code=2)


def test_some_fail_is_3_and_nothing_half_made_stays(tmp_path):
    picture(50, 40).save(tmp_path / "good.png")
    whole = (tmp_path / "good.png").read_bytes()
    (tmp_path / "bad.png").write_bytes(b"hello, I am no picture")
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    done = run(tmp_path / "good.png", tmp_path / "bad.png", tmp_path / "cut.png", tmp_path / "absent.png",
               tmp_path / "out", code=3)
    lines = done.stderr.decode().splitlines()
    assert len(lines) == 3 and all(line.startswith("pixmill resize: ") for line in lines)
    assert any("unsupported-format" in line for line in lines) and any("no-such-key" in line for line in lines)
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["processed-good.jpg"]


def test_one_that_fails_is_1(tmp_path):
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8\xff\xe0 and then nothing")
    run(tmp_path / "bad.jpg", tmp_path / "out.jpg", code=1)
    assert not (tmp_path / "out.jpg").exists()


def test_an_input_is_never_overwritten(tmp_path):
    picture(50, 40).save(tmp_path / "a.jpg")
    before = (tmp_path / "a.jpg").read_bytes()
    run(tmp_path / "a.jpg", tmp_path / "a.jpg", code=1)
    assert (tmp_path / "a.jpg").read_bytes() == before


def test_two_inputs_never_share_an_output(tmp_path):
    for folder in "xy":
        (tmp_path / folder).mkdir()
        picture(50, 40).save(tmp_path / folder / "a.jpg")
    done = run(tmp_path / "x/a.jpg", tmp_path / "y/a.jpg", tmp_path / "out", code=3)
    assert b"output-name-taken" in done.stderr


@pytest.mark.parametrize("arguments", [["--nonsense", "a", "b"], ["a"], ["a", "b.jpg", "--width", "wide"],
                                       ["a", "b.jpg", "--fit", "tight"], ["a", "b.xyz"], ["a", "b.jpg", "--width"],
                                       ["a", "b.jpg", "--quality", "101"], ["a", "b.jpg", "--background", "red"]])
def test_wrong_use_is_2_and_one_line(arguments, tmp_path):
    done = run(*arguments, code=2)
    assert len(done.stderr.decode().splitlines()) == 1


def test_help_names_every_option():
    assert b"--background #RRGGBB" in run("--help").stdout
