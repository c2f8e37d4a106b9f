"""The pictures: from Debian's packages, or made of those by the steps below; nothing of them is in this repository.

Packages are downloaded (apt-get download) and unpacked beside the benchmark, not installed, so no root is needed. Made pictures are written by
the pinned Pillow at fixed settings, so they are the same everywhere:

elephants-12mp.jpg     the middle 4032×3024 of mate-backgrounds' Elephants_5640x3172.jpg; baseline, quality 90, 4:2:0, as a phone writes it
elephants-12mp-progressive.jpg, elephants-12mp.webp (quality 90)    the same pixels
elephants-6mp.jpg      the middle 3000×2000, likewise
elephants-18mp.jpg     all of it, likewise
elephants-5mp.png      the middle 4032×3024 at 2560×1920 (Lanczos), deflated at level 6
elephants-100mp.jpg, elephants-100mp.png    11584×8640: all of it, enlarged (bicubic) and cut; 4:2:0 at quality 90, deflate level 1
tiny.png               64×48, of the same pixels"""
import pathlib
import subprocess

from PIL import Image

from .measure import Failed, cache

Image.MAX_IMAGE_PIXELS = None
ELEPHANTS = ("mate-backgrounds", "usr/share/backgrounds/mate/abstract/Elephants_5640x3172.jpg")
PHONE = {"quality": 90, "subsampling": "4:2:0"}

# Every JPEG and PNG in these of at least two million pixels: photos of many cameras, drawings, renderings, screenshots, with alpha, grey.
# mate-backgrounds' nature and gnome-backgrounds stay aside: the engine is not tuned on them.
LEAST_PIXELS = 2_000_000
OTHERS = ("plasma-workspace-wallpapers", "lomiri-wallpapers-16.04", "lomiri-wallpapers-20.04", "lomiri-wallpapers", "ukui-wallpapers", "palapeli-data",
          "desktop-base", "sway-backgrounds")


def package(name):
    """The folder with a package's files."""
    folder = cache / "packages" / name
    if not folder.exists():
        work = cache / "packages" / f"{name}.part"
        work.mkdir(parents=True, exist_ok=True)
        try:
            if subprocess.run(["apt-get", "download", "-q", name], cwd=work, capture_output=True).returncode:
                subprocess.run(["apt-get", "update", "-q"], capture_output=True)  # the lists may be missing, or old
                subprocess.run(["apt-get", "download", "-q", name], cwd=work, check=True, capture_output=True)
            deb = next(work.glob("*.deb"))
            (work / "files").mkdir(exist_ok=True)
            subprocess.run(["dpkg-deb", "-x", deb, work / "files"], check=True)
        except (OSError, subprocess.CalledProcessError, StopIteration) as failure:
            raise Failed(f"cannot download Debian's package {name} (apt-get update; apt-get download {name})") from failure
        (work / "files").rename(folder)
        deb.unlink()
        work.rmdir()
    return folder


def packaged(name, path):
    return package(name) / path


def middle(image, width, height):
    x, y = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((x, y, x + width, y + height))


def elephants():
    return Image.open(packaged(*ELEPHANTS)).convert("RGB")


def hundred():
    image = elephants()
    height = round(11584 * image.height / image.width)
    scale = 8640 / height
    return middle(image.resize((round(11584 * scale), 8640), Image.Resampling.BICUBIC), 11584, 8640)


def crop():
    """Of 4032×3024 pixels; the picture is 3172 high."""
    return middle(elephants(), 4032, 3024)


MADE = {
    "elephants-12mp.jpg": (crop, PHONE),
    "elephants-12mp-progressive.jpg": (crop, {**PHONE, "progressive": True}),
    "elephants-12mp.webp": (crop, {"quality": 90, "method": 4}),
    "elephants-6mp.jpg": (lambda: middle(elephants(), 3000, 2000), PHONE),
    "elephants-18mp.jpg": (elephants, PHONE),
    "elephants-5mp.png": (lambda: crop().resize((2560, 1920), Image.Resampling.LANCZOS), {"compress_level": 6}),
    "elephants-100mp.jpg": (hundred, PHONE),
    "elephants-100mp.png": (hundred, {"compress_level": 1}),
    "tiny.png": (lambda: crop().resize((64, 48), Image.Resampling.LANCZOS), {"compress_level": 6}),
}


def picture(name):
    """The path of one of MADE, made at need."""
    path = cache / "pictures" / name
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        make, settings = MADE[name]
        part = path.with_name("part-" + name)
        make().save(part, **settings)
        part.replace(path)
    return path


def label(path):
    """A file's name; where that says little, with what its folders say: "Flow dark 5120x2880", "background (lines)"."""
    stem, parts = path.stem, path.parts
    if "wallpapers" in parts and parts[-3] == "contents":
        return f"{parts[-4]}{' dark' if parts[-2].endswith('dark') else ''} {stem}"
    return f"{stem} ({parts[-2]})" if "backgrounds" not in parts and "collection" not in parts else stem


def others():
    """[(name, path)] of at least two million pixels; of a wallpaper in several sizes, each."""
    found = []
    for name in OTHERS:
        try:
            folder = package(name)
        except Failed as failure:
            print(f"others: {failure}")
            continue
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() in (".jpg", ".jpeg", ".png") and path.is_file() and not path.is_symlink():
                with Image.open(path) as image:
                    if image.width * image.height >= LEAST_PIXELS:
                        found.append((label(path), path))
    return found


def about(path):
    """{format, width, height, bytes, mode, progressive} of a picture."""
    with Image.open(path) as image:
        return {"format": image.format.lower(), "width": image.width, "height": image.height, "bytes": pathlib.Path(path).stat().st_size, "mode": image.mode,
                "progressive": bool(image.info.get("progressive")), "camera": str(image.getexif().get(272) or "").strip()}
