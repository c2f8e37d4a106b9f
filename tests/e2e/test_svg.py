"""SVG from outside. Where the program is built with it: sharp at every size, alpha, text without fonts of the machine, hostile documents.
Where it is not: refused, and told how to get it."""
import json
import os
import subprocess
import time

import pytest
from conftest import PROGRAM, Service
from PIL import Image, ImageChops

SVG = '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="100" height="50">'
HALVES = SVG + '<rect width="50" height="50" fill="#c00"/><rect x="50" width="50" height="25" fill="#00f" fill-opacity=".5"/></svg>'
TEXT = SVG + '<text x="5" y="30" font-family="No Such Font" font-size="20">{}</text></svg>'


def resize(*arguments):
    done = subprocess.run([PROGRAM, "resize", "--json", *map(str, arguments)], capture_output=True, text=True, timeout=60)
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def built_in(tmp_path_factory):
    path = tmp_path_factory.mktemp("svg") / "a.svg"
    path.write_text(HALVES)
    told = resize(path, path.parent / "a.png")
    return told.get("error") is None, told


@pytest.fixture
def drawn(built_in, tmp_path):
    """Makes a picture of a document."""
    if not built_in[0]:
        pytest.skip("built without SVG (meson setup -Dsvg=enabled)")

    def draw(document, *arguments, name="out.png"):
        (tmp_path / "in.svg").write_text(document)
        told = resize(*arguments, tmp_path / "in.svg", tmp_path / name)
        assert "error" not in told, told
        return Image.open(tmp_path / name).convert("RGBA")

    draw.folder = tmp_path
    return draw


def test_without_it_an_svg_is_refused_and_told_how_to_get_it(built_in):
    if built_in[0]:
        pytest.skip("built with SVG")
    error = built_in[1]["error"]
    assert error["code"] == "unsupported-format" and "-Dsvg=enabled" in error["message"]


def test_gzip_is_refused_by_name(tmp_path):
    (tmp_path / "a.svgz").write_bytes(b"\x1f\x8b\x08\x00" + bytes(60))
    error = resize(tmp_path / "a.svgz", tmp_path / "a.png")["error"]
    assert error["code"] == "unsupported-format" and "svgz" in error["message"]


@pytest.mark.parametrize("arguments,size", [((), (100, 50)), (("--width", "800"), (100, 50)), (("--width", "800", "--enlarge"), (800, 400)), (("--width", "40"), (40, 20)),
                                            (("--width", "400", "--height", "40", "--fit", "fill", "--enlarge"), (400, 40)), (("--width", "37"), (37, 19)),
                                            (("--rotate", "90", "--width", "200", "--enlarge"), (200, 400))])
def test_edges_are_sharp_at_every_size(drawn, arguments, size):
    picture = drawn(HALVES, *arguments)
    assert picture.size == size
    colours = {colour for _, colour in picture.getcolors(1 << 20)}
    exact = {(204, 0, 0, 255), (0, 0, 255, 128), (0, 0, 0, 0)}
    assert exact <= colours
    if size != (37, 19):  # where edges lie on pixels there is nothing between
        assert colours == exact


def test_parts_of_it_are_as_sharp(drawn):
    picture = drawn(HALVES, "--crop", "40,0,20,20", "--width", "200", "--enlarge")
    assert picture.size == (200, 200) and {colour for _, colour in picture.getcolors(1 << 20)} == {(204, 0, 0, 255), (0, 0, 255, 128)}
    picture = drawn(HALVES, "--width", "90", "--height", "90", "--fit", "cover", "--enlarge")
    assert picture.size == (90, 90) and {colour for _, colour in picture.getcolors(1 << 20)} == {(204, 0, 0, 255), (0, 0, 255, 128), (0, 0, 0, 0)}


def test_alpha_goes_onto_the_background(drawn):
    picture = drawn(HALVES, "--background", "#00ff00", "--quality", "100", name="out.jpg")
    assert all(abs(a - b) < 6 for a, b in zip(picture.getpixel((75, 40)), (0, 255, 0)))


def test_text_is_set_in_the_bundled_font(drawn):
    """Of any machine: letters of a script that it has are not those of one that it has not, and bold is not thin."""
    plain, again = drawn(TEXT.format("Żółw Ω Ж")).copy(), drawn(TEXT.format("Żółw Ω Ж"))
    assert plain.getbbox() and not ImageChops.difference(plain, again).getbbox()
    assert sum(drawn(TEXT.format("il")).getchannel("A").histogram()[128:]) < sum(drawn(TEXT.format("MW")).getchannel("A").histogram()[128:])
    thin = sum(drawn(TEXT.format("Sign")).getchannel("A").histogram()[128:])
    assert sum(drawn(TEXT.format("Sign").replace("<text", '<text font-weight="bold"')).getchannel("A").histogram()[128:]) > thin * 1.2
    assert plain.size == (100, 50)


def test_it_is_a_watermark_as_sharp(drawn):
    Image.new("RGB", (400, 400), (0, 128, 0)).save(drawn.folder / "base.png")
    (drawn.folder / "mark.svg").write_text(HALVES)
    assert "error" not in resize("--watermark-image", drawn.folder / "mark.svg", "--watermark-scale", "50", "--watermark-margin", "0", "--watermark-position", "top-left",
                                 drawn.folder / "base.png", drawn.folder / "out.png")
    colours = {colour for _, colour in Image.open(drawn.folder / "out.png").convert("RGB").getcolors(1 << 20)}
    assert (204, 0, 0) in colours and len(colours) <= 4


def test_the_service_takes_them_one_after_the_other(drawn, service):
    """The second meets a zygote that has the library loaded."""
    for i in range(3):
        service.s3.put_object(Bucket="source-bucket", Key=f"drawing-{i}.svg", Body=TEXT.format("Hi").encode())
    sizes = set()
    for i in range(3):
        assert service.wait_record(f"drawing-{i}.svg", "done", "failed")["Status"] == "done"
        sizes.add(service.s3.get_object(Bucket="processed-bucket", Key=f"processed-drawing-{i}.jpg")["ContentLength"])
    assert len(sizes) == 1


@pytest.mark.skipif(bool(os.environ.get("PIXMILL_SANITIZED")), reason="a sanitizer's memory is not bounded")
def test_memory_is_bounded_and_named(drawn, tmp_path):
    """Each group takes a picture of its own; the twin without them fits."""
    (tmp_path / "pixmill.yaml").write_text("limits:\n  memory: 64MiB\nrecipe:\n  outputs:\n    - id: web\n      name: '{stem}.png'\n      width: 1200\n      enlarge: true\n")
    service = Service("--config", str(tmp_path / "pixmill.yaml"))
    inside = TEXT.format("Hi")[len(SVG):-len("</svg>")]
    service.s3.put_object(Bucket="source-bucket", Key="plain.svg", Body=(SVG + inside + "</svg>").encode())
    service.s3.put_object(Bucket="source-bucket", Key="groups.svg", Body=(SVG + '<g opacity=".9">' * 30 + inside + "</g>" * 30 + "</svg>").encode())
    assert service.wait_record("plain.svg", "done", "failed")["Status"] == "done"
    end = time.monotonic() + 20
    while not (record := service.wait_record("groups.svg", "queued", "running", "failed")).get("Error") and time.monotonic() < end:
        time.sleep(0.05)
    assert record["Error"]["Code"] == "out-of-memory"
    service.close()


def test_several_outputs_come_of_one_drawing(drawn, tmp_path):
    """It is drawn for the largest; one of its own size, and a part, are scaled from that."""
    outputs = {"large": "width: 800, enlarge: true", "own": "width: 0", "part": "width: 100, crop: '0,0,50,50'", "small": "width: 40"}
    (tmp_path / "pixmill.yaml").write_text("recipe:\n  outputs:\n" + "".join(f"    - {{ id: {name}, name: '{name}-{{stem}}.png', format: png, {what} }}\n" for name, what in outputs.items()))
    service = Service("--config", str(tmp_path / "pixmill.yaml"))
    service.s3.put_object(Bucket="source-bucket", Key="a.svg", Body=HALVES.encode())
    assert service.wait_record("a.svg", "done", "failed")["Status"] == "done"
    made = {name: Image.open(service.s3.get_object(Bucket="processed-bucket", Key=f"{name}-a.png")["Body"]).convert("RGBA") for name in outputs}
    service.close()
    assert {name: image.size for name, image in made.items()} == {"large": (800, 400), "own": (100, 50), "part": (50, 50), "small": (40, 20)}
    assert {colour for _, colour in made["large"].getcolors(1 << 20)} == {(204, 0, 0, 255), (0, 0, 255, 128), (0, 0, 0, 0)}
    assert all(abs(a - b) <= 1 for _, colour in made["part"].getcolors() for a, b in zip(colour, (204, 0, 0, 255)))
    for name in ("own", "small"):
        alone = drawn(HALVES, "--width", made[name].width)
        assert ImageChops.difference(alone.convert("RGB"), made[name].convert("RGB")).getbbox() is None or \
            sum(ImageChops.difference(alone, made[name]).convert("L").histogram()[64:]) <= made[name].width + made[name].height


HOSTILE = {
    "laughs": ('<!DOCTYPE svg [<!ENTITY a "ha">' + "".join(f'<!ENTITY {b} "{("&" + a + ";") * 10}">' for a, b in zip("abcdefgh", "bcdefghi")) + "]>" + SVG + "&i;</svg>", "unsupported-format"),
    "growth": ('<!DOCTYPE svg [<!ENTITY a "' + "x" * 4000 + '">]>' + SVG + "&a;" * 100000 + "</svg>", "unsupported-format"),
    "external": ('<!DOCTYPE svg [<!ENTITY a SYSTEM "file:///etc/passwd">]>' + SVG + "<text>&a;</text></svg>", "unsupported-format"),
    "deep": (SVG + "<g>" * 10000 + "</g>" * 10000 + "</svg>", "unsupported-format"),
    "huge": (SVG.replace('"100"', '"1e9"') + "</svg>", "too-many-pixels"),
    "wide": (SVG.replace('"100"', '"65000"').replace('"50"', '"65000"') + "</svg>", "too-many-pixels"),
    "many": (SVG + "<g/>" * 210000 + "</svg>", "unsupported-format"),
    "references": (SVG + '<g id="e0"/>' + "".join(f'<g id="e{i + 1}"><use xlink:href="#e{i}"/><use xlink:href="#e{i}"/></g>' for i in range(30)) + '<use xlink:href="#e30"/></svg>', "corrupt-image"),
    "cut": (SVG + '<rect width="1', "truncated-image"),
    "other": ("<?xml version='1.0'?>" + "<!--" + " " * 2000 + "--><rss/>", "unsupported-format"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_documents_are_refused_by_name(drawn, kind):
    if kind == "references" and os.environ.get("PIXMILL_SANITIZED"):
        pytest.skip("half a million references take too long under a sanitizer")
    document, code = HOSTILE[kind]
    (drawn.folder / "in.svg").write_text(document)
    told = resize(drawn.folder / "in.svg", drawn.folder / "out.png")
    assert told["error"]["code"] == code, told
    assert not (drawn.folder / "out.png").exists()


def test_what_refers_to_itself_or_elsewhere_shows_nothing(drawn, tmp_path):
    (tmp_path / "red.svg").write_text(HALVES)
    for inside in ('<g id="a"><use xlink:href="#a"/></g>', '<g id="a"><use xlink:href="#b"/></g><g id="b"><use xlink:href="#a"/></g>',
                   f'<image width="50" height="50" xlink:href="file://{tmp_path}/red.svg"/>', '<image width="50" height="50" xlink:href="red.svg"/>'):
        assert not drawn(SVG + inside + "</svg>").getchannel("A").getbbox()
