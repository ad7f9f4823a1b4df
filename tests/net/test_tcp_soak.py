# SPDX-License-Identifier: MIT
"""Everything at once, for minutes: bulk data both ways, short connections both ways, both sides closing first, a network that
loses, reorders, doubles, damages and delays, in turns, and SYN floods. All that is sent is looked at. In the end every count
is where it was: sockets, packet buffers, objects, timers, memory.

`make soak T=mixed MINUTES=60`: an hour on each machine. Without, seconds."""

import collections
import itertools
import os
import random
import re
import socket
import threading
import time

import pytest
from guest import OUT
from peer import ANSWER, ECHO, GUEST, HOST, HostServer, Peer, TAP
from scapy.layers.inet import IP, TCP
from wire import GUEST_MAC, HOST_MAC, ether, is_possible

MINUTES = int(os.environ.get("MINUTES") or 0)
SECONDS = 60 * MINUTES or 3
MACHINES = [(4, "debug"), (1, "release")]
NETWORKS = ("", "lose=1%", "reorder=5%", "lose=5%", "duplicate=3%", "", "corrupt=1%", "delay=3ms,jitter=2ms", "lose=20%")
NETWORK_SECONDS = max(SECONDS / 60, 1)
MEGABYTE = 1 << 20
FLOOD_SOURCES, FLOOD_BURST = 500, 200
ENOUGH_SECONDS = 300  # for the last retransmissions of what was left half-way
# The table of connections grows with the load, area by area, and stays: so much memory, in kilobytes, may go for it. What
# slabs take is left out, for their objects are counted: these may be spread over more pages than before.
GROWS, KEPT = ("MemFree", "Slab", "slab vmap_area"), 1024


class Load(threading.Thread):
    """Does one thing again and again, until it is told to stop; what was said of what went wrong is in `wrong`."""

    def __init__(self, name, act):
        super().__init__(name=name, daemon=True)
        self.act, self.stopping, self.wrong = act, False, collections.Counter()
        self.rounds = 0

    def run(self):
        while not self.stopping:
            try:
                complaint = self.act()
            except OSError as error:  # a bad network may break a connection, but never change what it says
                complaint, self.wrong[f"{error}"] = None, self.wrong[f"{error}"] + 1
            if complaint:
                self.wrong[f"WRONG {complaint}"] += 1
            self.rounds += 1


def bulk_to(peer, rng):
    size = rng.randrange(MEGABYTE)
    said = peer.send_pattern(size)
    return said != f"{size} good" and said


def bulk_from(peer, rng):
    size = rng.randrange(MEGABYTE)
    got = peer.receive_pattern(size)
    return got != size and f"{got} of {size}"


def short(peer, rng):
    """In one segment: the service that closes first answers what it reads first."""
    data = rng.randbytes(rng.randrange(1, 1400))
    return any(peer.echo(data, port) != data for port in (ECHO, ANSWER)) and "another echo"


def half_open(peer, rng):
    """Begins, says something or nothing, and is gone."""
    with socket.create_connection((GUEST, rng.choice((7, 9, 19, 20, 21, 22))), timeout=5) as sock:
        sock.send(rng.randbytes(rng.randrange(1, 20000)))
        if rng.random() < 0.5:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def flood(rng, sender, frames):
    """SYNs from many places, in bursts."""
    for frame in rng.sample(frames, FLOOD_BURST):
        sender.send(frame)
    time.sleep(0.2)


def flood_frames():
    rng = random.Random(3)
    return [bytes(ether(IP(src=f"198.18.{rng.randrange(256)}.{rng.randrange(1, 255)}", dst=GUEST)
                        / TCP(sport=rng.randrange(1, 65536), dport=ECHO, seq=rng.getrandbits(32), options=[("MSS", 1460)]),
                        src=HOST_MAC, dst=GUEST_MAC)) for _ in range(FLOOD_SOURCES)]


def loads(peer, sender):
    frames, rng = flood_frames(), random.Random
    return [Load("bulk to", lambda: bulk_to(peer, rng(1))), Load("bulk from", lambda r=rng(2): bulk_from(peer, r)),
            *(Load(f"short {i}", lambda r=rng(i): short(peer, r)) for i in (3, 4)),
            Load("half open", lambda r=rng(5): half_open(peer, r)), Load("flood", lambda r=rng(6): flood(r, sender, frames))]


def figures(peer):
    """How much it was, since the guest has been there. A link shows nothing when it does nothing."""
    link = re.findall(r"^eth0 (\wx) +(\d+) +(\d+) +(\d+) +(\d+) +(\d+)", peer.read("/proc/net/link"), re.M)
    device = re.search(r"eth0: *(.*)", peer.read("/proc/net/dev")).group(1).split()
    tcp = [line.split()[1:] for line in peer.read("/proc/net/snmp").splitlines() if line.startswith("Tcp:")]
    result = dict(zip(*tcp))
    result.update(received=device[0], sent=device[8],
                  **{f"{way} {what}": count for way, *counts in link
                     for what, count in zip(("passed", "lost", "twice", "reordered", "corrupted"), counts)})
    return {name: int(count) for name, count in result.items()}


def run_guest_clients(peer, server, seconds):
    """The guest's own clients, to the servers here, while the others go on."""
    for command in (f"talk {HOST} {server.port} 100000", f"short {HOST} {server.port} 20"):
        said = peer.tcp(command, timeout=seconds + 1000)
        assert "wrong" not in said and "Address not available" not in said, said


def mixed_load(peer, seconds):
    """What each load says went wrong, besides what a network can do to a connection."""
    sender = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    sender.bind((TAP, 0))
    servers = HostServer(), HostServer(closes_first=True)
    running = loads(peer, sender)
    for load in running:
        load.start()
    end, seen = time.monotonic() + seconds, {}
    for network in itertools.cycle(NETWORKS):
        peer.set_link(network)
        change = time.monotonic() + NETWORK_SECONDS
        while time.monotonic() < change:
            run_guest_clients(peer, servers[0], seconds)
            time.sleep(0.1)
        seen.update(figures(peer))
        if time.monotonic() > end:
            break
    peer.set_link("")
    for load in running:
        load.stopping = True
    for load in running:
        load.join()
    for server in servers:
        server.close()
    sender.close()
    return running, seen


def is_more(name, count, before):
    """Before there is anything to compare with, TCP's own must be gone."""
    return name not in GROWS and count > (before.get(name, 0) if before else 0 if "tcp_" in name or name in ("sockets", "orphans") else count)


def settled(peer, before):
    """Counts when no more comes back: what the peers have forgotten ends by itself, after its last retransmission."""
    end = time.monotonic() + ENOUGH_SECONDS
    while True:
        peer.stop_server()
        peer.forget_time_wait()
        after = peer.counts()
        more = {name: (before.get(name, 0), count) for name, count in after.items() if is_more(name, count, before)}
        if not more or time.monotonic() > end:
            return after, more
        time.sleep(0.5)


@pytest.mark.parametrize("smp, build", MACHINES)
def test_mixed_load(boot, smp, build):
    if not is_possible():
        pytest.skip("a tap device takes root")
    peer = Peer(boot, smp=smp, build=build)
    with peer.here():
        mixed_load(peer, 1)  # caches fill
        before, _ = settled(peer, {})
        peer.start_server()
        running, seen = mixed_load(peer, SECONDS)
        after, more = settled(peer, before)
    log = peer.guest.log()
    peer.close()
    report = {load.name: (load.rounds, dict(load.wrong)) for load in running}
    print(seen, report, before, after, sep="\n")
    assert all(load.rounds for load in running), report
    assert not any(complaint.startswith("WRONG") for load in running for complaint in load.wrong), report
    assert not more, more
    assert after["MemFree"] + after["Slab"] > before["MemFree"] + before["Slab"] - KEPT, (before, after)
    assert "panic" not in log
