#!/usr/bin/env python3
"""How long one small picture takes, from the program's start to its end: python3 bench/startup.py [RUNS [OTHER_PROGRAM]].

`pixmill resize` of a 64x48 PNG, sandbox included, beside `pixmill --version` and `true`: CPU time of all processes and wall time, in turn.
Where it goes: `LD_DEBUG=statistics pixmill --version`, `strace -f -r pixmill resize …`. On a machine that is not idle, read the CPU time."""
import os
import pathlib
import resource
import shutil
import statistics
import struct
import subprocess
import sys
import tempfile
import time
import zlib

program = os.environ.get("PIXMILL", str(pathlib.Path(__file__).resolve().parents[1] / "build/pixmill"))
runs = int(sys.argv[1]) if len(sys.argv) > 1 else 50


def tiny():
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    rows = b"".join(b"\0" + bytes((x * 4 + y * 2 + c * 40) % 256 for x in range(64) for c in range(3)) for y in range(48))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 48, 8, 2, 0, 0, 0)) + chunk(b"IDAT", zlib.compress(rows))
            + chunk(b"IEND", b""))


def run(command):
    """(CPU ms of all processes, wall ms)."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * 1000, wall * 1000


with tempfile.TemporaryDirectory() as folder:
    picture, output = pathlib.Path(folder) / "tiny.png", pathlib.Path(folder) / "tiny.jpg"
    picture.write_bytes(tiny())
    commands = {"pixmill resize": [program, "resize", str(picture), str(output)], "pixmill --version": [program, "--version"],
                "true": [shutil.which("true")]}
    if len(sys.argv) > 2:
        commands["the other's resize"] = [sys.argv[2], "resize", str(picture), str(output)]
    figures = {name: [] for name in commands}
    for _ in range(runs):
        for name, command in commands.items():
            figures[name].append(run(command))
    for name, pairs in figures.items():
        cpu, wall = zip(*pairs)
        print(f"{name:<20} CPU median {statistics.median(cpu):5.2f} ms, least {min(cpu):5.2f}; wall median {statistics.median(wall):6.2f}, least {min(wall):5.2f}")
