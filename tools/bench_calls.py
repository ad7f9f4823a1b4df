# SPDX-License-Identifier: MIT
"""What system calls cost a program, on both kernels: the rows of tests/bench/calls.c.

The program prints how many instructions an operation takes, exactly: QEMU's -icount makes the TSC count them. Beside
that, the counting plugin tells how often it wrote CR3, which costs more time than thousands of instructions."""

import hashlib
import json
import os
import re
import subprocess

import bench_guest
import counts

# What each row is to cost at most.
AIMS = {"getppid": 120, "pipe": 900, "fork": 40_000, "poll_1000": 40, "select_500": 40,
        "epoll_event_10": 1_500, "epoll_event_1000": 1_500, "epoll_event_10000": 1_500}
ROW = re.compile(r"row (\w+) (?:([\d.]+) (\d+) (.*)|absent (.*))$")
MARKS_PER_ROW = 3


def names(files):
    """All rows, as the program itself, which runs here as well, lists them."""
    result = subprocess.run([files.bench("calls"), "--list"], stdout=subprocess.PIPE, text=True, check=True)
    return result.stdout.split()


def cr3_writes(marks, rounds):
    """At each round: there are marks before `rounds` rounds, behind them, and behind twice as many."""
    one, two = counts.difference(marks[1], marks[0]), counts.difference(marks[2], marks[1])
    return (two.cr3 - one.cr3) / rounds


def measure(files, kernel, wanted):
    """{name: {instructions, cr3, what} or {absent}}"""
    rows = {}
    extra = ("-nic", "none", *bench_guest.COUNT_INSTRUCTIONS)
    with bench_guest.Guest(files, kernel, " ".join(["/bench/calls", *wanted]), extra=extra, count="") as guest:
        found = [match for match in map(ROW.search, guest.lines()) if match]
        marks = guest.counts().marks
    for name, instructions, rounds, what, absent in (match.groups() for match in found):
        if absent:
            rows[name] = {"absent": absent}
            continue
        rows[name] = {"instructions": float(instructions), "cr3": cr3_writes(marks, int(rounds)), "what": what}
        marks = marks[MARKS_PER_ROW:]
    return rows


def linux_key(files):
    """Whatever Linux's figures depend on: they repeat to the digit, so they are kept."""
    with open(files.bench("calls"), "rb") as program:
        text = program.read()
    machine = (files.linux_version(), bench_guest.qemu_version(), bench_guest.CPU, bench_guest.MEMORY)
    return hashlib.sha256(text + repr(machine).encode()).hexdigest()


def measure_linux(files, wanted):
    path, key = files.bench("linux-calls.json"), linux_key(files)
    kept = {"key": key, "rows": {}}
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            old = json.load(file)
        kept = old if old["key"] == key else kept
    if missing := [name for name in wanted if name not in kept["rows"]]:
        kept["rows"].update(measure(files, "linux", missing))
        with open(path, "w", encoding="utf-8") as file:
            json.dump(kept, file, indent=1)
    return {name: row for name, row in kept["rows"].items() if name in wanted}


def figures(files, wanted):
    result = {"pollux": measure(files, "pollux", wanted)}
    if "linux" in files.kernels():
        result["linux"] = measure_linux(files, wanted)
    return result
