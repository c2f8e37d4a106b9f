"""What is compared: each case is one line of work, its picture, its outputs, and how near to sharp pixmill is to come."""
import dataclasses

JPEG_800 = [{"width": 800, "format": "jpeg", "quality": 80}]
EVERYBODY = ("pixmill", "sharp", "Pillow", "vipsthumbnail", "GraphicsMagick", "ImageMagick")


@dataclasses.dataclass
class Case:
    id: str
    title: str
    picture: str
    outputs: list = dataclasses.field(default_factory=lambda: JPEG_800)
    who: tuple = EVERYBODY
    ours: str = "pixmill"    # the contestant that the goal is for
    by: str = "cpu_ms"       # what the ratios are of
    goal: float = 0          # pixmill / sharp; 0: none
    moonshot: float = 0
    rss_goal: float = 0      # MB
    quality: bool = True     # compare with the reference
    match: str = ""          # pixmill's quality is the lowest at which its SSIM reaches that of this contestant
    cold: bool = False       # whole processes, one picture each
    quick: bool = False
    rounds: int = 0          # at most; 0: as asked


def webp(quality=80):
    return [{"width": 800, "format": "webp", "quality": quality}]


CASES = [
    Case("jpeg-12mp", "12 MP JPEG → JPEG", "elephants-12mp.jpg", goal=0.5, moonshot=0.35, rss_goal=24, quick=True),
    Case("jpeg-12mp-best", "12 MP JPEG → JPEG, best", "elephants-12mp.jpg", who=("pixmill, best", "sharp"), ours="pixmill, best", goal=0.75, moonshot=0.6),
    Case("jpeg-6mp", "6 MP JPEG → JPEG", "elephants-6mp.jpg", goal=0.5, moonshot=0.35),
    Case("jpeg-18mp", "18 MP JPEG → JPEG", "elephants-18mp.jpg", goal=0.5, moonshot=0.35),
    Case("progressive-12mp", "12 MP progressive JPEG → JPEG", "elephants-12mp-progressive.jpg", goal=0.5, moonshot=0.35),
    Case("png-5mp", "2560×1920 PNG → JPEG", "elephants-5mp.png", goal=0.65, moonshot=0.5, quick=True),
    Case("webp-webp", "12 MP WebP → WebP", "elephants-12mp.webp", webp(), ("pixmill", "sharp", "Pillow", "vipsthumbnail"), goal=0.95, moonshot=0.7),
    Case("jpeg-webp", "12 MP JPEG → WebP", "elephants-12mp.jpg", webp(), ("pixmill", "sharp", "Pillow", "vipsthumbnail"), goal=0.95, moonshot=0.7),
    Case("jpeg-avif", "12 MP JPEG → AVIF, equal SSIM", "elephants-12mp.jpg", [{"width": 800, "format": "avif", "quality": 50}], ("pixmill", "sharp"),
         goal=0.3, moonshot=0.1, match="sharp", rounds=5),
    Case("five-widths", "five widths of a 12 MP JPEG", "elephants-12mp.jpg", [{"width": w, "format": "jpeg", "quality": 80} for w in (320, 640, 800, 1280, 1920)],
         ("pixmill", "sharp"), goal=0.3, moonshot=0.2),
    Case("jpeg-equal", "12 MP JPEG → JPEG, equal SSIM", "elephants-12mp.jpg", who=("pixmill", "sharp", "sharp, mozjpeg"), match="sharp", rounds=3),
    Case("jpeg-100mp", "100 MP JPEG → JPEG", "elephants-100mp.jpg", rss_goal=40, quality=False, rounds=3),
    Case("png-100mp", "100 MP PNG → JPEG", "elephants-100mp.png", rss_goal=40, quality=False, rounds=2),
    Case("start", "start, a picture of 64×48, end (wall)", "tiny.png", by="wall_ms", goal=1 / 30, moonshot=1 / 100, quality=False, cold=True, quick=True),
]
