"""How near an output is to the picture: PSNR and SSIM against a float Lanczos-3 of the full decode.

The reference is made from Pillow's full decode (the exact IDCT, smooth chroma), upright, transparency on white, one float plane a channel, and
scaled to whatever size the output has. PSNR is over R, G and B together. SSIM is that of docs/quality.md: luma, windows of 8×8 at every fourth
pixel, K1 = K2 = 0.01. A picture with a profile other than sRGB has no reference: converting its colours is another question."""
import io
import math

from PIL import Image, ImageCms, ImageMath, ImageOps

Image.MAX_IMAGE_PIXELS = None
calculate = ImageMath.lambda_eval


def planes(image):
    """R, G and B as floats, on white."""
    if image.mode in ("LA", "PA", "P", "La") or "transparency" in image.info:
        image = image.convert("RGBA")
    alpha = image.getchannel("A").convert("F") if image.mode == "RGBA" else None
    bands = [band.convert("F") for band in image.convert("RGB").split()] if image.mode != "RGBA" else [band.convert("F") for band in image.split()[:3]]
    if alpha is None:
        return bands
    return [calculate(lambda v: (v["c"] - 255.0) * (v["a"] / 255.0) + 255.0, c=band, a=alpha) for band in bands]


def is_srgb(image):
    profile = image.info.get("icc_profile")
    if not profile:
        return True
    try:
        return "srgb" in ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(profile))).lower()
    except ImageCms.PyCMSError:
        return False


def luma(bands):
    return calculate(lambda v: v["r"] * 0.299 + v["g"] * 0.587 + v["b"] * 0.114, r=bands[0], g=bands[1], b=bands[2])


def mean(plane):
    return plane.resize((1, 1), Image.Resampling.BOX).getpixel((0, 0))


def psnr(a, b):
    error = sum(mean(calculate(lambda v: (v["x"] - v["y"]) * (v["x"] - v["y"]), x=x, y=y)) for x, y in zip(a, b)) / 3
    return 99.0 if error < 1e-8 else 10 * math.log10(255 * 255 / error)


def windows(plane, x, y):
    """The means of whole windows of 8×8 from (x, y) on."""
    width, height = (plane.width - x) // 8 * 8, (plane.height - y) // 8 * 8
    return plane.crop((x, y, x + width, y + height)).reduce(8) if width and height else None


def ssim(a, b, k=(0.01 * 255) ** 2):
    product = {name: calculate(lambda v: v["x"] * v["y"], x=x, y=y) for name, x, y in (("aa", a, a), ("bb", b, b), ("ab", a, b))}
    total, count = 0.0, 0
    for x, y in ((0, 0), (4, 0), (0, 4), (4, 4)):
        if windows(a, x, y) is None:
            continue
        m, n, aa, bb, ab = (windows(plane, x, y) for plane in (a, b, product["aa"], product["bb"], product["ab"]))
        made = calculate(lambda v: (v["m"] * v["n"] * 2 + k) * ((v["ab"] - v["m"] * v["n"]) * 2 + k) / ((v["m"] * v["m"] + v["n"] * v["n"] + k) *
                         ((v["aa"] - v["m"] * v["m"]) + (v["bb"] - v["n"] * v["n"]) + k)), m=m, n=n, aa=aa, bb=bb, ab=ab)
        total += mean(made) * made.width * made.height
        count += made.width * made.height
    return total / count if count else None


class Reference:
    """Of one source; remembers the sizes that it was asked for."""

    def __init__(self, path):
        with Image.open(path) as image:
            self.known = is_srgb(image)
            self.full = planes(ImageOps.exif_transpose(image)) if self.known else None
        self.sizes = {}

    def at(self, size):
        if size not in self.sizes:
            bands = [band.resize(size, Image.Resampling.LANCZOS) for band in self.full]
            bands = [calculate(lambda v: v["min"](v["max"](v["b"], 0.0), 255.0), b=band) for band in bands]  # more no picture can hold
            self.sizes[size] = (bands, luma(bands))
        return self.sizes[size]

    def judge(self, path):
        """{psnr, ssim} of a finished file; None where there is no reference."""
        if not self.known:
            return None
        with Image.open(path) as image:
            made = planes(ImageOps.exif_transpose(image))
        bands, grey = self.at(made[0].size)
        return {"psnr": psnr(bands, made), "ssim": ssim(grey, luma(made)), "size": list(made[0].size)}
