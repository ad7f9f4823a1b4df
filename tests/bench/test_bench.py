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


class Alone:
    """`make bench` without Debian's kernel, in a folder of its own."""
    folder = OUT / "bench-test"

    def __init__(self):
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "bench/host").mkdir(parents=True)
        for name in ("pollux.elf", "count_plugin.so", "bench/calls", "bench/initramfs.cpio", "bench/host/load", "bench/host/tcp_load"):
            shutil.copy(OUT / name, self.folder / name)

    def run(self, rows, *options):
        result = subprocess.run(["tools/bench", "--out", self.folder, "--filter", rows, *options], cwd=ROOT, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=900)
        assert result.returncode == 0, result.stdout
        assert re.search(r"^\d+ rows in \d+ min \d+ s; ", result.stdout, re.M)
        return result.stdout

    def kept(self, name):
        return json.loads((self.folder / f"bench/{name}.json").read_text())


@pytest.fixture
def alone():
    return Alone()


def test_tables_and_files(alone):
    """Of the calls some that need no time, and all of the kernel's own."""
    text = alone.run("^(getppid|pipe|fork|operations|idle)$")
    kept = {name: alone.kept(name) for name in ("calls", "operations", "idle")}
    assert kept["operations"].keys() == names()
    assert kept["calls"].keys() == {"pollux"} and kept["calls"]["pollux"].keys() == {"getppid", "pipe", "fork"}
    assert kept["calls"]["pollux"]["fork"]["cr3"] >= 1
    for name in names():
        assert re.search(rf"^{name} +[\d.]+ [ \d.]+  \S", text, re.M), name
    assert re.search(r"^getppid +- +[\d.]+ ", text, re.M)
    assert re.search(r"^idle +\d+ +instructions in \d+ s$", text, re.M)


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


OF_EVERY_KIND = ("tcp_echo_16", "tcp_receive", "tcp_send", "http_16", "memory_thread", "calm_one", "calm_select", "echo_reuseport_16",
                 "connect_fork", "calm_poll_1000")


@pytest.mark.skipif(not bench_net.is_possible(), reason="no network namespaces here")
def test_servers_have_their_figures(alone):
    """Each kind of row; and what docs/reading.md says of a request that finds the server asleep."""
    text = alone.run(f"^({'|'.join(OF_EVERY_KIND)}|first_answer)$", "--quick")
    boot = alone.kept("answer")["pollux"]
    assert boot.keys() == bench_tcp.BOOT_FIGURES.keys() and all(figure > 0 for figure in boot.values())
    found = {row: kernels["pollux"] for row, kernels in alone.kept("tcp").items()}
    assert sorted(found) == sorted(OF_EVERY_KIND)
    assert all(re.search(rf"^\| {row} ", text, re.M) for row in found)
    assert found.pop("memory_thread").keys() == {"memory"}
    for row, figures in found.items():
        assert figures["rate"] > 0 and figures["instructions"] > figures["user"] > 0, row
        assert figures["calls"] > 0 and figures["nic_writes"] > 0 and figures["from_user"] + figures["to_user"] > 0.9, row
    one, select, poll = (found[row] for row in ("calm_one", "calm_select", "calm_poll_1000"))
    assert [one[name] for name in ("calls", "from_user", "to_user")] == pytest.approx([2, 64, 64], rel=0.1)
    assert [select[name] for name in ("calls", "from_user", "to_user")] == pytest.approx([3, 64 + 16, 64 + 16], rel=0.1)
    # The idle ones, the one, and the listening socket: 8 bytes each, and asked twice or more, if poll finds nothing at first.
    assert poll["from_user"] == pytest.approx(64 + 8 * 1_002, rel=0.1) and 900 < poll["asks"] < 3_300
