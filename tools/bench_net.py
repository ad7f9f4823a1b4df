#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What the network costs and gives, on both kernels: a server in the guest (tests/bench/udp_echo.c), a client on the
host (tests/bench/host/load.c), an e1000 on a tap device between them.

A row is a way to serve; each has the figures below, from three guests. The first has no plugin, and tells rates and
times: they vary by 15 % and more on a shared machine. The second counts the instructions, the third interrupts and
accesses to the card's registers, for each packet that was served; those two are slower than the first, and so may
find another number of packets at each interrupt.

All of it happens in a network namespace of its own: figures() runs this file again inside of one, as
tools/bench_net.py OUT KERNEL SERVER, and when the processes end, namespace and device are gone."""

import contextlib
import json
import os
import subprocess
import sys

import bench_guest

HOST, GUEST, PORT = "10.77.0.1", "10.77.0.2", "7"
SOURCES = [f"10.77.0.{10 + i}" for i in range(6)]  # the host's too, for very many connections
TAP = "tap0"
MAC = "52:54:00:12:34:56"
SECONDS = 4
WARM_UP_SECONDS = 2  # Linux may still be setting up its filters, which stops the card for a second
PINGS = 300
LINK_TRIES = 30  # of a second each
SOCKETS, WINDOW, SIZE = 8, 8, 64
NIC_OPTIONS = ("-netdev", f"tap,id=net0,ifname={TAP},script=no,downscript=no", "-device", f"e1000,netdev=net0,mac={MAC}")
THREAD_NAMES = ("-name", "guest,debug-threads=on")  # in /proc
LAPIC_EOI = 0xFEE000B0
OFFERED = (25_000, 50_000, 100_000, 200_000)  # packets a second, before the flood that is as fast as it can be

# name: (what it is, Pollux's aim, whether more is better)
FIGURES = {
    "instructions": (f"instructions a packet; {SOCKETS} x {WINDOW} packets of {SIZE} bytes under way", 2_000, False),
    "user": ("of them the program's own", None, False),
    "cr3": ("writes of CR3", None, False),
    "interrupts": ("interrupts, those of the timer too", None, False),
    "nic_writes": ("writes to the card's registers", None, False),
    "nic_reads": ("reads of them", None, False),
    "rate": ("packets a second", 150_000, True),
    "p50_us": ("microseconds a round trip: median", None, False),
    "p99_us": ("99 of 100 are faster", None, False),
    "lost": ("packets that did not come back", None, False),
    "ping_us": ("microseconds a ping, one every 3 ms: median", None, False),
    **{f"served_{rate // 1000}k": (f"served of {rate // 1000},000 offered a second", None, True) for rate in OFFERED},
    "flood_sent": ("a flood, packets a second", None, True),
    "flood_rate": ("of them served", None, True),
}
ROWS = ("udp_recvfrom", "udp_epoll", "udp_mmsg")


class NoServer(Exception):
    """The guest ended without having served: its kernel lacks something."""


# ---- inside the namespace ------------------------------------------------------------------------


def make_tap():
    for command in ("link set lo up", f"tuntap add dev {TAP} mode tap", f"address add {HOST}/24 dev {TAP}",
                    *(f"address add {source}/24 dev {TAP}" for source in SOURCES), f"link set {TAP} up"):
        subprocess.run(["ip", *command.split()], check=True)
    with contextlib.suppress(OSError), open("/proc/sys/net/ipv6/conf/all/disable_ipv6", "w", encoding="ascii") as file:
        file.write("1")  # nobody else talks on this wire


def numbers(text):
    """What a client says, as {name: number}."""
    return {name: float(value) for name, value in (word.split("=") for word in text.split())}


def load(files, *words):
    return numbers(subprocess.run([files.bench("host/load"), *map(str, words)], stdout=subprocess.PIPE, text=True, check=True).stdout)


def udp(files, seconds):
    return load(files, "udp", GUEST, PORT, seconds, SOCKETS, WINDOW, SIZE)


class Guest(bench_guest.Guest):
    """With an e1000 on the tap. Linux leaves the card to init; Pollux may want to know its address from the command line."""

    def __init__(self, files, kernel, command, count=None):
        super().__init__(files, kernel, command, options=f"net={GUEST} ip={GUEST}::{HOST}:255.255.255.0::eth0:off",
                         extra=(*THREAD_NAMES, *NIC_OPTIONS), count=count)


class Server(Guest):
    """A guest that serves: its program has said that it is ready, and warm_up() has been called."""

    def __init__(self, files, kernel, command, warm_up, count=None):
        self.warm_up = warm_up
        super().__init__(files, kernel, command, count)

    def __enter__(self):
        super().__enter__()
        if not self.wait_for(": ready"):
            self.__exit__()
            raise NoServer
        if not any(load(self.files, "ping", GUEST, 1)["received"] for _ in range(LINK_TRIES)):
            self.__exit__()
            raise NoServer
        self.warm_up()
        return self


def udp_server(files, kernel, server, count=None):
    return Server(files, kernel, f"/bench/udp_echo {server} {PORT}", lambda: udp(files, WARM_UP_SECONDS), count)


def timed(files, kernel, server):
    with udp_server(files, kernel, server):
        served = udp(files, SECONDS)
        pings = load(files, "ping", GUEST, PINGS)
        offered = {rate: load(files, "flood", GUEST, PORT, SECONDS / 2, SIZE, rate) for rate in OFFERED}
        flooded = load(files, "flood", GUEST, PORT, SECONDS, SIZE)
    return {
        **{f"served_{rate // 1000}k": result["received"] / result["seconds"] for rate, result in offered.items()},
        "rate": served["received"] / served["seconds"], "p50_us": served["p50_us"], "p99_us": served["p99_us"],
        "lost": served["lost"], "ping_us": pings["p50_us"],
        "flood_sent": flooded["sent"] / flooded["seconds"], "flood_rate": flooded["received"] / flooded["seconds"],
    }


def per_packet(files, kernel, server, options, totals):
    """What the plugin counted while packets were served: totals() says what of a snapshot is wanted, by name."""
    with udp_server(files, kernel, server, options) as guest:
        before = totals(guest.counts())
        packets = udp(files, SECONDS)["received"]
        after = totals(guest.counts())
    return {name: (after[name] - before[name]) / packets for name in after}


def instruction_totals(snapshot):
    return {"instructions": snapshot.instructions, "user": snapshot.counts.user, "cr3": snapshot.counts.cr3}


def register_totals(snapshot):
    card = [register for register in snapshot.registers if register.device.startswith("e1000")]
    return {
        "interrupts": sum(register.writes for register in snapshot.registers if register.address == LAPIC_EOI),
        "nic_writes": sum(register.writes for register in card), "nic_reads": sum(register.reads for register in card),
    }


def main(out, kernel, server):
    files = bench_guest.Files(out)
    make_tap()
    with contextlib.suppress(NoServer):
        print(json.dumps({
            **timed(files, kernel, server),
            **per_packet(files, kernel, server, "", instruction_totals),
            **per_packet(files, kernel, server, ",io=on", register_totals),
        }))


# ---- outside -------------------------------------------------------------------------------------


def unshare():
    """The command that runs another in a network namespace of its own."""
    if os.geteuid() == 0:
        return ["unshare", "--net"]
    return ["unshare", "--net", "--user", "--map-root-user"]


def is_possible():
    return subprocess.run([*unshare(), "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0


def measure(files, kernel, *words, script=__file__):
    """What main() of the script prints, run in a namespace."""
    command = [*unshare(), sys.executable, script, files.out, kernel, *words]
    result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(result.stdout or "{}")


def figures(files, rows):
    """{row: {kernel: {figure: value}}}, nothing for a kernel that cannot serve, None where there can be no namespace."""
    if not is_possible():
        return None
    return {row: {kernel: measure(files, kernel, row.removeprefix("udp_")) for kernel in files.kernels()} for row in rows}


if __name__ == "__main__":
    main(*sys.argv[1:])
