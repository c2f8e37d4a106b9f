"""What a short run loads: the libraries that it uses, and none besides."""
import os
import subprocess

from PIL import Image

PIXMILL = os.path.abspath(os.environ.get("PIXMILL", "build/pixmill"))
RARE = ["libcrypto", "libsqlite3", "libexpat", "libyaml", "libwebp", "libcurl", "libmicrohttpd", "libavif", "libheif", "libjxl", "libtiff"]


def loaded(folder, *arguments):
    """Which of the rare ones the program itself had in the end. (Not the sandbox's: its environment is empty.)"""
    done = subprocess.run([PIXMILL, *map(str, arguments)], cwd=folder, capture_output=True, text=True, timeout=60,
                          env={**os.environ, "LD_DEBUG": "files", "LD_DEBUG_OUTPUT": str(folder / "loaded")})
    assert done.returncode == 0, done.stderr
    text = "".join(path.read_text() for path in folder.glob("loaded.*"))
    assert "libjpeg" in text
    return [name for name in RARE if f"{name}.so" in text or f"{name}-" in text]


def test_a_resize_loads_nothing_that_it_does_not_use(tmp_path):
    Image.new("RGB", (64, 48), (9, 99, 199)).save(tmp_path / "tiny.png")
    assert loaded(tmp_path, "resize", "tiny.png", "tiny.jpg") == []


def test_what_is_used_is_loaded(tmp_path):
    """A watermark's font or picture is told by its digest."""
    Image.new("RGB", (64, 48), (9, 99, 199)).save(tmp_path / "tiny.png")
    assert loaded(tmp_path, "resize", "--watermark-image", "tiny.png", "tiny.png", "tiny.jpg") == ["libcrypto"]


def test_a_configuration_is_read_by_libyaml(tmp_path):
    (tmp_path / "pixmill.yaml").write_text("source: a\ndestination: b\n")
    assert "libyaml" in loaded(tmp_path, "check", "--show", "--config", "pixmill.yaml")
