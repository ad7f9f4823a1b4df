# SPDX-License-Identifier: MIT
"""`make bench`: every figure is there, and repeats. What they should be is for docs/, not for a test."""

import json
import re
import shutil
import subprocess

import bench_calls
import bench_guest
import bench_net
import bench_tcp
import pytest
import qemu
from guest import OUT, ROOT

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


def test_tables_and_files():
    """`make bench`, without Debian's kernel: of the calls some that need no time, and all of the kernel's own."""
    folder = OUT / "bench-test"
    (folder / "bench").mkdir(parents=True, exist_ok=True)
    for name in ("pollux.elf", "count_plugin.so", "bench/calls", "bench/initramfs.cpio"):
        shutil.copy(OUT / name, folder / name)
    result = subprocess.run(["tools/bench", "--out", folder, "--filter", "^(getppid|pipe|fork|operations|idle)$"], cwd=ROOT,
                            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=900)
    assert result.returncode == 0, result.stdout
    kept = {name: json.loads((folder / f"bench/{name}.json").read_text()) for name in ("calls", "operations", "idle")}
    assert kept["operations"].keys() == names()
    assert kept["calls"].keys() == {"pollux"} and kept["calls"]["pollux"].keys() == {"getppid", "pipe", "fork"}
    assert kept["calls"]["pollux"]["fork"]["cr3"] >= 1
    for name in names():
        assert re.search(rf"^{name} +[\d.]+ [ \d.]+  \S", result.stdout, re.M), name
    assert re.search(r"^getppid +- +\d+ ", result.stdout, re.M)
    assert re.search(r"^idle +\d+ +instructions in \d+ s$", result.stdout, re.M)


@pytest.fixture(scope="module")
def calls():
    """What each row of tests/bench/calls.c says on Pollux."""
    return bench_calls.measure(bench_guest.Files(OUT), "pollux", [])


def test_every_call_is_measured(calls):
    assert list(calls) == bench_calls.names(bench_guest.Files(OUT))
    lacking = ("Function not implemented", "Address family not supported by protocol")
    assert all(row.get("absent") in lacking or row["instructions"] >= 1 for row in calls.values()), calls


def test_aims_are_of_rows(calls):
    assert bench_calls.AIMS.keys() <= calls.keys()


def test_calls_repeat(calls):
    again = bench_calls.measure(bench_guest.Files(OUT), "pollux", ["getppid"])
    assert again["getppid"] == calls["getppid"]


def test_registers_are_counted():
    """What the plugin sees of devices: the UART by ports, the local APIC by its registers."""
    with bench_guest.Guest(bench_guest.Files(OUT), "pollux", "/bench/calls getppid", extra=("-nic", "none"), count=",io=on") as guest:
        assert guest.wait_for("row getppid")
        seen = guest.counts()
    assert seen.counts.ports and seen.counts.kernel > seen.counts.cr3 > 0
    assert sum(register.writes for register in seen.registers if register.device == "apic-msi")


@pytest.mark.skipif(not bench_net.is_possible(), reason="no network namespaces here")
def test_tcp_rows_have_their_figures():
    rows = ("tcp_echo_16", "tcp_connect", "tcp_receive", "tcp_send")
    found = bench_tcp.measure(bench_guest.Files(OUT), "pollux", rows, seconds=0.3)
    assert tuple(found) == rows
    for row, figures in found.items():
        wanted = set(bench_tcp.figures_of(row)) - {"memory"} - ({"p50_us", "p99_us"} if row in ("tcp_receive", "tcp_send") else set())
        assert figures.keys() == wanted
        assert figures["rate"] > 0 and figures["instructions"] > figures["user"] > 0
