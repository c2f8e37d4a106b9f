#!/usr/bin/env python3
"""What it costs to start the packaged program, against the same one as it was built.

  tests/package/start.py PROGRAM FOLDER [ROUNDS]     FOLDER: the package, unpacked (dist/lambda)

Both run in turn, the package at /var/task in a mount namespace of its own and under Lambda's LD_LIBRARY_PATH. Says the least and the
median processor time (user and system, its child's too) of each, and their ratio.
"""
import os
import statistics
import subprocess
import sys
import tempfile

TASK = "/var/task"
LAMBDA = "/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib"

def spent(command, environment):
    """Milliseconds of processor."""
    pid = os.posix_spawn(command[0], command, environment, file_actions=[(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_RDWR, 0) for fd in (1, 2)])
    _, status, usage = os.wait4(pid, 0)
    if status != 0:
        sys.exit(f"start: {' '.join(command)} ended with {status}")
    return (usage.ru_utime + usage.ru_stime) * 1000


def measure(program, rounds):
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([program, "resize", os.environ["PICTURE"], f"{folder}/a.jpg", "--width", "16"], check=True, capture_output=True)
        cases = {"--version": ["--version"], **{name: ["resize", f"{folder}/a.jpg", f"{folder}/b.{name}", "--width", "8"] for name in ("jpg", "png", "webp", "avif", "jxl")}}
        for name, arguments in cases.items():
            times = [(spent([program, *arguments], {}), spent([f"{TASK}/bootstrap", *arguments], {"LD_LIBRARY_PATH": LAMBDA})) for _ in range(rounds)]
            built, packed = zip(*times)
            print(f"{name:10} built {min(built):6.2f} {statistics.median(built):6.2f} ms   packed {min(packed):6.2f} {statistics.median(packed):6.2f} ms   "
                  f"ratio {min(packed) / min(built):.2f} {statistics.median(packed) / statistics.median(built):.2f}", flush=True)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    program, folder = os.path.realpath(sys.argv[1]), os.path.realpath(sys.argv[2])
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 100
    if "PICTURE" in os.environ:
        return measure(program, rounds)
    tree = os.path.dirname(os.path.dirname(os.path.dirname(os.path.realpath(__file__))))
    place = f"mount -t tmpfs none /var && mkdir {TASK} && mount --bind {folder} {TASK} && exec \"$@\""
    os.execvpe("unshare", ["unshare", "-rm", "sh", "-c", place, "sh", sys.executable, os.path.realpath(__file__), program, folder, str(rounds)],
               {**os.environ, "PICTURE": f"{tree}/samples/sea-sunset.jpg"})


main()
