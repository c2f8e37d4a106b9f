"""What a command takes: CPU and wall time, memory, of all its processes; and what paired runs say about a ratio.

Times and the peak of the biggest process come from bench/launch.c, which waits for every descendant. The memory of all processes together
(their proportional shares, so that what they share counts once) is sampled, in a run of its own, because looking costs time."""
import json
import os
import pathlib
import random
import statistics
import subprocess
import tempfile
import time

here = pathlib.Path(__file__).resolve().parents[1]
cache = pathlib.Path(os.environ.get("PIXMILL_BENCH_CACHE", here / ".cache"))

# One thread each, one language, and nothing else of the caller's.
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/sbin:/sbin:/usr/bin:/bin:/usr/local/bin", "HOME": os.environ.get("HOME", "/"), "LANG": "C.UTF-8",
               "VIPS_CONCURRENCY": "1", "OMP_NUM_THREADS": "1", "OMP_THREAD_LIMIT": "1", "MAGICK_THREAD_LIMIT": "1", "UV_THREADPOOL_SIZE": "1"}


class Failed(Exception):
    pass


def launcher():
    """The little program that measures, compiled at need."""
    source, program = here / "launch.c", cache / "launch"
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        cache.mkdir(parents=True, exist_ok=True)
        made = program.with_name(f"launch.{os.getpid()}")
        subprocess.run([os.environ.get("CC", "cc"), "-O2", "-D_GNU_SOURCE", "-o", made, source], check=True)
        made.replace(program)
    return program


def descendants(pid):
    for task in pathlib.Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            yield child
            yield from descendants(child)


def proportional_kb(pid):
    total = 0
    for one in descendants(pid):
        try:
            for line in open(f"/proc/{one}/smaps_rollup"):
                if line.startswith("Pss:"):
                    total += int(line.split()[1])
        except OSError:
            pass
    return total


def run(command, cwd=None, sample=False, environment=None):
    """Runs to the end: {cpu_ms, wall_ms, rss_mb (of the biggest process), out, pss_mb (of all; if `sample`)}. Who knows better what a picture
    took replaces the first two; whole_cpu_ms and whole_wall_ms stay."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err, tempfile.TemporaryFile("w+") as figures:
        def hand_over():
            os.dup2(figures.fileno(), 3)
        process = subprocess.Popen([launcher(), *map(str, command)], stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=cwd,
                                   env={**ENVIRONMENT, **(environment or {})}, preexec_fn=hand_over, pass_fds=(3,))
        pss = 0
        while sample and process.poll() is None:
            try:
                pss = max(pss, proportional_kb(process.pid))
            except OSError:
                pass
            time.sleep(0.002)
        process.wait()
        for file in (out, err, figures):
            file.seek(0)
        if process.returncode:
            raise Failed((err.read().strip() or out.read().strip() or f"exit code {process.returncode}").splitlines()[-1])
        told = json.loads(figures.read())
        cpu = told["user_ms"] + told["system_ms"]
        return {"cpu_ms": cpu, "wall_ms": told["wall_ms"], "whole_cpu_ms": cpu, "whole_wall_ms": told["wall_ms"], "rss_mb": told["rss_kb"] / 1000,
                "pss_mb": pss / 1000, "out": out.read()}


def in_turn(names, rounds):
    """(round, name): each round has every name once, and begins with another one."""
    for i in range(rounds):
        for k in range(len(names)):
            yield i, names[(i + k) % len(names)]


def paired(ours, theirs, tries=2000):
    """The median of the rounds' ratios, and the middle 95 % of it under resampling."""
    ratios = [a / b for a, b in zip(ours, theirs)]
    chance = random.Random(1)
    medians = sorted(statistics.median(chance.choices(ratios, k=len(ratios))) for _ in range(tries))
    return {"ratio": statistics.median(ratios), "low": medians[int(tries * 0.025)], "high": medians[int(tries * 0.975)],
            "of_minima": min(ours) / min(theirs), "rounds": len(ratios)}
