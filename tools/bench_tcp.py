#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What TCP costs and gives, on both kernels: tests/bench/tcp_server.c in the guest, tests/bench/host/tcp_load.c on the
host, an e1000 on a tap device between them.

As in tools/bench_net.py, three guests: one tells rates and times, the second counts instructions, the third interrupts
and accesses to the card's registers. Each of them serves all rows, one after the other.

`client` is the share of a processor that the client needed, `guest` what the guest's processor needed (an idle loop that
looks at the card counts as that). Where the guest's is not near 100, it was not the guest that was at its limit, or other
programs used this machine: then what it did in a second of its own, `per_second`, says more than the rate."""

import contextlib
import json
import os
import sys
import time

import bench_guest
import bench_net
from bench_net import GUEST, NoServer, instruction_totals, register_totals

ECHO, DISCARD, SYSTAT, CHARGEN = "7", "9", "11", "19"
SECONDS = 3
WARM_UP_SECONDS = 1
PAUSE_SECONDS = 0.3  # between two rows, for what comes late from the first
SIZE = 64
IDLE_CONNECTIONS = 10_000
CLOCK_TICKS = os.sysconf("SC_CLK_TCK")

REQUEST, BYTE = 1, 8 / 1e6  # what one unit of `done` is worth in the rate: requests, Mbit

# name: (the client's words, of which port; Pollux's aims; what a unit of the rate is)
ROWS = {
    "tcp_idle": (("idle",), ECHO, {"memory": 1_024}, None),
    "tcp_echo_1": (("echo", 1, SIZE), ECHO, {"p50_us": 50}, REQUEST),
    "tcp_echo_16": (("echo", 16, SIZE), ECHO, {"instructions": 3_500, "rate": 90_000}, REQUEST),
    "tcp_echo_64": (("echo", 64, SIZE), ECHO, {"instructions": 3_500, "rate": 90_000}, REQUEST),
    "tcp_echo_256": (("echo", 256, SIZE), ECHO, {"instructions": 3_500, "rate": 90_000}, REQUEST),
    "tcp_connect": (("connect", 16, SIZE), ECHO, {"instructions": 15_000, "rate": 18_000}, REQUEST),
    "tcp_receive": (("give", 1), DISCARD, {"instructions": 0.8}, BYTE),
    "tcp_receive_16": (("give", 16), DISCARD, {"instructions": 0.8}, BYTE),
    "tcp_send": (("take", 1), CHARGEN, {"instructions": 0.6}, BYTE),
    "tcp_send_16": (("take", 16), CHARGEN, {"instructions": 0.6}, BYTE),
}
WHAT = {
    "tcp_idle": f"{IDLE_CONNECTIONS:,} idle connections, watched by epoll",
    "tcp_connect": f"connect, echo {SIZE} bytes, close; 16 at a time",
    "tcp_receive": "the guest receives",
    "tcp_receive_16": "the same, 16 connections",
    "tcp_send": "the guest sends",
    "tcp_send_16": "the same, 16 connections",
    **{f"tcp_echo_{n}": f"echo of {SIZE} bytes, {n} connection{'s' * (n > 1)}" for n in (1, 16, 64, 256)},
}
# name: (of a request; of a byte; whether more is better)
FIGURES = {
    "instructions": ("instructions a request", "instructions a byte", False),
    "user": ("of them the program's own", "of them the program's own", False),
    "cr3": ("writes of CR3", "writes of CR3, for a million bytes", False),
    "interrupts": ("interrupts, those of the timer too", "interrupts, for a million bytes", False),
    "nic_writes": ("writes to the card's registers", "writes to the card's registers, for a million bytes", False),
    "nic_reads": ("reads of them", "reads of them, for a million bytes", False),
    "rate": ("a second", "Mbit a second", True),
    "per_second": ("in a second of the guest's processor", "Mbit in a second of the guest's processor", True),
    "p50_us": ("microseconds: median", None, False),
    "p99_us": ("99 of 100 are faster", None, False),
    "client": ("of 100: how busy the client was", "of 100: how busy the client was", False),
    "guest": ("of 100: how busy the guest was", "of 100: how busy the guest was", False),
    "memory": ("bytes of memory a connection", None, False),
}
PER_MILLION = ("cr3", "interrupts", "nic_writes", "nic_reads")


def figures_of(row):
    """{figure: (what it is, Pollux's aim, whether more is better)}"""
    _, _, aims, unit = ROWS[row]
    return {name: (of_byte if unit == BYTE else of_request, aims.get(name), more)
            for name, (of_request, of_byte, more) in FIGURES.items()}


# ---- inside the namespace ------------------------------------------------------------------------


def prepare_host():
    """The client uses up a port with each connection; the guest's memory is what is to be measured, not this."""
    settings = {"ip_local_port_range": "1024 65535", "tcp_tw_reuse": "1"}
    for name, value in settings.items():
        with open(f"/proc/sys/net/ipv4/{name}", "w", encoding="ascii") as file:
            file.write(value)


def tcp_load(files, row, seconds):
    (load, *words), port, _, unit = ROWS[row]
    if not unit:
        return bench_net.load(files, load, GUEST, port, SYSTAT, IDLE_CONNECTIONS, SIZE, program="tcp_load")
    time.sleep(PAUSE_SECONDS)
    return bench_net.load(files, load, GUEST, port, seconds, *words, program="tcp_load")


def server(files, kernel, count=None):
    command = f"/bench/tcp_server {ECHO} {DISCARD} {SYSTAT} {CHARGEN}"
    return bench_net.Server(files, kernel, command, lambda: tcp_load(files, "tcp_echo_16", WARM_UP_SECONDS), count)


def vcpu_seconds(process):
    """What QEMU's thread that is the guest's processor has used."""
    folder = f"/proc/{process.pid}/task"
    for thread in os.listdir(folder):
        with open(f"{folder}/{thread}/stat", encoding="ascii") as file:
            name, _, fields = file.read().rpartition(")")
        if "CPU 0" in name:
            fields = fields.split()
            return (int(fields[11]) + int(fields[12])) / CLOCK_TICKS
    raise NoServer


def timed(files, guest, row, seconds):
    before = vcpu_seconds(guest.process)
    result = tcp_load(files, row, seconds)
    unit = ROWS[row][3]
    if not unit:
        return {"memory": result["bytes"]}
    used = vcpu_seconds(guest.process) - before
    found = {"rate": result["done"] * unit / result["seconds"], "per_second": result["done"] * unit / used,
             "client": 100 * result["busy"], "guest": 100 * used / result["seconds"]}
    return found | {name: result[name] for name in ("p50_us", "p99_us") if name in result}


def counted(files, guest, row, seconds, totals):
    before = totals(guest.counts())
    done = tcp_load(files, row, seconds)["done"]
    after = totals(guest.counts())
    million = 1e6 if ROWS[row][3] == BYTE else 1
    return {name: (after[name] - before[name]) * (million if name in PER_MILLION else 1) / done for name in after}


def main(out, kernel, seconds, *rows):
    files, seconds = bench_guest.Files(out), float(seconds)
    bench_net.make_tap()
    prepare_host()
    found = {row: {} for row in rows}
    to_count = [row for row in rows if ROWS[row][3]]
    with contextlib.suppress(NoServer):
        with server(files, kernel) as guest:
            for row in rows:
                found[row] |= timed(files, guest, row, seconds)
        for options, totals in (("", instruction_totals), (",io=on", register_totals)) if to_count else ():
            with server(files, kernel, options) as guest:
                for row in to_count:
                    found[row] |= counted(files, guest, row, seconds, totals)
    print(json.dumps(found))


# ---- outside -------------------------------------------------------------------------------------


def measure(files, kernel, rows, seconds=SECONDS):
    return bench_net.measure(files, kernel, str(seconds), *rows, script=__file__)


def figures(files, rows):
    """{row: {kernel: {figure: value}}}, nothing for a kernel that cannot serve, None where there can be no namespace."""
    if not bench_net.is_possible():
        return None
    measured = {kernel: measure(files, kernel, rows) for kernel in files.kernels()}
    return {row: {kernel: found.get(row, {}) for kernel, found in measured.items()} for row in rows}


if __name__ == "__main__":
    main(*sys.argv[1:])
