"""Pictures that others made, to try their own programs with: libavif, libheif, libwebp, and EXIF's orientations.

Some are in tests/samples; the whole collections go where `tests/corpora` says, and are skipped where they are not. Each picture comes out
as a reference has it, or is refused with a code that is right for it."""
import hashlib
import json
import pathlib
import shutil
import subprocess

import pytest
from conftest import PROGRAM
from PIL import Image, ImageChops, ImageOps, ImageStat

TESTS = pathlib.Path(__file__).resolve().parents[1]
REFUSED = {"unsupported-format", "corrupt-image", "truncated-image", "too-many-pixels"}


def there(*places, pattern):
    """The folders that hold such pictures, as parameters; a folder that is empty is a test that is skipped."""
    return [pytest.param(place, id=place, marks=pytest.mark.skipif(not any((TESTS / place).glob(pattern)),
            reason=f"tests/{place} is not here: tests/corpora says where it comes from")) for place in places]


def make(folder, pattern, target, *arguments):
    """All of a folder in one go, as NAME.png: what was told of each, by name."""
    files = sorted((TESTS / folder).glob(pattern))
    told = {}
    for kind in {path.suffix for path in files}:
        some = [str(path) for path in files if path.suffix == kind]
        (target / "made").mkdir(exist_ok=True)
        done = subprocess.run([PROGRAM, "resize", "--format", "png", "--json", "--name", f"{{stem}}{kind}.png", *arguments, *some, str(target / "made")],
                              capture_output=True, text=True, timeout=400)
        told.update({pathlib.Path(line["source"]).name: line for line in map(json.loads, done.stdout.splitlines())})
    for path in (target / "made").iterdir():
        path.rename(target / path.name)
    assert len(told) == len(files)
    return told


def apart(one, other):
    """The mean and the largest difference of two pictures, alpha included; None if they are of different sizes."""
    one, other = one.convert("RGBA"), other.convert("RGBA")
    if one.size != other.size:
        return None
    difference = ImageChops.difference(one, other)
    return max(ImageStat.Stat(difference).mean), max(high for _, high in difference.getextrema())


# ---- WebP: the vectors' own list of MD5, of the pictures as PAM or PPM; for some the picture itself is beside them ----

def portable(image):
    if image.mode == "RGBA":
        return b"P7\nWIDTH %d\nHEIGHT %d\nDEPTH 4\nMAXVAL 255\nTUPLTYPE RGB_ALPHA\nENDHDR\n" % image.size + image.tobytes()
    return b"P6\n%d %d\n255\n" % image.size + image.tobytes()


def expected(folder, name, kind, listed):
    beside = "grid" if "vec_1_" in name else "peak" if "vec_2_" in name else pathlib.Path(name).stem
    if f"{name}.{kind}" in listed:
        return listed[f"{name}.{kind}"]
    path = folder / f"{beside}.{kind}"
    return hashlib.md5(path.read_bytes()).hexdigest() if path.exists() else None


@pytest.mark.parametrize("place", there("data/libwebp", pattern="*.webp"))
def test_webp_vectors_have_their_md5(place, tmp_path):
    folder = TESTS / place
    listed = {name: digest for digest, name in (line.split() for line in (folder / "libwebp_tests.md5").read_text().splitlines())}
    told, wrong, equal = make(place, "*.webp", tmp_path, "--width", "0", "--colour", "keep"), [], 0
    for name, line in told.items():
        if "error" in line:
            wrong.append((name, line["error"]))
            continue
        got = Image.open(tmp_path / f"{name}.png")
        # What our PNG has alpha of is looked at with it; a picture that says it has none may still hold some that nobody shows.
        got = got.convert("RGBA" if "A" in got.mode or "transparency" in got.info else "RGB")
        digest = expected(folder, name, "pam" if got.mode == "RGBA" else "ppm", listed)
        if digest is None:  # bryce, lossless_big_random_alpha
            digest, equal = hashlib.md5(portable(Image.open(folder / name).convert(got.mode))).hexdigest(), equal - 1
        equal += 1
        if hashlib.md5(portable(got)).hexdigest() != digest:
            wrong.append((name, "differs"))
    assert not wrong, wrong
    assert equal == 129


# ---- AVIF ----

BROKEN = {  # what is not a picture by the book
    "color_grid_alpha_grid_tile_shared_in_dimg.avif": {"corrupt-image", "unsupported-format"},
    "sofa_grid1x5_420_dimg_repeat.avif": {"corrupt-image"},
}
NEW = {  # which libavif before 1.0 cannot do: refused, and not wrong
    "color_grid_alpha_nogrid.avif", "colors-animated-8bpc-audio.avif", "draw_points_idat_metasize0.avif",
    "draw_points_idat_progressive_metasize0.avif", "sofa_grid1x5_420_reversed_dimg_order.avif",
}
STRICT = {  # which Pillow refuses to look at; damaged gain maps, which nobody needs, newer versions of libavif refuse as well
    "alpha_noispe.avif": (80, 80), "clap_irot_imir_non_essential.avif": (10, 8), "pyramid_pymd.avif": (128, 128),
    "seine_sdr_gainmap_gammazero.avif": (400, 300), "supported_gainmap_writer_version_with_extra_bytes.avif": (100, 100),
}


@pytest.mark.parametrize("place", there("samples/libavif", "data/libavif", pattern="*.avif"))
def test_avif_samples_come_out_as_pillow_has_them_or_are_refused(place, tmp_path):
    told, wrong = make(place, "*.avif", tmp_path, "--width", "0", "--colour", "keep"), []
    for name, line in told.items():
        code = line.get("error", {}).get("code")
        if name in BROKEN or code:
            allowed = BROKEN.get(name) or ({"unsupported-format"} if name in NEW else {"corrupt-image"} if "gainmap" in name and name in STRICT else set())
            right = code in allowed
        elif name in STRICT:
            right = Image.open(tmp_path / f"{name}.png").size == STRICT[name]
        else:
            difference = apart(Image.open(tmp_path / f"{name}.png"), ImageOps.exif_transpose(Image.open(TESTS / place / name)))
            right = difference and difference[0] <= 1 and difference[1] <= 3
        if not right:
            wrong.append((name, line.get("error") or line))
    assert not wrong, wrong
    assert len(told) >= 30


# ---- HEIF ----

PICTURES = {"example.heic": (1280, 854), "example.avif": None, "rainbow-451x461.heic": (451, 461), "with-alpha-512x512.heic": (512, 512), "colors-no-alpha.heic": None,
            "colors-no-alpha-thumbnail.heic": None, "colors-with-alpha.heic": None, "colors-with-alpha-thumbnail.heic": None,
            "hevc32.heif": (32, 32), "avif32.heif": (32, 32)}
# Coded in ways that not every libheif reads: bare samples, JPEG, JPEG 2000, AVC, VVC; or with the short header of 2025.
RARE = ("uncompressed_", "rgb_generic_", "unci32", "jpeg32", "j2k32", "avc32", "vvc32", "-mini.", "_mini.", "simple_osm_")


@pytest.mark.parametrize("place", there("data/libheif", pattern="*.heic"))
def test_heif_samples_come_out_or_are_refused(place, tmp_path):
    told, wrong = {**make(place, "*.hei[cf]", tmp_path, "--width", "0", "--colour", "keep"),
                   **make(place, "*.avif", tmp_path, "--width", "0", "--colour", "keep")}, []
    for name, line in told.items():
        code = line.get("error", {}).get("code")
        if name in PICTURES:
            right = code is None and PICTURES[name] in (None, Image.open(tmp_path / f"{name}.png").size)
            right = right and as_heif_convert(TESTS / place / name, tmp_path)
        elif any(part in name for part in RARE):
            right = code in (None, "unsupported-format")
        else:  # what fuzzers found
            right = code is None or code in REFUSED
        if not right:
            wrong.append((name, line.get("error") or line))
    assert not wrong, wrong
    assert set(PICTURES) <= set(told) and len(told) >= 220


def as_heif_convert(path, tmp_path):
    """libheif's own program, where it is installed."""
    if not shutil.which("heif-convert") or path.suffix != ".heic":
        return True
    subprocess.run(["heif-convert", path, tmp_path / "reference.png"], capture_output=True, check=True)
    reference = next(iter(sorted(tmp_path.glob("reference*.png"))))
    difference = apart(Image.open(tmp_path / f"{path.name}.png"), Image.open(reference))
    for file in tmp_path.glob("reference*"):
        file.unlink()
    return difference is not None and difference[1] <= 2


# ---- EXIF's orientations ----

def without_number(image):
    """The picture without what differs: its number, and the words beside it."""
    image = image.convert("RGB")
    image.paste((0, 0, 0), (0, int(image.height * 0.38), image.width, int(image.height * 0.58)))
    return image


@pytest.mark.parametrize("kind,size", [("Landscape", (150, 100)), ("Portrait", (100, 150))])
@pytest.mark.parametrize("place", there("samples/exif-orientation", "data/exif-orientation", pattern="*_8.jpg"))
def test_all_orientations_come_out_upright_and_alike(place, kind, size, tmp_path):
    told = make(place, f"{kind}_?.jpg", tmp_path, "--width", str(size[0]))
    assert len(told) == 9
    first = without_number(Image.open(TESTS / place / f"{kind}_1.jpg").resize(size, Image.LANCZOS))
    for name in told:
        got = without_number(Image.open(tmp_path / f"{name}.png"))
        mean, most = apart(got, first)
        assert mean < 5 and most < 60, (name, mean, most)
        for wrong in (ImageOps.mirror(got), ImageOps.flip(got), got.rotate(180)):  # the measure tells them apart
            assert apart(wrong, first)[0] > 10
