"""What was found, as text, Markdown, JSON and a plot; and where it is kept."""
import json
import re
import statistics
import sys

from . import plot


def table(headings, rows, markdown):
    """Columns; those that hold numbers are flush right."""
    rows = [[str(cell) for cell in row] for row in rows]
    right = [k > 0 and all(re.match(r"^[-–−≤≥(]?\d|^[–-]?$", row[k]) for row in rows) for k in range(len(headings))]
    if markdown:
        lines = ["| " + " | ".join(headings) + " |", "|" + "|".join("--:" if r else "---" for r in right) + "|"]
        return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"
    widths = [max(len(line[k]) for line in [headings, *rows]) for k in range(len(headings))]
    return "\n".join("  ".join(cell.rjust(w) if r else cell.ljust(w) for cell, w, r in zip(line, widths, right)).rstrip() for line in [headings, *rows]) + "\n"


def number(value, digits=1):
    return "–" if value is None else f"{value:.{digits}f}"


def ratio(found, key="cpu_ms"):
    one = found.get("ours", {}).get(key)
    return f"{one['ratio']:.2f} ({one['low']:.2f}–{one['high']:.2f})" if one else "–"


def short(value):
    return "–" if not value else f"{value:.2f}" if value >= 0.1 else f"1/{1 / value:.0f}"


def summary(results, markdown):
    rows = []
    names = [name for name in ("sharp", "Pillow", "vipsthumbnail", "GraphicsMagick", "ImageMagick") if name in results["versions"]]
    for case in results["cases"]:
        who, by = case["contestants"], case["by"]
        ours, sharp = who.get(case["ours"], {}), who.get("sharp", {})
        if not ours.get("cpu_ms"):
            continue
        rows.append([case["title"], *(number(who.get(name, {}).get(by + "_min")) for name in (case["ours"], *names)), ratio(sharp, by),
                     number(sharp.get("ours", {}).get(by, {}).get("of_minima"), 3), short(case["goal"]), short(case["moonshot"]),
                     number(ours["rss_mb"]), number(ours.get("pss_mb")), f"{case['rss_goal']:.0f}" if case["rss_goal"] else "–", number(sharp.get("rss_mb"), 0),
                     number(ours.get("raw_psnr")), number(sharp.get("raw_psnr"))])
    return table(["CPU ms a picture, least", "pixmill", *names, "pixmill / sharp", "of minima", "goal", "moonshot", "RSS MB", "all", "goal", "sharp's",
                  "raw dB", "sharp's"], rows, markdown)


def detail(case, markdown):
    rows = []
    for name, found in case["contestants"].items():
        if "failed" in found:
            rows.append([name, found["failed"]] + [""] * 11)
            continue
        rows.append([name + (f" q{found['quality']}" if "quality" in found else ""), number(found["cpu_ms_min"]), number(found["cpu_ms_median"]),
                     number(found["wall_ms_min"]), number(found["rss_mb"]), number(found["pss_mb"]), found["bytes"], number(found.get("raw_psnr"), 2),
                     number(found.get("raw_ssim"), 4), number(found.get("psnr"), 2), number(found.get("ssim"), 4), ratio(found), ratio(found, "wall_ms")])
    about = case["source"]
    title = f"{case['title']} ({case['picture']}, {about['width']}×{about['height']}, {about['bytes'] / 1e6:.2f} MB)"
    return title, table(["", "CPU ms, least", "median", "wall ms", "RSS MB", "all", "bytes", "raw dB", "raw SSIM", "dB", "SSIM", f"{case['ours']} / it, CPU", "wall"],
                        rows, markdown)


def other_rows(results):
    rows = []
    for case in results["others"]:
        ours, sharp = (case["contestants"].get(name, {}) for name in ("pixmill", "sharp"))
        if ours.get("cpu_ms") and sharp.get("cpu_ms"):
            rows.append({"case": case, "ours": ours, "sharp": sharp, "ratio": sharp["ours"]["cpu_ms"]["of_minima"],
                         "raw": ours["raw_psnr"] - sharp["raw_psnr"] if "raw_psnr" in ours and "raw_psnr" in sharp else None,
                         "bytes": ours["bytes"] / sharp["bytes"]})
    return sorted(rows, key=lambda row: row["ratio"])


def kind(row):
    about = row["case"]["source"]
    return about["format"] + (", progressive" if about["progressive"] else "") + (", alpha" if about["mode"] in ("RGBA", "LA", "PA") else "")


def spread(rows, key, digits=2):
    values = [row[key] for row in rows if row[key] is not None]
    return f"median {statistics.median(values):.{digits}f}, {min(values):.{digits}f} to {max(values):.{digits}f}" if values else "–"


def other_lines(results):
    """The few lines that say how it went on the other pictures."""
    rows, lines = other_rows(results), []
    for what, some in [("all", rows)] + [(k, [row for row in rows if kind(row) == k]) for k in sorted({kind(row) for row in rows})]:
        if some:
            lines.append([what, len(some), spread(some, "ratio"), some[0]["case"]["title"], some[-1]["case"]["title"], spread(some, "raw", 1), spread(some, "bytes")])
    return lines


def others(results, markdown, each):
    rows = other_rows(results)
    made = table(["other pictures", "count", "CPU, pixmill / sharp (minima)", "best", "worst", "raw dB, pixmill − sharp", "bytes, pixmill / sharp"],
                 other_lines(results), markdown)
    if each:
        made += "\n" + table(["picture", "kind", "size", "camera", "pixmill ms", "sharp ms", "ratio", "raw dB", "sharp's", "bytes", "sharp's"],
                             [[row["case"]["title"], kind(row), f"{row['case']['source']['width']}×{row['case']['source']['height']}", row["case"]["source"]["camera"],
                               number(row["ours"]["cpu_ms_min"]), number(row["sharp"]["cpu_ms_min"]), number(row["ratio"], 2), number(row["ours"].get("raw_psnr")),
                               number(row["sharp"].get("raw_psnr")), row["ours"]["bytes"], row["sharp"]["bytes"]] for row in rows], markdown)
    return made


def stage_tables(results, markdown):
    for one in results["stages"]:
        pixels = one["width"] * one["height"]
        rows, parts = [], 0
        for stage in one["stages"]:
            parts += 0 if stage.get("beside") else -stage["cpu_ms"] if stage["name"] == "all" else stage["cpu_ms"]
            moved, ms = stage["bytes_in"] + stage["bytes_out"], max(stage["cpu_ms"], 1e-4)
            rows.append([stage["name"], number(stage["cpu_ms"], 2), number(stage["bytes_in"] / 1e6, 2), number(stage["bytes_out"] / 1e6, 2), number(moved / 1e3 / ms, 0),
                         number(pixels / 1e3 / ms, 0), number(stage["limit_ms"], 2), stage["about"]])
        rows.append(["the rest", number(-parts, 2), "", "", "", "", "", "placeholder, alpha, opening and closing: all, less the stages"])
        title = (f"stages of {one['picture']}, decoded at {one['eighths']}/8, to {one['target_width']}×{one['target_height']}; "
                 f"memory reads {one['read_gb_s']:.0f} and writes {one['write_gb_s']:.0f} GB/s")
        yield title, table([one["format"], "CPU ms", "MB in", "MB out", "MB/s", "Mpixel/s", "limit ms", "what it is"], rows, markdown)


def text(results, markdown, each=False):
    machine = results["machine"]
    parts = [f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB, {machine['system']}; {machine['date']}; pixmill at {results['revision']}; "
             f"load {machine['load_before']:.1f} to {machine['load_after']:.1f}; up to {results['rounds']} rounds; one thread each.",
             "; ".join(results["versions"].values()) + "."]
    if results["cases"]:
        parts.append(summary(results, markdown))
        parts.append("Ratios: the median of the paired rounds, and its 95 % interval. RSS: of the biggest process; all: proportional shares of all processes together. "
                     "raw: in front of the encoder, against a float Lanczos-3 of the full decode.")
    if results["others"]:
        parts.append(others(results, markdown, each))
    sections = [detail(case, markdown) for case in results["cases"]] + list(stage_tables(results, markdown))
    parts += [("### " if markdown else "") + title + "\n" + ("\n" if markdown else "") + made for title, made in sections]
    return ("# bench/compare\n\n" if markdown else "") + "\n\n".join(part.rstrip("\n") for part in parts) + "\n"


def slug(words):
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")


def give(results, told):
    if told.json:
        json.dump(results, sys.stdout, indent=1)
        print()
    else:
        print(text(results, told.markdown))
    if told.no_save:
        return
    told.out.mkdir(parents=True, exist_ok=True)
    name = told.out / f"{results['machine']['date']}-{slug(results['machine']['cpu'])}"
    for suffix, made in ((".json", json.dumps(results) + "\n"), (".md", text(results, True, each=True)), (".svg", plot.draw(results))):
        name.with_name(name.name + suffix).write_text(made)
    print(f"saved as {name}.md, .json and .svg", file=sys.stderr)
