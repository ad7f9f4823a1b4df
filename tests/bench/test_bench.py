# SPDX-License-Identifier: MIT
"""`make bench`: every figure is there, and repeats. What they should be is for docs/, not for a test."""

import json
import re
import subprocess

import pytest
import qemu
from guest import COUNT_PLUGIN, KERNELS, OUT, ROOT

COUNT_INSTRUCTIONS = ("-icount", "shift=0,sleep=off", "-rtc", "base=2026-01-01,clock=vm")


def names():
    """What kernel/bench.c measures."""
    source = (ROOT / "kernel/bench.c").read_text(encoding="utf-8")
    sizes = re.findall(r"^BENCH_KMALLOC\((\d+)\)", source, re.M)
    return set(re.findall(r"^BENCH(?:_SPAN)?\((\w+),", source, re.M)) | {f"kmalloc_{size}" for size in sizes}


def figures(boot, build):
    guest = boot(build=build, append="bench", extra=("-nic", "none", *COUNT_INSTRUCTIONS))
    assert guest.wait_exit() == qemu.EXIT_SUCCESS
    return dict(re.findall(r"bench: (\w+) ([\d.]+) ticks (?:once|each):", guest.log()))


@pytest.mark.parametrize("build", ["release", "debug"])
def test_every_operation_is_measured(boot, build):
    found = figures(boot, build)
    assert found.keys() == names()
    assert all(float(ticks) >= 1 for ticks in found.values()), found


def test_figures_repeat(boot):
    assert figures(boot, "release") == figures(boot, "release")


def test_table_and_files():
    command = ["tools/bench", KERNELS["release"], COUNT_PLUGIN]
    result = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True, timeout=300)
    assert result.returncode == 0, result.stdout
    kept = {name: json.loads((OUT / "bench" / f"{name}.json").read_text()) for name in ("operations", "boot", "idle")}
    assert kept["operations"].keys() == names()
    assert kept["boot"]["steps"][-1]["line"].startswith("boot: ready")
    for name in names():
        assert re.search(rf"^{name} +[\d.]+ [ \d.]+  \S", result.stdout, re.M), name
    assert re.search(r"^idle +\d+ +instructions in \d+ s$", result.stdout, re.M)
