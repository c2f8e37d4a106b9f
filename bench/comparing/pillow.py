"""python3 pillow.py '{"input":…,"outputs":[{"path":…,"width":…,"options":{…}}],"count":…,"warm":…}': as bench/sharp/compare.js, by Pillow."""
import json
import resource
import sys
import time

from PIL import Image, ImageOps

Image.MAX_IMAGE_PIXELS = None


def once(told):
    for output in told["outputs"]:
        image = Image.open(told["input"])
        image.thumbnail((output["width"], 1 << 20), Image.Resampling.LANCZOS)  # draft and reducing gap, as its documentation says
        image = ImageOps.exif_transpose(image)
        if output["path"].endswith(".jpg"):
            if image.mode in ("RGBA", "LA", "P", "PA"):
                image = image.convert("RGBA")
                flat = Image.new("RGB", image.size, "white")
                flat.paste(image, mask=image.getchannel("A"))
                image = flat
            image = image.convert("RGB")
        image.save(output["path"], **output["options"])


def main():
    told = json.loads(sys.argv[1])
    if told["warm"]:
        once(told)
    before, begin = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    for _ in range(told["count"]):
        once(told)
    wall, after = time.monotonic() - begin, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(json.dumps({"cpu_ms": cpu * 1000 / told["count"], "wall_ms": wall * 1000 / told["count"]}))


main()
