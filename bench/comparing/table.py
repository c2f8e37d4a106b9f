"""Runs the cases: first everybody once, for memory, quality and how long it takes; then the paired rounds."""
import json
import math
import os
import pathlib
import platform
import statistics
import sys
import tempfile

from .cases import CASES, JPEG_800, Case
from .contestants import everybody, first_line, present
from .measure import Failed, here, in_turn, paired, run
from .pictures import about, others, picture
from .quality import Reference

MOST_COPIES = 20


def say(*words):
    print(*words, file=sys.stderr, flush=True)


def machine():
    def field(path, name, default="unknown"):
        lines = [line.split(sep, 1)[1].strip().strip('"') for line in open(path) for sep in (":", "=") if line.split(sep)[0].strip() == name]
        return lines[0] if lines else default
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / (1 << 30)
    return {"cpu": field("/proc/cpuinfo", "model name", platform.machine()), "cores": os.cpu_count(), "memory_gib": round(memory),
            "system": field("/etc/os-release", "PRETTY_NAME"), "kernel": platform.release(), "load_before": os.getloadavg()[0]}


def revision():
    return first_line("git", "-C", str(here), "describe", "--always", "--dirty", "--abbrev=12")


class Trial:
    """One case among those who can take part."""

    def __init__(self, case, source, who, told, folder):
        self.case, self.source, self.who, self.told, self.folder = case, pathlib.Path(source), {one.name: one for one in who}, told, folder
        self.outputs = {name: [dict(output) for output in case.outputs] for name in self.who}
        self.found = {name: {"cpu_ms": [], "wall_ms": [], "in_rounds": []} for name in self.who}
        self.reference = Reference(source) if case.quality else None

    def make(self, name, outputs=None, count=1, warm=False):
        return self.who[name].make(self.source, outputs or self.outputs[name], self.folder, count, warm)

    def drop(self, name, failure):
        say(f"  {name} cannot: {failure}")
        self.who.pop(name)
        self.found[name] = {"failed": str(failure)}

    def begin(self):
        """Everybody once: memory, quality."""
        for name in list(self.who):
            one, found = self.who[name], self.found[name]
            try:
                one.sample = True
                first = self.make(name)
                one.sample = False
                found.update(rss_mb=first["rss_mb"], pss_mb=first["pss_mb"], first_ms=first["cpu_ms"])
                self.look(name)
            except Failed as failure:
                one.sample = False
                self.drop(name, failure)

    def look(self, name):
        """What the last run of a contestant made."""
        one, found = self.who[name], self.found[name]
        paths = [one.path(self.folder, output) for output in self.outputs[name]]
        missing = [path.name for path in paths if not path.exists()]
        if missing:
            raise Failed(f"it made no {missing[0]}")
        found["bytes"] = sum(path.stat().st_size for path in paths)
        if self.reference and self.reference.known:
            judged = [self.reference.judge(path) for path in paths]
            found.update(psnr=min(one["psnr"] for one in judged), ssim=min((one["ssim"] for one in judged if one["ssim"] is not None), default=None), size=judged[0]["size"])

    def look_raw(self, name):
        """The pixels in front of the encoder: what a contestant makes as PNG."""
        if not self.reference or not self.reference.known:
            return
        raw = [{**output, "format": "png", "quality": None} for output in self.outputs[name]]
        try:
            self.make(name, raw)
            judged = [self.reference.judge(self.who[name].path(self.folder, output)) for output in raw]
            self.found[name].update(raw_psnr=min(one["psnr"] for one in judged), raw_ssim=min(one["ssim"] for one in judged))
        except (Failed, OSError) as failure:
            say(f"  {name}: no PNG: {failure}")

    def match(self):
        """The lowest quality of each other contestant whose SSIM reaches that of the one that is matched."""
        target = self.found[self.case.match].get("ssim") if self.case.match in self.who else None
        for name in [name for name in self.who if name != self.case.match and target]:
            low, high = 1, 100
            while low < high:
                quality = (low + high) // 2
                self.outputs[name][0]["quality"] = quality
                self.make(name)
                self.look(name)
                low, high = (low, quality) if self.found[name]["ssim"] >= target else (quality + 1, high)
            self.outputs[name][0]["quality"] = low
            self.make(name)
            self.look(name)
            self.found[name]["quality"] = low

    def rounds(self):
        count = {name: 1 if self.case.cold else max(1, min(MOST_COPIES, math.ceil(self.told.ms / max(self.found[name]["first_ms"], 1)))) for name in self.who}
        rounds = min(self.told.rounds, self.case.rounds or self.told.rounds)
        rarely = [name for name in self.who if name not in (self.case.ours, "sharp")]
        for i, name in in_turn(list(self.who), rounds):
            if name in rarely and i % 3:
                continue  # they are slow, and nobody's goal
            got = self.make(name, count=count[name], warm=not self.case.cold)
            cold = self.case.cold  # the whole process, as the launcher saw it
            for key in ("cpu_ms", "wall_ms"):
                self.found[name][key].append(got["whole_" + key] if cold else got[key])
            self.found[name]["in_rounds"].append(i)

    def run(self):
        self.begin()
        if self.case.match:
            self.match()
        for name in list(self.who):
            self.look_raw(name)
        self.rounds()
        return self.summary()

    def summary(self):
        ours = self.found.get(self.case.ours, {})
        for name, found in self.found.items():
            if found.get("cpu_ms"):
                found.update({f"{key}_{which.__name__}": which(found[key]) for key in ("cpu_ms", "wall_ms") for which in (min, statistics.median)})
                if name != self.case.ours and ours.get("cpu_ms"):
                    found["ours"] = {key: paired([ours[key][i] for i in found["in_rounds"]], found[key]) for key in ("cpu_ms", "wall_ms")}
        case = {key: getattr(self.case, key) for key in ("id", "title", "ours", "by", "goal", "moonshot", "rss_goal")}
        return {**case, "picture": self.source.name, "source": about(self.source), "outputs": self.case.outputs, "contestants": self.found}


def wanted(told):
    """[(case, path or None)]: of None the picture is made later."""
    if told.pictures:
        if missing := [path for path in told.pictures if not pathlib.Path(path).exists()]:
            sys.exit(f"compare: there is no picture {missing[0]}")
        return [(Case(pathlib.Path(path).stem, pathlib.Path(path).name, path), pathlib.Path(path)) for path in told.pictures]
    known = [case.id for case in CASES] + ["others"]
    for word in told.case:
        if word not in known:
            sys.exit(f"compare: there is no case {word}; there are: {' '.join(known)}")
    return [(case, None) for case in CASES if (case.id in told.case if told.case else case.quick or not told.quick)]


def trial(case, path, who, told):
    path = path or picture(case.picture)
    say(f"{case.id}: {path.name}")
    with tempfile.TemporaryDirectory() as folder:
        return Trial(case, path, [one for one in who if one.name in case.who], told, pathlib.Path(folder)).run()


def stages(told):
    """The table of bench/stages for the two main paths."""
    program, found = told.program.parent / "bench/stages", []
    if not program.exists():
        say("stages are left out: they need a build with -Dbench=true")
        return found
    for name in ("elephants-12mp.jpg", "elephants-5mp.png"):
        say(f"stages: {name}")
        found.append({"picture": name, **json.loads(run([program, "--json", "--rounds", told.rounds * 2, picture(name)])["out"])})
    return found


def fill(results, cases, who, told):
    for case, path in cases:
        if case.ours != "pixmill" and case.ours not in [one.name for one in who]:
            say(f"{case.id} is left out: there is no {case.ours}")
            continue
        try:
            results["cases"].append(trial(case, path, who, told))
        except (Failed, OSError) as failure:  # Pillow's word for what is no picture is an OSError
            say(f"{case.id} is left out: {failure}")
    if not told.pictures and not told.case:
        results["stages"] = stages(told)
    if not told.pictures and not told.quick and (not told.case or "others" in told.case):
        few = type(told)(**{**vars(told), "rounds": min(3, told.rounds), "ms": min(200, told.ms)})
        for name, path in others():
            try:
                results["others"].append(trial(Case(name, name, path.name, JPEG_800, ("pixmill", "sharp")), path, who, few))
            except (Failed, OSError) as failure:
                say(f"{name} is left out: {failure}")


def compare(told):
    contestants = everybody(told.program)
    if told.only:
        names = told.only.split(",")
        if unknown := set(names) - {one.name for one in contestants}:
            sys.exit(f"compare: there is no {', '.join(unknown)}; there are: {', '.join(one.name for one in contestants)}")
        contestants = [one for one in contestants if one.name in names]
    cases = wanted(told)
    who = present(contestants, told)
    if not who:
        sys.exit("compare: nobody is left to take part")
    results = {"machine": machine(), "revision": revision(), "versions": {one.name: one.version for one in who}, "rounds": told.rounds, "cases": [], "others": [],
               "stages": []}
    try:
        fill(results, cases, who, told)
    except KeyboardInterrupt:
        say("interrupted: this is what there is")
    results["machine"]["load_after"] = os.getloadavg()[0]
    return results
