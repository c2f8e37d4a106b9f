"""Who is compared: how each is installed, what it says of its version, and how it makes outputs from a picture.

make(source, outputs, folder, count, warm) makes them `count` times and answers {cpu_ms, wall_ms} of one time, {rss_mb, pss_mb} of the run.
An output is {width, format, quality or None}. Commands (pixmill, vipsthumbnail, gm, mogrify) are given `count` copies of the picture in one
process, and all that they take counts, start included; sharp and Pillow run in one process that is warm, and start does not count. So what
is not even favours the others. Each is told to use one thread (measure.ENVIRONMENT), and each makes what it makes without tuning: sRGB, upright,
white behind transparency, no metadata."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys

from .measure import Failed, here, run

EXTENSION = {"jpeg": "jpg", "png": "png", "webp": "webp", "avif": "avif"}


def install(command, packages, told):
    """Installs Debian's `packages` if `command` is missing: where we are root and may."""
    if shutil.which(command, path="/usr/bin:/bin:/usr/local/bin"):
        return
    if os.geteuid() or not told.install or not shutil.which("apt-get"):
        raise Failed(f"not installed: apt-get install {' '.join(packages)}")
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run(["apt-get", "update", "-q"], **quiet)
    done = subprocess.run(["apt-get", "install", "-q", "-y", "--no-install-recommends", *packages], env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, **quiet)
    if done.returncode:
        raise Failed(f"cannot be installed: apt-get install {' '.join(packages)}")


def first_line(*command):
    done = subprocess.run(command, capture_output=True, text=True)
    return (done.stdout or done.stderr).strip().splitlines()[0] if (done.stdout or done.stderr).strip() else ""


def copies(source, folder, count):
    """`count` names of one picture in `folder`/in."""
    inside = folder / "in"
    inside.mkdir(exist_ok=True)
    for old in inside.iterdir():
        old.unlink()
    names = []
    for i in range(count):
        name = inside / f"{i}{source.suffix.lower()}"
        try:
            os.link(source, name)
        except OSError:
            name.symlink_to(source)
        names.append(name)
    return names


class Contestant:
    sample = False  # look at the memory of all its processes, in this run

    def install(self, told):
        pass

    def spent(self, command, count, cwd=None):
        got = run(command, cwd=cwd, sample=self.sample)
        return {**got, "cpu_ms": got["cpu_ms"] / count, "wall_ms": got["wall_ms"] / count}

    def path(self, folder, output):
        """Where an output of the last run is."""
        return folder / f"{self.name}-{output['width']}.{EXTENSION[output['format']]}"


class Pixmill(Contestant):
    """`flags` go to `pixmill resize`."""

    def __init__(self, program, name="pixmill", flags=()):
        self.program, self.name, self.flags = pathlib.Path(program).resolve(), name, list(flags)

    def install(self, told):
        if not self.program.exists():
            raise Failed(f"there is no {self.program}")
        self.help = subprocess.run([self.program, "resize", "--help"], capture_output=True, text=True).stdout
        for flag in self.flags:
            if flag.startswith("--") and flag not in self.help:
                raise Failed(f"this build has no {flag}")
        if "--threads" in self.help:
            self.flags += ["--threads", "1"]
        self.version = first_line(self.program, "--version")

    def path(self, folder, output):
        return folder / self.name / f"{output['width']}" / f"0.{EXTENSION[output['format']]}"

    def make(self, source, outputs, folder, count, warm):
        names = copies(source, folder, count)
        if len(outputs) > 1:
            return self.make_many(source, outputs, folder, count)
        output = outputs[0]
        target = folder / self.name / f"{output['width']}"
        target.mkdir(parents=True, exist_ok=True)
        quality = ["--quality", output["quality"]] if output["quality"] else []
        return self.spent([self.program, "resize", "--jobs", 1, "--json", "--width", output["width"], "--format", output["format"], *quality,
                           *self.flags, "--name", "{stem}.{ext}", *names, target], count)

    def make_many(self, source, outputs, folder, count):
        """Several outputs of one decode are what services ask for; bench/outputs asks the same sandbox for them."""
        program = self.program.parent / "bench/outputs"
        if not program.exists():
            raise Failed("several outputs need a build with bench/outputs (meson setup BUILD -Dbench=true)")
        for output in outputs:
            (folder / self.name / f"{output['width']}").mkdir(parents=True, exist_ok=True)
        given = [word for output in outputs for word in (output["width"], output["quality"] or 80, self.path(folder, output))]
        return self.spent([program, count, source, *given], count)


class Worker(Contestant):
    """A warm process that is told in JSON what to do, and measures itself."""

    def make(self, source, outputs, folder, count, warm):
        told = [{"path": str(self.path(folder, output)), "width": output["width"], "options": self.options(output)} for output in outputs]
        got = run([*self.command, json.dumps({"input": str(source), "outputs": told, "count": count, "warm": warm})], sample=self.sample)
        return {**got, **json.loads(got["out"])}


def is_new(version):
    """sharp wants Node.js 20.9."""
    return [int(part) for part in re.findall(r"\d+", version)[:2]] >= [20, 9]


class Sharp(Worker):
    def __init__(self, name="sharp", extra=None):
        self.name, self.extra = name, extra or {}
        self.command = ["node", here / "sharp/compare.js"]

    def install(self, told):
        install("node", ["nodejs", "npm"], told)
        if not (here / "sharp/node_modules/sharp").exists():
            self.npm(told)
        if not is_new(first_line("node", "--version")):  # than a distribution's may be; npm has it as a package
            node = here / "sharp/node_modules/.bin/node"
            if not node.exists():
                self.npm(told, "--no-save", "node@22")
            self.command[0] = str(node)
        asked = "import sharp from 'sharp'; console.log(`sharp ${sharp.versions.sharp}, libvips ${sharp.versions.vips}, node ${process.version}`)"
        done = subprocess.run([self.command[0], "--input-type=module", "-e", asked], cwd=here / "sharp", capture_output=True, text=True)
        if done.returncode:
            raise Failed("sharp does not run here: " + (done.stderr.strip() or "no word").splitlines()[-1])
        self.version = done.stdout.strip()

    def npm(self, told, *words):
        if not told.install or not shutil.which("npm"):
            raise Failed("not installed: npm install, in bench/sharp")
        done = subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund", *words], cwd=here / "sharp", capture_output=True, text=True)
        if done.returncode:
            raise Failed("npm cannot install sharp: " + (done.stderr.strip() or "no word").splitlines()[0])

    def options(self, output):
        if output["format"] == "png":
            return {"compressionLevel": 1}
        return {"quality": output["quality"], **(self.extra if output["format"] == "jpeg" else {}),
                **({"chromaSubsampling": "4:4:4"} if output["format"] == "jpeg" and output["quality"] >= 90 else {})}


class Pillow(Worker):
    name = "Pillow"

    def __init__(self):
        self.command = [sys.executable, here / "comparing/pillow.py"]

    def install(self, told):
        import PIL
        self.version = f"Pillow {PIL.__version__}, Python {sys.version.split()[0]}"

    def options(self, output):
        return {"compress_level": 1} if output["format"] == "png" else {"quality": output["quality"]}


class Vips(Contestant):
    name = "vipsthumbnail"

    def install(self, told):
        install("vipsthumbnail", ["libvips-tools"], told)
        self.version = first_line("vipsthumbnail", "--vips-version") or first_line("vips", "--version")

    def path(self, folder, output):
        return folder / self.name / f"{output['width']}-0.{EXTENSION[output['format']]}"

    def make(self, source, outputs, folder, count, warm):
        (folder / self.name).mkdir(exist_ok=True)
        names, total = copies(source, folder, count), None
        for output in outputs:
            saver = {"jpeg": "optimize_coding", "png": "compression=1", "webp": "", "avif": ""}[output["format"]]
            saver = ",".join(word for word in (f"Q={output['quality']}" if output["quality"] else "", saver, "strip") if word)
            where = folder / self.name / f"{output['width']}-%s.{EXTENSION[output['format']]}[{saver}]"
            total = add(total, self.spent(["vipsthumbnail", "--size", f"{output['width']}x>", "-o", where, *names], count))
        return total


def add(total, one):
    if not total:
        return one
    return {**{key: total[key] + one[key] for key in ("cpu_ms", "wall_ms")}, **{key: max(total[key], one[key]) for key in ("rss_mb", "pss_mb")}}


class Magick(Contestant):
    """ImageMagick's mogrify, or GraphicsMagick's, which is its elder sister."""

    def __init__(self, name, command, package, folder_flag):
        self.name, self.command, self.package, self.folder_flag = name, command, package, folder_flag

    def install(self, told):
        install(self.command[0], [self.package], told)
        self.version = re.sub(r"\s+(http|Q\d).*|Version: ", "", first_line(self.command[0], "-version"))
        if self.name.split()[0] not in self.version:
            raise Failed(f"{self.command[0]} is something else: {self.version}")

    def path(self, folder, output):
        return folder / self.name / f"{output['width']}" / f"0.{EXTENSION[output['format']]}"

    def make(self, source, outputs, folder, count, warm):
        names, total = [name.name for name in copies(source, folder, count)], None
        for output in outputs:
            target = folder / self.name / f"{output['width']}"
            target.mkdir(parents=True, exist_ok=True)
            quality = ["-quality", output["quality"] or 10]  # of PNG: zlib's level 1
            total = add(total, self.spent([*self.command, self.folder_flag, target, "-format", EXTENSION[output["format"]], "-auto-orient",
                                           "-resize", f"{output['width']}x>", "-background", "white", *quality, "-strip", *names], count, cwd=folder / "in"))
        return total


def everybody(program):
    return [Pixmill(program), Pixmill(program, "pixmill, best", ["--resampling", "best"]), Sharp(), Sharp("sharp, mozjpeg", {"mozjpeg": True}), Pillow(), Vips(),
            Magick("GraphicsMagick", ["gm", "mogrify"], "graphicsmagick", "-output-directory"),
            Magick("ImageMagick", ["mogrify"], "imagemagick", "-path")]


def present(wanted, told):
    """Those that can take part; who is left out is told why."""
    found = []
    for one in wanted:
        try:
            one.install(told)
            found.append(one)
        except Failed as failure:
            print(f"{one.name} is left out: {failure}", file=sys.stderr)
    return found
