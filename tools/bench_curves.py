# SPDX-License-Identifier: MIT
"""The classic curves: what an event costs through select, poll and epoll if many descriptors are watched and some are
active, on both kernels (tests/bench/curves.c). Each kernel runs twice: under -icount, where the TSC counts instructions,
and without, for the time. gnuplot draws them, where it is installed."""

import re
import shutil
import subprocess

import bench_guest
from bench_servers import ACTIVE, IDLE

ROWS = ("select_curve", "poll_curve", "epoll_curve")
WATCHED = (10, 100, 1_000, 10_000, 100_000)
POINT = re.compile(r"point (\w+) (\d+) (?:(\d+) ([-\d.]+)|absent (.*))$")
UNITS = {"ticks": ("instructions", bench_guest.COUNT_INSTRUCTIONS), "ns": ("nanoseconds", ())}
WAYS = {"select": "select", "poll": "poll", "epoll": "epoll, level", "epoll_et": "epoll, edge"}


def measure(files, kernel, unit):
    """{way: {"N K": cost}}"""
    points = {}
    command = f"/bench/curves {unit} {' '.join(map(str, WATCHED))}"
    with bench_guest.Guest(files, kernel, command, extra=("-nic", "none", *UNITS[unit][1])) as guest:
        for way, watched, active, cost, _ in (match.groups() for match in map(POINT.search, guest.lines()) if match):
            if cost:
                points.setdefault(way, {})[f"{watched} {active}"] = float(cost)
    return points


def figures(files):
    result = {kernel: {unit: measure(files, kernel, unit) for unit in UNITS} for kernel in files.kernels()}
    if shutil.which("gnuplot"):
        for unit in UNITS:
            draw(result, unit, files.bench(f"curves-{unit}.svg"))
    return result


def line(title, kernel, number, points):
    """One of a plot: what gnuplot is told of it, and its data."""
    style = f"dashtype {2 if kernel == 'linux' else 1} linewidth 2 linecolor {number}"
    return f"'-' with linespoints {style} title '{kernel.capitalize()}: {title}'", [*(f"{x} {y}" for x, y in points), "e"]


def panel(title, y_label, lines, key="top left"):
    plots, data = zip(*lines)
    return "\n".join([f"set title '{title}'\nset ylabel '{y_label}'\nset key {key}\nplot {', '.join(plots)}", *sum(data, [])])


def plot(path, x_label, panels):
    script = f"""set terminal svg size 900,420 background 'white' font 'sans,11'
set output '{path}'
set logscale xy
set key top left font ',8' samplen 2
set xlabel '{x_label}'
set multiplot layout 1,2
{chr(10).join(panels)}
"""
    subprocess.run(["gnuplot"], input=script, text=True, check=True)
    with open(path, "r+", encoding="utf-8") as file:
        lines = [line.rstrip() for line in file]  # gnuplot leaves spaces at their ends
        file.seek(0)
        file.truncate()
        file.write("\n".join(lines) + "\n")


def draw(result, unit, path):
    def lines(active):
        for kernel in sorted(result):
            for number, (way, title) in enumerate(WAYS.items(), 1):
                points = result[kernel][unit].get(way, {})
                yield line(title, kernel, number, [(n, points[key]) for n in WATCHED if (key := f"{n} {active}") in points])

    plot(path, "descriptors watched", [panel(f"{active} active", f"{UNITS[unit][0]} an event", lines(active)) for active in (1, 100)])


def draw_idle(result, path):
    """What an echo costs beside idle connections, from tools/bench_tcp.py's figures."""
    def lines(figure):
        for kernel in sorted(result[next(iter(result))]):
            for number, (name, numbers) in enumerate(IDLE.items(), 1):
                rows = {ACTIVE: f"echo_{name}_{ACTIVE}", **{ACTIVE + idle: f"idle_{name}_{idle}" for idle in numbers}}
                points = [(n, result[row][kernel][figure]) for n, row in rows.items() if figure in result.get(row, {}).get(kernel, {})]
                if points:
                    yield line(name, kernel, number, points)

    if shutil.which("gnuplot"):
        plot(path, f"connections, {ACTIVE} of them active", [
            panel("what an echo costs", "instructions", lines("instructions")),
            panel("how many are answered", "in a second of the processor", lines("per_second"), key="bottom left")])


def show(result, shown):
    """One line a point: instructions and time, Linux's and ours."""
    print(f"{'an event by':12}{'watched':>9}{'active':>8}{'Linux':>14}{'Pollux':>12}  instructions{'Linux':>14}{'Pollux':>12}  ns")
    for way, points in result["pollux"]["ticks"].items():
        for key in points:
            watched, active = map(int, key.split())
            values = [result.get(kernel, {}).get(unit, {}).get(way, {}).get(key) for unit in UNITS for kernel in ("linux", "pollux")]
            cells = [shown(value) for value in values]
            print(f"{way:12}{watched:>9,}{active:>8}{cells[0]:>14}{cells[1]:>12}{'':14}{cells[2]:>14}{cells[3]:>12}")
