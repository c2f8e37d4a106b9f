"""The ratios as a picture: SVG, written by hand.

One line a case on a logarithmic axis: pixmill's CPU time by that of each other contestant (left of 1: pixmill takes less), sharp's with its
95 % interval, and the goal and moonshot as marks. Below it the other pictures, a dot each, sorted."""
import html
import math

COLOURS = {"sharp": "#c0392b", "Pillow": "#2e86c1", "vipsthumbnail": "#b7950b", "GraphicsMagick": "#7d3c98", "ImageMagick": "#566573", "sharp, mozjpeg": "#e59866"}
LEFT, RIGHT, LINE, TOP, STRIP = 250, 30, 26, 92, 150
WIDTH = 960
TICKS = [0.02, 0.03, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5]


class Sheet:
    def __init__(self, low, high):
        self.parts, self.low, self.high = [], math.log(low), math.log(high)

    def x(self, ratio):
        share = (math.log(min(max(ratio, math.exp(self.low)), math.exp(self.high))) - self.low) / (self.high - self.low)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def add(self, element, text=None, **attributes):
        words = " ".join(f'{key.replace("_", "-")}="{value if isinstance(value, str) else f"{value:.1f}"}"' for key, value in attributes.items())
        self.parts.append(f"<{element} {words}" + (f">{html.escape(text)}</{element}>" if text is not None else "/>"))

    def text(self, x, y, words, **more):
        self.add("text", words, x=x, y=y, **{"font_size": "12", "fill": "#222", **more})

    def dot(self, ratio, y, colour, size=4.5, hint=""):
        self.parts.append(f'<circle cx="{self.x(ratio):.1f}" cy="{y:.1f}" r="{size}" fill="{colour}"><title>{html.escape(hint)}</title></circle>')


def axis(sheet, top, bottom):
    for tick in TICKS:
        if sheet.low - 1e-9 <= math.log(tick) <= sheet.high + 1e-9:
            x = sheet.x(tick)
            sheet.add("line", x1=x, x2=x, y1=top, y2=bottom, stroke="#222" if tick == 1 else "#ddd", stroke_width="1.4" if tick == 1 else "1")
            sheet.text(x, top - 6, f"{tick:g}", text_anchor="middle", font_size="11", fill="#666")


def legend(sheet, names):
    x = 20.0
    for name in names:
        sheet.add("circle", cx=x, cy=50.0, r="4.5", fill=COLOURS.get(name, "#888"))
        sheet.text(x + 9, 54, f"/ {name}")
        x += 34 + 7 * len(name)
    for colour, words in (("#1e8449", "goal"), ("#2874a6", "moonshot")):
        sheet.add("rect", x=x, y=42.0, width="3", height="16", fill=colour)
        sheet.text(x + 8, 54, words)
        x += 26 + 7 * len(words)


def case_line(sheet, case, y):
    sheet.text(LEFT - 12, y + 4, case["title"], text_anchor="end")
    for colour, value in (("#1e8449", case["goal"]), ("#2874a6", case["moonshot"])):
        if value:
            sheet.add("rect", x=sheet.x(value) - 1.5, y=y - 9, width="3", height="18", fill=colour)
    for name, found in case["contestants"].items():
        one = found.get("ours", {}).get(case["by"])
        if not one:
            continue
        if name == "sharp":
            sheet.add("line", x1=sheet.x(one["low"]), x2=sheet.x(one["high"]), y1=y, y2=y, stroke=COLOURS["sharp"], stroke_width="2")
        sheet.dot(one["ratio"], y, COLOURS.get(name, "#888"), 5 if name == "sharp" else 3.5, f"{case['title']}: {one['ratio']:.3f} of {name}")


def strip(sheet, rows, top):
    """A dot for each other picture, from the least ratio to the greatest."""
    sheet.text(LEFT - 12, top + 14, f"{len(rows)} other pictures / sharp", text_anchor="end")
    colours = {"jpeg": "#c0392b", "jpeg, progressive": "#e67e22", "png": "#16a085", "png, alpha": "#2471a3"}
    for i, (kind, colour) in enumerate(colours.items()):
        sheet.add("circle", cx=LEFT - 130, cy=top + 32 + 18 * i, r="4", fill=colour)
        sheet.text(LEFT - 120, top + 36 + 18 * i, kind)
    for i, row in enumerate(rows):
        y = top + 8 + (STRIP - 16) * i / max(len(rows) - 1, 1)
        sheet.dot(row["ratio"], y, colours.get(row["kind"], "#888"), 2.8, f"{row['title']}: {row['ratio']:.2f}")


def draw(results):
    from .report import kind, other_rows
    cases = [case for case in results["cases"] if any("ours" in found for found in case["contestants"].values())]
    rows = [{"ratio": row["ratio"], "kind": kind(row), "title": row["case"]["title"]} for row in other_rows(results)]
    ratios = [one["ours"][case["by"]]["ratio"] for case in cases for one in case["contestants"].values() if "ours" in one] + [row["ratio"] for row in rows]
    goals = [value for case in cases for value in (case["goal"], case["moonshot"]) if value]
    low, high = max(min(ratios + goals + [0.5]) * 0.9, 0.01), max(ratios + [1.2]) * 1.1
    sheet, bottom = Sheet(low, high), TOP + LINE * len(cases)
    machine = results["machine"]
    sheet.text(16, 24, "pixmill's CPU time, as a share of the others'", font_size="16", font_weight="bold")
    sheet.text(428, 24, "left of 1: pixmill takes less", fill="#666")
    sheet.text(WIDTH - RIGHT, 24, f"{machine['cpu']}, {machine['date']}, {results['revision']}", text_anchor="end", fill="#666")
    legend(sheet, [name for name in COLOURS if any("ours" in case["contestants"].get(name, {}) for case in cases)])
    axis(sheet, TOP - 8, bottom + (STRIP + 12 if rows else 0))
    for i, case in enumerate(cases):
        case_line(sheet, case, TOP + LINE * i + LINE / 2 - 4)
    if rows:
        sheet.add("line", x1=16.0, x2=float(WIDTH - RIGHT), y1=bottom + 2, y2=bottom + 2, stroke="#bbb")
        strip(sheet, rows, bottom + 6)
    height = bottom + (STRIP + 30 if rows else 16)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" font-family="sans-serif">\n'
            f'<rect width="{WIDTH}" height="{height}" fill="white"/>\n' + "\n".join(sheet.parts) + "\n</svg>\n")
