"""Pictures for what pixmill chooses by itself: thirty photos at output size, and forty that are photos or drawn. All are made of the
sample pictures and of Pillow's own means, the same each time. test_choose.py and bench/choose.py take them from here."""
import functools
import pathlib
import random

from PIL import Image, ImageChops, ImageDraw, ImageEnhance, ImageFilter, ImageFont, ImageOps

SAMPLES = pathlib.Path(__file__).resolve().parents[2] / "samples"
PHOTOS = ["sea-sunset.jpg", "names with space/winter forest turned.jpg", "roads/from above+progressive.jpg"]
PARTS = [(0, 0, 1), (0, 0, .5), (.5, 0, .5), (0, .5, .5), (.5, .5, .5), (.25, .25, .5), (.3, .6, .35), (.6, .35, .35), (.05, .4, .3), (.35, .1, .4)]


def crop(image, x, y, part, side=800):
    width, height = image.size
    piece = image.crop((int(x * width), int(y * height), int((x + part) * width), int((y + part) * height)))
    piece.thumbnail((side, side), Image.LANCZOS, reducing_gap=2)
    return piece


@functools.lru_cache
def opened(name, mode="RGB"):
    return ImageOps.exif_transpose(Image.open(SAMPLES / name)).convert(mode)


def thirty_photos():
    """Ten parts each of a smooth, a rich and a finely textured photo."""
    for name in PHOTOS:
        image = opened(name)
        for number, part in enumerate(PARTS):
            yield f"{name.split('/')[-1][:3]}{number}", crop(image, *part)


# ---- photos, or what is like them ----

def grained(image, sigma=12):
    """As a sensor would have seen it."""
    noise = Image.merge("RGB", [Image.effect_noise(image.size, sigma) for _ in range(3)])
    return ImageChops.add(image, noise, 1, -128)


def clouds(size, seed):
    random.seed(seed)
    image = Image.new("RGB", size)
    for cell in (5, 11, 23, 60):
        small = Image.new("RGB", (cell, cell))
        small.putdata([tuple(random.randrange(256) for _ in range(3)) for _ in range(cell * cell)])
        image = Image.blend(image, small.resize(size, Image.BICUBIC), 0.4)
    return image


def photos():
    sea, forest, roads = (opened(name) for name in PHOTOS)
    curve = opened("tür/kurve.png", "RGBA")
    on_white = Image.new("RGB", curve.size, "white")
    on_white.paste(curve, mask=curve.getchannel("A"))
    yield from (("sea", crop(sea, 0, 0, 1)), ("sky", crop(sea, .5, 0, .4)), ("water", crop(sea, .1, .6, .35)), ("sun", crop(sea, .3, .1, .3, 500)))
    yield from (("forest", crop(forest, 0, 0, 1)), ("trunks", crop(forest, .3, .2, .4)), ("snow", crop(forest, 0, .6, .4, 400)), ("forest small", crop(forest, 0, 0, 1, 200)))
    yield from (("roads", crop(roads, 0, 0, 1)), ("crossing", crop(roads, .4, .4, .2)), ("trees", crop(roads, 0, 0, .3)), ("roads small", crop(roads, 0, 0, 1, 160)))
    yield "on white", on_white.resize((600, 600), Image.LANCZOS)
    yield "grey", crop(forest, 0, 0, 1).convert("L")
    yield "overexposed", ImageEnhance.Brightness(crop(forest, 0, 0, 1)).enhance(2.2)
    yield "dark", ImageEnhance.Brightness(crop(sea, 0, 0, 1)).enhance(0.35)
    yield "clouds", grained(clouds((700, 500), 1), 6)
    yield "soft clouds", grained(clouds((640, 480), 2), 2)
    yield "gradient with grain", grained(Image.merge("RGB", [Image.radial_gradient("L").resize((640, 480)), Image.linear_gradient("L").resize((640, 480)), Image.radial_gradient("L").resize((640, 480))]))
    yield "bordered", ImageOps.expand(crop(roads, .2, .2, .6, 640), 60, "white")


# ---- drawn ----

def font(size):
    return ImageFont.load_default(size)


WORDS = "A picture that arrives in one place is resized and optimised into another while a record of what was done is kept for all to see".split()


def text_lines(draw, box, size, colour, seed):
    random.seed(seed)
    x, y, right, bottom = box
    while y + size < bottom:
        draw.text((x, y), " ".join(random.choice(WORDS) for _ in range((right - x) // (size * 3))), fill=colour, font=font(size))
        y += int(size * 1.5)


def page(size, seed, ink="#222222", paper="white", letters=16):
    image = Image.new("RGB", size, paper)
    text_lines(ImageDraw.Draw(image), (20, 20, size[0] - 20, size[1] - 10), letters, ink, seed)
    return image


def window(size, seed, dark=False):
    """A program's window: bars, buttons, a list, text."""
    random.seed(seed)
    paper, bar, ink = ("#1e1e1e", "#333333", "#dddddd") if dark else ("#fafafa", "#e0e4ea", "#202020")
    image = Image.new("RGB", size, paper)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, size[0], 36), fill=bar)
    draw.rectangle((0, 36, 160, size[1]), fill=bar)
    for i in range(9):
        draw.rounded_rectangle((10, 50 + i * 36, 150, 78 + i * 36), 6, fill=random.choice(["#4a90d9", "#57a55a", "#c75450", bar]))
        draw.text((20, 54 + i * 36), random.choice(WORDS), fill=ink, font=font(14))
    text_lines(draw, (180, 60, size[0] - 20, size[1] - 10), 15, ink, seed)
    return image


def smooth(draw_on, size, mode="RGB", back="white"):
    """Drawn at four times the size, so that edges are smooth."""
    large = Image.new(mode, (size[0] * 4, size[1] * 4), back)
    draw_on(ImageDraw.Draw(large), size[0] * 4, size[1] * 4)
    return large.resize(size, Image.LANCZOS)


def logo(draw, w, h):
    draw.ellipse((w * .1, h * .1, w * .9, h * .9), fill="#d03030")
    draw.polygon([(w * .5, h * .2), (w * .8, h * .75), (w * .2, h * .75)], fill="#f0c020")
    draw.rectangle((w * .42, h * .45, w * .58, h * .7), fill="#203060")


def lines(draw, w, h):
    random.seed(5)
    for _ in range(60):
        draw.line([(random.random() * w, random.random() * h) for _ in range(3)], fill="black", width=random.choice([4, 8, 12]), joint="curve")


def bars(draw, w, h):
    random.seed(6)
    for i in range(12):
        draw.rectangle((w * (.06 + i * .075), h * (.1 + .8 * random.random()), w * (.11 + i * .075), h * .92), fill=random.choice(["#4a90d9", "#57a55a", "#c75450"]))
    draw.line((w * .04, h * .92, w * .97, h * .92), fill="black", width=8)


def pie(draw, w, h):
    angles = [0, 70, 150, 190, 280, 360]
    for i, colour in enumerate(["#4a90d9", "#57a55a", "#c75450", "#e0b040", "#8060a0"]):
        draw.pieslice((w * .15, h * .1, w * .85, h * .9), angles[i], angles[i + 1], fill=colour, outline="white", width=12)


def chart(draw, w, h):
    random.seed(7)
    for colour in ("#4a90d9", "#c75450", "#57a55a"):
        draw.line([(w * i / 30, h * (.2 + .6 * random.random())) for i in range(31)], fill=colour, width=12)
    for i in range(11):
        draw.line((0, h * i / 10, w, h * i / 10), fill="#cccccc", width=4)


def country(draw, w, h):
    random.seed(8)
    for _ in range(25):
        x, y = random.random() * w, random.random() * h
        draw.polygon([(x + random.uniform(-.2, .2) * w, y + random.uniform(-.2, .2) * h) for _ in range(6)],
                     fill=random.choice(["#cfe8b0", "#f4e6b8", "#b8d8f0", "#e8c8c8", "#d8d0e8"]), outline="#808080", width=6)


def diagram(draw, w, h):
    for i in range(4):
        for j in range(3):
            x, y = w * (.06 + i * .24), h * (.1 + j * .3)
            draw.rounded_rectangle((x, y, x + w * .16, y + h * .16), 40, fill="#eef4fb", outline="#3060a0", width=8)
            draw.text((x + w * .02, y + h * .05), WORDS[i * 3 + j], fill="#203060", font=font(int(h * .05)))
            draw.line((x + w * .16, y + h * .08, x + w * .24, y + h * .08), fill="#3060a0", width=8)


def code_squares():
    random.seed(9)
    small = Image.new("1", (33, 33))
    small.putdata([random.choice([0, 255]) for _ in range(33 * 33)])
    return small.convert("L").resize((396, 396), Image.NEAREST)


def pixel_art():
    random.seed(10)
    small = Image.new("RGB", (24, 24), "#5090d0")
    for _ in range(40):
        x, y = random.randrange(24), random.randrange(24)
        ImageDraw.Draw(small).rectangle((x, y, x + random.randrange(6), y + random.randrange(6)), fill=random.choice(["#205020", "#30a040", "#e0c040", "#a03020"]))
    return small.resize((480, 480), Image.NEAREST)


def banner():
    image = Image.linear_gradient("L").rotate(90).resize((728, 90))
    image = ImageOps.colorize(image, "#2040a0", "#80c0ff")
    ImageDraw.Draw(image).text((30, 20), "Summer sale: 20 % off", fill="white", font=font(40))
    return image


def shadowed():
    """A logo whose shadow fades away."""
    image = smooth(logo, (300, 300), "RGBA", (0, 0, 0, 0))
    shadow = Image.new("RGBA", image.size, (0, 0, 0, 0))
    shadow.putalpha(image.getchannel("A").point(lambda a: a // 2))
    return Image.alpha_composite(shadow.filter(ImageFilter.GaussianBlur(8)), image)


def graphics():
    screenshot = opened("screenshot.PNG")
    yield from (("page", page((700, 500), 1)), ("fine print", page((640, 640), 2, letters=11)), ("headline", page((600, 300), 3, letters=40)), ("sepia page", page((500, 700), 4, "#4a3520", "#f6ecd8")))
    yield from (("window", window((800, 500), 5)), ("dark window", window((800, 500), 6, True)), ("small window", window((800, 500), 7).resize((400, 250), Image.LANCZOS)))
    yield from (("screenshot", crop(screenshot, 0, 0, 1)), ("screenshot's corner", screenshot.crop((0, 0, 640, 400))))
    yield from (("logo", smooth(logo, (400, 400))), ("logo with alpha", smooth(logo, (400, 400), "RGBA", (0, 0, 0, 0))), ("logo with a shadow", shadowed()), ("icon", smooth(logo, (32, 32), "RGBA", (0, 0, 0, 0))))
    yield from (("line art", smooth(lines, (600, 450), "L")), ("bars", smooth(bars, (640, 400))), ("pie", smooth(pie, (400, 400), "RGBA", (0, 0, 0, 0))), ("chart", smooth(chart, (640, 360))))
    yield from (("map", smooth(country, (640, 480))), ("diagram", smooth(diagram, (720, 420))), ("banner", banner()))


def forty_labelled():
    """(name, picture, the format that suits it)"""
    for name, image in photos():
        yield name, image, "jpeg"
    for name, image in graphics():
        yield name, image, "png"
