#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What TCP and the servers of user/ cost and give, on both kernels: a server in the guest, which tests/bench/control.c
starts, tests/bench/host/tcp_load.c on the host, an e1000 on a tap device between them. The rows are in tools/bench_servers.py.

As in tools/bench_net.py, guests of three kinds, each of which serves all rows, one after the other:

timed     has no plugin: rates, times, and what the kernel counts itself, in /proc/stat. These guests are run ROUNDS times,
          Linux's and Pollux's in turn, and each serves a row WINDOWS times after a warm-up. A figure is the median,
          `spread` what lies between the greatest rate and the least, of 100 of it.
counted   instructions, and how often functions are called that tell what the kernel does: FUNCTIONS.
touched   accesses to the card's registers, and bytes copied from programs and to them. Much slower than the others.

`client` is the share of a processor that the client needed, `guest` what the guest's processor needed (an idle loop that
looks at the card counts as that). The one that is near 100 was at its limit; if neither is, they waited for each other,
or other programs used this machine. Then what the guest did in a second of its own, `per_second`, says more than the rate."""

import contextlib
import json
import os
import re
import select
import socket
import statistics
import subprocess
import sys
import time

import bench_guest
import bench_net
from bench_net import GUEST, NoServer
from bench_servers import BYTE, REQUEST, ROWS, SIZE

CONTROL, FIRST_PORT = 11, 7000
SECONDS, WINDOWS, ROUNDS, BOOTS = 0.3, 2, 2, 3
QUICK = {"seconds": 0.1, "rounds": 1}
WARM_UP_ROW = "tcp_echo_16"
SETTLE_SECONDS = 3  # until delayed acknowledgements have gone, and freed memory is free
HELD_BY_ONE = 10_000  # idle connections of a process
MANY = 1_000_000
PATIENCE = 60
TRY_SECONDS, MAX_TRIES = 0.02, 50
ENOUGH = 200  # requests: of fewer, what reading the counters itself adds would show

# What is counted by the instruction at its beginning: {figure: {kernel: function}}
FUNCTIONS = {
    "calls": {"linux": "entry_SYSCALL_64", "pollux": "syscall_entry"},
    "wakeups": {"linux": "try_to_wake_up", "pollux": "wake_up_state"},
    "asks": {"linux": "tcp_poll", "pollux": "tcp_poll"},
}
BOOT_FIGURES = {"ms": "milliseconds from the start of QEMU to the first connection answered",
                "million": "million instructions of the guest in that time"}
PER_MILLION = ("cr3", "switches", "interrupts", "nic_writes", "nic_reads", "calls", "wakeups", "asks")  # of bytes

# ---- inside the namespace ------------------------------------------------------------------------


def prepare_host():
    """The client uses up a port with each connection; the guest's memory is what is to be measured, not this."""
    settings = {"ip_local_port_range": "1024 65535", "tcp_tw_reuse": "1"}
    for name, value in settings.items():
        with open(f"/proc/sys/net/ipv4/{name}", "w", encoding="ascii") as file:
            file.write(value)


def control(line):
    """What tests/bench/control.c answers."""
    with socket.create_connection((GUEST, CONTROL), timeout=PATIENCE) as sock:
        sock.sendall(f"{line}\n".encode())
        return b"".join(iter(lambda: sock.recv(65536), b"")).decode()


@contextlib.contextmanager
def running(command, port):
    """The server serves, on ports that nobody had before."""
    control(f"run {command.format(port, port + 1, port + 2)}")
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection((GUEST, port), timeout=PATIENCE):
            break
    yield
    control("end")


class Load:
    """tcp_load, which works whenever run() is called. A context manager."""

    def __init__(self, files, port, seconds, kind, *words):
        port += {"give": 1, "take": 2}.get(kind, 0)  # tcp_server's other services
        words = (kind, GUEST, port, seconds, *words)
        self.process = subprocess.Popen([files.bench("host/tcp_load"), *map(str, words)], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def __enter__(self):
        if self.process.stdout.readline() != "ready\n":
            self.__exit__()
            raise NoServer
        return self

    def __exit__(self, *exception):
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def run(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise NoServer
        return bench_net.numbers(line)


def hold(stack, files, port, connections, size=0):
    """Opens idle connections, until the stack is left; each has had a request when it is its memory that is measured."""
    for source, first in enumerate(range(0, connections, HELD_BY_ONE)):
        number = min(connections - first, HELD_BY_ONE)
        stack.enter_context(Load(files, port, 0, "hold", number, size, bench_net.SOURCES[source]))


def windows(files, name, seconds, number, snapshot):
    """[(what the client says, what snapshot() found more than before)] of a row."""
    row, found = ROWS[name], []
    port = FIRST_PORT + 3 * list(ROWS).index(name)
    with running(row.server, port), contextlib.ExitStack() as stack:
        hold(stack, files, port, row.idle)
        load = stack.enter_context(Load(files, port, seconds * row.longer, *row.load))
        for _ in range(number):
            before = snapshot()
            result = load.run()
            after = snapshot()
            found.append((result, {figure: after[figure] - before[figure] for figure in after}))
    return found


def memory(files, name):
    """What the guest's free memory is less by for each idle connection."""
    row, port = ROWS[name], FIRST_PORT + 3 * list(ROWS).index(name)

    def free():
        time.sleep(SETTLE_SECONDS)
        return 1024 * int(re.search(r"MemFree: +(\d+)", control("cat /proc/meminfo"))[1])

    with running(row.server, port), contextlib.ExitStack() as stack:
        before = free()
        hold(stack, files, port, row.idle, SIZE)
        return {"memory": [(before - free()) / row.idle]}


def vcpu_seconds(process):
    """What QEMU's thread that is the guest's processor has used."""
    folder = f"/proc/{process.pid}/task"
    for thread in os.listdir(folder):
        with open(f"{folder}/{thread}/comm", encoding="ascii") as file:
            if "CPU 0" not in file.read():
                continue
        with open(f"{folder}/{thread}/schedstat", encoding="ascii") as file:
            return int(file.read().split()[0]) / 1e9
    raise NoServer


def timed(files, guest, name, seconds):
    row = ROWS[name]
    if not row.unit:
        return memory(files, name)

    def snapshot():
        found = re.findall(r"^(intr|ctxt) (\d+)", control("cat /proc/stat"), re.M)
        return {"vcpu": vcpu_seconds(guest.process), **{name: int(number) for name, number in found}}

    figures = {}
    for result, more in windows(files, name, seconds, WINDOWS, snapshot):
        done = result["done"] * row.unit
        values = {"rate": done / result["seconds"], "per_second": done / more["vcpu"], "client": 100 * result["busy"],
                  "guest": 100 * more["vcpu"] / result["seconds"]}
        if row.unit == REQUEST:
            values |= {figure: result[figure] for figure in ("p50_us", "p99_us")}
        if result["done"] >= ENOUGH:
            values |= each(row, result, {"switches": more["ctxt"], "interrupts": more["intr"]})
        for figure, value in values.items():
            figures.setdefault(figure, []).append(value)
    return figures


def each(row, result, more):
    """Of one request or byte."""
    million = 1e6 if row.unit == BYTE else 1
    return {figure: number * (million if figure in PER_MILLION else 1) / result["done"] for figure, number in more.items()}


def by_plugin(totals, most_idle=MANY):
    def measure(files, guest, name, seconds):
        if not ROWS[name].unit or ROWS[name].idle > most_idle:
            return {}
        ((result, more),) = windows(files, name, seconds, 1, lambda: totals(guest.counts()))
        return {figure: [value] for figure, value in each(ROWS[name], result, more).items()}
    return measure


def count_totals(snapshot):
    return bench_net.instruction_totals(snapshot) | dict(zip(FUNCTIONS, snapshot.places))


def touch_totals(snapshot):
    totals = bench_net.register_totals(snapshot)
    return {"nic_writes": totals["nic_writes"], "nic_reads": totals["nic_reads"],
            "from_user": snapshot.from_user, "to_user": snapshot.to_user}


def addresses(kernel):
    """Of FUNCTIONS, as the guest itself says."""
    found = {name: address for address, _, name in re.findall(r"^(\w+) (\w) (\S+)", control("cat /proc/kallsyms"), re.M)}
    return [found[names[kernel]] for names in FUNCTIONS.values()]


# name: (the plugin's options, how a row is measured)
KINDS = {
    "timed": (None, timed),
    "counted": ("", by_plugin(count_totals)),
    "touched": (",io=on", by_plugin(touch_totals, most_idle=1_000)),
}


def server(files, kernel, count=None):
    return bench_net.Server(files, kernel, f"/bench/control {CONTROL}",
                            lambda: windows(files, WARM_UP_ROW, 1, 1, dict), count)


def serve(files, kernel, kind, seconds, places, rows):
    """{row: {figure: [value]}}, and where the functions are."""
    options, measure = KINDS[kind]
    if options is not None:
        options += "".join(f",at={place}" for place in places)
    figures = {}
    with contextlib.suppress(NoServer), server(files, kernel, options) as guest:
        places = addresses(kernel)
        for row in rows:
            with contextlib.suppress(NoServer, OSError):
                figures[row] = measure(files, guest, row, seconds)
    return {"figures": figures, "places": places}


def first_answer():
    """Waits until a connection is accepted; one is tried every TRY_SECONDS, and the oldest given up."""
    tries = []
    while True:
        sock = socket.socket()
        sock.setblocking(False)
        sock.connect_ex((GUEST, CONTROL))
        tries = [*tries[1 - MAX_TRIES:], sock]
        for ready in select.select([], tries, [], TRY_SECONDS)[1]:
            if not ready.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                return
            tries.remove(ready)


def boot(files, kernel):
    """What it takes from QEMU's start until a client is answered, without the plugin and with it."""
    command = f"/bench/control {CONTROL}"
    subprocess.run(["ip", "neighbour", "replace", GUEST, "lladdr", bench_net.MAC, "dev", bench_net.TAP], check=True)
    start = time.monotonic()
    with bench_net.Guest(files, kernel, command):
        first_answer()
        answered = time.monotonic() - start
    with bench_net.Guest(files, kernel, command, count="") as guest:
        first_answer()
        return {"ms": [1e3 * answered], "million": [guest.counts().instructions / 1e6]}


def main(out, job):
    files, job = bench_guest.Files(out), json.loads(job)
    bench_net.make_tap()
    prepare_host()
    print(json.dumps(boot(files, **job) if len(job) == 1 else serve(files, **job)))


# ---- outside -------------------------------------------------------------------------------------


def measure(files, **job):
    return bench_net.measure(files, json.dumps(job), script=__file__)


def summary(figures):
    """The median of each; and how far the rates lie apart."""
    found = {figure: statistics.median(values) for figure, values in figures.items()}
    if rates := figures.get("rate"):
        found["spread"] = 100 * (max(rates) - min(rates)) / found["rate"]
    return found


def gather(all_figures, figures):
    for figure, values in figures.items():
        all_figures.setdefault(figure, []).extend(values)


def figures(files, rows, seconds=SECONDS, rounds=ROUNDS):
    """{row: {kernel: {figure: value}}}, nothing for a kernel that cannot serve, None where there can be no namespace."""
    if not bench_net.is_possible():
        return None
    found = {row: {kernel: {} for kernel in files.kernels()} for row in rows}
    places = {kernel: [] for kernel in files.kernels()}
    kinds = ["timed"] * rounds + (["counted", "touched"] if any(ROWS[row].unit for row in rows) else [])
    for kind in kinds:
        for kernel in files.kernels():
            print(f"  {kernel}, {kind}: {len(rows)} rows", file=sys.stderr)
            result = measure(files, kernel=kernel, kind=kind, seconds=seconds, places=places[kernel], rows=rows)
            places[kernel] = result["places"]
            for row, values in result["figures"].items():
                gather(found[row][kernel], values)
    return {row: {kernel: summary(values) for kernel, values in kernels.items()} for row, kernels in found.items()}


def boots(files, number):
    """{kernel: {figure: value}}"""
    if not bench_net.is_possible():
        return None
    found = {kernel: {} for kernel in files.kernels()}
    for _ in range(number):
        for kernel in files.kernels():
            gather(found[kernel], measure(files, kernel=kernel))
    return {kernel: summary(values) for kernel, values in found.items()}


if __name__ == "__main__":
    main(*sys.argv[1:])
