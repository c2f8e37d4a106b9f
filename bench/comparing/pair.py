"""Two builds of pixmill, paired: is the second slower than the first?

The ratio B / A of each case is the median of the rounds' ratios, with its 95 % interval from resampling them. B is slower if the ratio is
over --max-ratio and the interval stands above 1, so that noise alone does not say so: more --rounds make it narrower. Bytes are compared too."""
import pathlib
import sys
import tempfile

from .cases import CASES
from .contestants import Pixmill
from .measure import Failed, in_turn, paired
from .pictures import picture
from .report import number, table
from .table import say

DEFAULT = ("jpeg-12mp", "jpeg-6mp", "progressive-12mp", "png-5mp", "jpeg-webp", "five-widths", "start")


def program(path):
    path = pathlib.Path(path)
    return path / "pixmill" if path.is_dir() else path


def measure(case, source, both, told, folder):
    """{ratio, low, high, …} of one case, and the bytes of both."""
    spent, made, count = {name: [] for name in both}, {}, {}
    for name, one in both.items():
        first = one.make(source, case.outputs, folder, 1, False)
        count[name] = 1 if case.cold else max(1, min(20, round(told.ms / max(first["cpu_ms"], 1))))
        made[name] = sum(one.path(folder, output).stat().st_size for output in case.outputs)
    for i, name in in_turn(list(both), told.rounds):
        spent[name].append(both[name].make(source, case.outputs, folder, min(count.values()), True)["cpu_ms"])
    return {**paired(spent["B"], spent["A"]), "least": {name: min(times) for name, times in spent.items()}, "bytes": made}


def compare(told):
    both = {name: Pixmill(program(path), name) for name, path in zip("AB", told.builds)}
    for one in both.values():
        try:
            one.install(told)
        except Failed as failure:
            sys.exit(f"compare: {failure}")
    wanted = [(pathlib.Path(path).name, next(case for case in CASES if case.id == "jpeg-12mp"), pathlib.Path(path)) for path in told.pictures] or \
             [(case.id, case, None) for case in CASES if case.id in (told.case or DEFAULT) and (not told.quick or case.quick)]
    rows, slower, done = [], [], 0
    for name, case, path in wanted:
        say(name)
        try:
            with tempfile.TemporaryDirectory() as folder:
                got = measure(case, path or picture(case.picture), both, told, pathlib.Path(folder))
        except Failed as failure:
            say(f"{name} is left out: {failure}")
            continue
        done += 1
        worse = got["ratio"] > told.max_ratio and got["low"] > 1
        slower += [name] if worse else []
        rows.append([name, number(got["least"]["A"], 2), number(got["least"]["B"], 2), number(got["ratio"], 3), f"{got['low']:.3f}–{got['high']:.3f}",
                     number(got["of_minima"], 3), number(got["bytes"]["B"] / got["bytes"]["A"], 4), "slower" if worse else ""])
    print(table(["case", "A, ms", "B, ms", "B / A", "95 %", "of minima", "bytes", ""], rows, told.markdown))
    if not done:
        sys.exit("compare: no case could be measured")
    if slower:
        print(f"B is slower than {told.max_ratio} of A: {', '.join(slower)}")
    return 1 if slower else 0
