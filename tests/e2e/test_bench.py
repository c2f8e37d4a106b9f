"""bench/compare measures what it says: pixmill alone, on a small picture, so that the tool does not rot."""

import json
import os
import pathlib
import re
import subprocess
import sys
import xml.etree.ElementTree

import pytest
from PIL import Image

ROOT = pathlib.Path(__file__).resolve().parents[2]
PIXMILL = pathlib.Path(os.environ.get("PIXMILL", ROOT / "build/pixmill")).resolve()
sys.path.insert(0, str(ROOT / "bench"))

from comparing import measure, quality, report  # noqa: E402


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cache")
    measure.cache = folder
    return folder


@pytest.fixture
def photo(tmp_path):
    Image.effect_mandelbrot((240, 160), (-2, -1.3, 1, 1.3), 60).convert("RGB").save(tmp_path / "photo.jpg", quality=95)
    return tmp_path / "photo.jpg"


def compare(cache, *words):
    return subprocess.run([sys.executable, ROOT / "bench/compare", "--no-install", *map(str, words)], capture_output=True, text=True,
                          env={**os.environ, "PIXMILL": str(PIXMILL), "PIXMILL_BENCH_CACHE": str(cache)})


def test_a_comparison_of_one_picture_gives_every_figure_and_keeps_them(cache, photo, tmp_path):
    done = compare(cache, "--only", "pixmill,Pillow", "--rounds", 2, "--ms", 1, "--out", tmp_path / "results", photo)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^photo.jpg +[\d.]+ +[\d.]+", done.stdout, re.M)
    saved = {path.suffix: path for path in (tmp_path / "results").iterdir()}
    assert set(saved) == {".json", ".md", ".svg"}
    results = json.loads(saved[".json"].read_text())
    assert results["machine"]["cpu"] and results["versions"]["pixmill"].startswith("pixmill ") and "Pillow" in results["versions"]
    for name, found in results["cases"][0]["contestants"].items():
        assert found["cpu_ms_min"] > 0 and found["wall_ms_min"] > 0 and found["rss_mb"] > 1 and found["bytes"] > 500, name
        assert found["raw_psnr"] > 40 and found["psnr"] > 25 and 0.5 < found["ssim"] < 1, name
    assert results["cases"][0]["contestants"]["Pillow"]["ours"]["cpu_ms"]["rounds"] == 1  # every third round
    xml.etree.ElementTree.parse(saved[".svg"])
    assert "| photo.jpg |" in saved[".md"].read_text()


@pytest.mark.parametrize("words, told", [(["--only", "nobody"], "there is no nobody"), (["--case", "nothing"], "there is no case nothing"),
                                         (["no-such.jpg"], "there is no picture"),
                                         (["--only", "pixmill", ROOT / "README.md"], "nothing could be measured"),
                                         (["--program", "/no/pixmill", "--only", "pixmill"], "there is no /no/pixmill")])
def test_what_is_not_there_is_said(cache, words, told):
    done = compare(cache, *words, "--no-save")
    assert done.returncode == 1 and told in done.stderr


def test_a_build_that_is_slower_is_told_from_one_that_is_not(cache, photo, tmp_path):
    slow = tmp_path / "slow"
    slow.write_text(f'#!/bin/sh\ni=0; while [ $i -lt 100000 ]; do i=$((i+1)); done\nexec "{PIXMILL}" "$@"\n')
    slow.chmod(0o755)
    same = compare(cache, "--builds", PIXMILL, PIXMILL, "--rounds", 3, "--ms", 1, "--max-ratio", 2, photo)
    assert same.returncode == 0, same.stdout + same.stderr
    worse = compare(cache, "--builds", PIXMILL, slow, "--rounds", 3, "--ms", 1, "--max-ratio", 1.2, photo)
    assert worse.returncode == 1 and "slower" in worse.stdout, worse.stdout + worse.stderr
    assert compare(cache, "--builds", PIXMILL, tmp_path / "none", photo).returncode == 1


def test_what_a_process_leaves_behind_is_counted_too(cache):
    burn = "i=0; while [ $i -lt 150000 ]; do i=$((i+1)); done"
    alone = measure.run(["sh", "-c", burn])
    orphan = measure.run(["sh", "-c", f"({burn}) & exit 0"])
    nothing = measure.run(["sh", "-c", "exit 0"])
    assert orphan["cpu_ms"] > alone["cpu_ms"] / 2 > nothing["cpu_ms"]
    assert nothing["rss_mb"] < 5  # not this interpreter's
    with pytest.raises(measure.Failed, match="no such thing"):
        measure.run(["sh", "-c", "echo no such thing >&2; exit 3"])


def test_psnr_and_ssim_are_those_of_their_definitions(tmp_path):
    Image.effect_noise((64, 48), 60).convert("RGB").save(tmp_path / "a.png")
    reference = quality.Reference(tmp_path / "a.png")
    assert reference.judge(tmp_path / "a.png") == {"psnr": 99.0, "ssim": pytest.approx(1), "size": [64, 48]}
    middle = Image.open(tmp_path / "a.png").point(lambda v: min(max(v, 20), 235))
    middle.save(tmp_path / "a.png")
    middle.point(lambda v: v + 10).save(tmp_path / "b.png")
    judged = quality.Reference(tmp_path / "a.png").judge(tmp_path / "b.png")
    assert judged["psnr"] == pytest.approx(28.13, abs=0.01)  # 20 log10(255 / 10)
    assert 0.9 < judged["ssim"] < 1


def test_transparency_is_judged_on_white(tmp_path):
    Image.new("RGBA", (32, 32), (0, 0, 0, 51)).save(tmp_path / "alpha.png")
    Image.new("RGB", (32, 32), (204, 204, 204)).save(tmp_path / "flat.png")
    assert quality.Reference(tmp_path / "alpha.png").judge(tmp_path / "flat.png")["psnr"] == 99.0


def test_a_ratio_comes_with_an_interval_that_holds_it():
    got = measure.paired([2.0, 2.2, 1.8, 2.1, 2.0], [1.0, 1.0, 1.0, 1.0, 1.0])
    assert got["ratio"] == 2.0 and 1.8 <= got["low"] < 2.0 < got["high"] <= 2.2 and got["of_minima"] == 1.8


def built(name):
    found = [path for path in (PIXMILL.parent / "bench" / name, ROOT / "build-test/bench" / name) if path.exists()]
    return found[0] if found else pytest.skip(f"bench/{name} is built with -Dbench=true or -Dtests=true")


DECODED = {"JPEG": ["decode", "decode at 1/8", "libjpeg-turbo"], "PNG": ["CRC", "inflate", "unfilter, rows"]}


def stages(path, *words):
    told = json.loads(subprocess.run([built("stages"), "--json", "--rounds", "3", "--width", "100", *map(str, words), path], capture_output=True, check=True).stdout)
    return told, {stage["name"]: stage for stage in told["stages"]}


@pytest.mark.parametrize("kind, model, eighths", [("JPEG", "RGB", 5), ("JPEG", "L", 8), ("PNG", "RGB", 8), ("PNG", "L", 8)])
def test_stages_are_those_of_the_whole(photo, tmp_path, kind, model, eighths):
    Image.open(photo).convert(model).save(tmp_path / "picture", format=kind)
    told, found = stages(tmp_path / "picture")
    assert list(found) == [*DECODED[kind], "resample", "encode", "all"]
    assert told["target_width"] == 100 and told["read_gb_s"] > 0.1 and found["all"]["cpu_ms"] > 0
    assert told["eighths"] == eighths and told["decoded_width"] == 240 * eighths // 8
    assert found["encode"]["bytes_out"] == found["all"]["bytes_out"]  # of the same pixels: at the same scale, by the same way
    assert {stage["name"] for stage in told["stages"] if stage["beside"]} == {name for name in found if name in ("decode at 1/8", "libjpeg-turbo")}


@pytest.mark.parametrize("model, subsampling", [("RGB", 0), ("RGB", 1), ("RGB", 2), ("L", -1)])
@pytest.mark.parametrize("width, eighths", [(101, 4), (400, 8)])
def test_stages_take_odd_sides_and_every_sampling(tmp_path, model, subsampling, width, eighths):
    picture = Image.effect_mandelbrot((243, 161), (-2, -1.3, 1, 1.3), 60).convert(model)
    picture.save(tmp_path / "picture.jpg", quality=95, **({"subsampling": subsampling} if subsampling >= 0 else {}))
    told, found = stages(tmp_path / "picture.jpg", "--width", width, "--rounds", 1)
    assert told["eighths"] == eighths and found["encode"]["bytes_out"] == found["all"]["bytes_out"]


def test_stages_at_another_scale_are_not_those_of_the_whole(photo):
    told, found = stages(photo, "--eighths", "8")
    assert told["decoded_width"] == 240 and found["encode"]["bytes_out"] != found["all"]["bytes_out"]
    assert found["decode"]["bytes_out"] > 4 * found["decode at 1/8"]["bytes_out"]


def test_stages_sum_what_is_on_the_way(photo):
    told = subprocess.run([built("stages"), "--rounds", "3", "--width", "100", photo], capture_output=True, text=True, check=True).stdout
    ms = {name: float(figure) for name, figure in re.findall(r"^(.{16}) +(-?[\d.]+) ", told, re.M)}
    ms = {name.strip(): figure for name, figure in ms.items()}
    assert ms["libjpeg-turbo"] > 0 and abs(ms["all"] - ms["decode"] - ms["resample"] - ms["encode"] - ms["the rest"]) < 0.03


def test_stages_refuse_what_has_none(tmp_path):
    Image.new("CMYK", (64, 48)).save(tmp_path / "inks.jpg")
    for path in ("/dev/null", tmp_path / "inks.jpg"):
        refused = subprocess.run([built("stages"), path], capture_output=True, text=True)
        assert refused.returncode == 1 and refused.stderr.startswith("stages: ")


def test_a_table_of_stages_sums_what_is_on_the_way():
    row = {"bytes_in": 1, "bytes_out": 1, "limit_ms": 1, "about": "x"}
    one = {"width": 1, "height": 1, "format": "jpeg", "eighths": 2, "target_width": 1, "target_height": 1, "read_gb_s": 1, "write_gb_s": 1, "picture": "p",
           "stages": [{"name": "decode", "cpu_ms": 3, "beside": False, **row}, {"name": "libjpeg-turbo", "cpu_ms": 9, "beside": True, **row},
                      {"name": "all", "cpu_ms": 5, "beside": False, **row}]}
    (_, made), = report.stage_tables({"stages": [one]}, True)
    assert re.search(r"\| the rest \| 2\.00 \|", made)


def test_outputs_makes_several_of_one_decode(photo, tmp_path):
    program = built("outputs")
    subprocess.run([program, "2", photo, "100", "80", tmp_path / "a.jpg", "50", "80", tmp_path / "b.png"], check=True)
    assert Image.open(tmp_path / "a.jpg").size == (100, 67) and Image.open(tmp_path / "b.png").size == (50, 33)
    assert subprocess.run([program, "1", photo, "100", "80"], capture_output=True).returncode == 2
    refused = subprocess.run([program, "1", tmp_path / "none.jpg", "100", "80", tmp_path / "c.jpg"], capture_output=True, text=True)
    assert refused.returncode == 1 and "none.jpg" in refused.stderr


def test_the_page_s_commands_have_only_options_that_there_are(cache):
    text = (ROOT / "docs/performance.md").read_text()
    lines = [line.split("#")[0] for block in re.findall(r"```sh\n(.*?)```", text, re.S) for line in block.splitlines()]
    help_of = {"bench/compare": compare(cache, "--help").stdout, "bench/stages": subprocess.run([built("stages")], capture_output=True, text=True).stderr}
    for tool, told in help_of.items():
        shown = [line.split(tool)[1] for line in lines if tool in line]
        options = set(re.findall(r"--[a-z-]+", " ".join(shown)))
        assert len(shown) >= 2 and options and all(option in told for option in options), (tool, options)
    for case in re.findall(r"--case ([\w-]+)", text):
        assert f'Case("{case}"' in (ROOT / "bench/comparing/cases.py").read_text()
