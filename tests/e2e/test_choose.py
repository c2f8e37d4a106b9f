"""What pixmill finds by trying: quality, format, and what fits a budget. Through `resize`, where every picture is tried in a process that
can open no file, and through `serve`, whose record says why."""
import json
import statistics
import subprocess

import boto3
import choices
import pytest
from conftest import PROGRAM, Service
from PIL import Image

TARGET = 0.93  # docs/quality.md: `good`


def resize(source, *arguments):
    run = subprocess.run([PROGRAM, "resize", "--json", "--width", "0", *arguments[:-1], str(source), str(arguments[-1])], capture_output=True, text=True)
    return [json.loads(line) for line in run.stdout.splitlines()]


def one(source, *arguments):
    return resize(source, *arguments)[0]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    folder = tmp_path_factory.mktemp("photos")
    for name, image in choices.thirty_photos():
        image.save(folder / f"{name}.png", compress_level=1)
    return folder


@pytest.fixture(scope="module")
def photo(photos):
    small = Image.open(photos / "win0.png").resize((300, 169), Image.LANCZOS)
    small.save(photos.parent / "photo.png")
    return photos.parent / "photo.png"


def by_source(answers):
    return {answer["source"]: answer for answer in answers}


def test_thirty_photos_reach_the_target_with_fewer_bytes_than_quality_80(photos, tmp_path):
    fixed = by_source(resize(photos, "--format", "jpeg", f"{tmp_path}/80/"))
    found = by_source(resize(photos, "--format", "jpeg", "--quality", "auto", f"{tmp_path}/auto/"))
    assert len(found) == len(fixed) == 30
    for answer in found.values():
        likeness, encodes = answer["reason"].removeprefix("SSIM ").removesuffix(" encodes").split(", ")
        assert abs(float(likeness) / TARGET - 1) <= 0.005, answer
        assert 1 <= int(encodes) <= 5, answer
    assert statistics.median(a["bytes"] for a in found.values()) <= statistics.median(a["bytes"] for a in fixed.values())
    assert statistics.median(found[s]["bytes"] / fixed[s]["bytes"] for s in fixed) <= 1
    assert len({answer["quality"] for answer in found.values()}) > 5  # each its own


def test_named_targets_are_in_order(photo, tmp_path):
    sizes = [one(photo, "--quality", "auto", "--target", target, tmp_path / "o.jpg")["bytes"] for target in ("fair", "good", "fine")]
    assert sizes == sorted(set(sizes))


def test_what_fits_is_nearly_the_best_that_fits(photo, tmp_path):
    every = {q: one(photo, "--quality", str(q), tmp_path / "o.jpg")["bytes"] for q in range(1, 101, 1)}
    for most in (100, 80):
        for budget in (3000, 5000, 9000, 15000, 20000):
            best = max(size for q, size in every.items() if q <= most and size <= budget)
            answer = one(photo, "--quality", str(most), "--max-bytes", str(budget), tmp_path / "o.jpg")
            assert 0.9 * best <= answer["bytes"] <= budget and answer["quality"] <= most, (most, budget, best, answer)
            assert (tmp_path / "o.jpg").stat().st_size == answer["bytes"] == every[answer["quality"]]


def test_a_budget_bounds_quality_auto(photo, tmp_path):
    free = one(photo, "--quality", "auto", tmp_path / "o.jpg")
    loose = one(photo, "--quality", "auto", "--max-bytes", "1MB", tmp_path / "o.jpg")
    tight = one(photo, "--quality", "auto", "--max-bytes", str(free["bytes"] * 3 // 4), tmp_path / "o.jpg")
    assert loose["bytes"] == free["bytes"] and loose["reason"] == free["reason"]
    assert tight["bytes"] <= free["bytes"] * 3 // 4 and "max_bytes" in tight["reason"]


def test_a_budget_that_cannot_hold_is_refused_and_leaves_no_file(photo, tmp_path):
    answer = one(photo, "--max-bytes", "500", tmp_path / "o.jpg")
    assert answer["error"]["code"] == "too-many-bytes" and "lowest quality" in answer["error"]["message"]
    answer = one(photo, "--max-bytes", "5kB", tmp_path / "o.png")
    assert answer["error"]["code"] == "too-many-bytes" and "losslessly" in answer["error"]["message"]
    assert list(tmp_path.iterdir()) == []


def test_thirty_eight_of_forty_pictures_get_the_format_that_suits_them(tmp_path):
    wanted = {}
    (tmp_path / "in").mkdir()
    for name, image, suits in choices.forty_labelled():
        image.save(tmp_path / "in" / f"{name}.png", compress_level=1)
        wanted[str(tmp_path / "in" / f"{name}.png")] = suits
    answers = by_source(resize(tmp_path / "in", "--format", "auto", f"{tmp_path}/out/"))
    assert len(answers) == len(wanted) == 40
    wrong = [answers[source] for source, suits in wanted.items() if answers[source]["format"] != suits]
    assert len(wrong) <= 2, wrong
    for answer in answers.values():
        assert answer["output"].endswith(".jpg" if answer["format"] == "jpeg" else ".png")
        assert Image.open(answer["output"]).format == answer["format"].upper()
        assert answer["reason"]


@pytest.mark.parametrize("arguments,says", [(["o.jpg"], "name a folder"), (["--name", "{stem}.jpg", "o/"], "{ext} or {format}")])
def test_no_name_says_a_format_before_it_is_known(photo, tmp_path, arguments, says):
    run = subprocess.run([PROGRAM, "resize", "--format", "auto", str(photo), *arguments], cwd=tmp_path, capture_output=True, text=True)
    assert run.returncode == 2 and says in run.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_chosen_format_goes_to_standard_output(photo):
    run = subprocess.run([PROGRAM, "resize", "--format", "auto", str(photo), "-"], capture_output=True, check=True)
    assert run.stdout[:2] == b"\xff\xd8"


def test_the_record_and_the_log_say_why(photo, tmp_path):
    service = Service("--format", "auto", "--quality", "auto", "--name", "{stem}.{ext}")
    try:
        next(choices.graphics())[1].save(tmp_path / "page.png")
        service.s3.upload_file(str(photo), "source-bucket", "photo.png")
        service.s3.upload_file(str(tmp_path / "page.png"), "source-bucket", "page.png")
        photo_output, page_output = (service.wait_record(key, "done")["Outputs"][0] for key in ("photo.png", "page.png"))
        assert (photo_output["Key"], photo_output["Format"]) == ("photo.jpg", "jpeg")
        assert (page_output["Key"], page_output["Format"]) == ("page.png", "png")
        assert photo_output["Reason"].startswith("a photo; SSIM 0.9") and 20 <= photo_output["Quality"] <= 95
        assert page_output["Reason"].startswith("drawn; png ")
        assert service.s3.head_object(Bucket="processed-bucket", Key="photo.jpg")["ContentType"] == "image/jpeg"
        logs = subprocess.run([PROGRAM, "logs", "--json", "--data", service.data], capture_output=True, text=True).stdout
        said = [line for line in map(json.loads, logs.splitlines()) if line.get("message") == "output"]
        assert {line.get("reason") for line in said} == {photo_output["Reason"], page_output["Reason"]}
    finally:
        service.close()
