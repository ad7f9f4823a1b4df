# SPDX-License-Identifier: MIT
"""Too much, and nonsense: the guest still answers afterwards, and nothing is left of it."""

import os
import random
import socket
import time

import pytest
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPOption
from scapy.layers.l2 import ARP
from wire import (BROADCAST, CLOSED_PORT, ETHERTYPE_IP, EVERYBODY, FAR, GUEST, HOST, HOST_MAC, Pcap, ether, fragments, ip, ping, udp)

# On each machine; `make fuzz` sends a million to its four.
FRAMES = int(os.environ.get("FUZZ") or 20) * 1250
FLOOD_SECONDS = 60 if os.environ.get("SOAK") else 3
BATCH = 250


@pytest.fixture
def nothing_leaks(wire):
    """And the echo server answers, before and after. A SYN that nobody follows up is given up after a second, not a minute."""
    retries = wire.read("/proc/sys/net/ipv4/tcp_synack_retries").strip()
    wire.set("tcp_synack_retries", 0)
    wire.forget_fragments()
    before = wire.in_use()
    with wire.unjudged():
        yield
        wire.forget_fragments()
    wire.echo([udp(b"still there?")], b"still there?")
    wire.wait_until_unused(before)
    wire.set("tcp_synack_retries", retries)


def in_batches(wire, frames):
    """The guest keeps up, or has dropped what it could not keep."""
    for start in range(0, len(frames), BATCH):
        wire.send(*frames[start:start + BATCH], record=False)
        wire.barrier()


STORMS = {
    "broadcast": lambda n: ether(udp(b"x" * n, dst=BROADCAST, dport=CLOSED_PORT)[IP], dst=EVERYBODY),
    "arp-questions": lambda n: ether(ARP(op=1, hwsrc=HOST_MAC, psrc=f"10.{n % 5}.{n % 250}.{n % 199 + 1}", pdst=GUEST), dst=EVERYBODY),
    "arp-for-others": lambda n: ether(ARP(op=1, hwsrc=HOST_MAC, psrc=HOST, pdst=f"10.77.0.{n % 250 + 3}"), dst=EVERYBODY),
    "arp-answers": lambda n: ether(ARP(op=2, hwsrc=f"02:00:00:00:01:{n % 256:02x}", psrc=f"10.77.0.{n % 250 + 3}", pdst=GUEST)),
    "ping": lambda n: ping(bytes(n), number=n),
    "closed-port": lambda n: udp(bytes(n), dport=CLOSED_PORT, sport=n + 1),
    "echo-to-strangers": lambda n: udp(bytes(n), src=f"10.77.0.{n % 200 + 20}"),
    "first-fragments": lambda n: ip(bytes(1200), proto=17, flags="MF", id=n),
}


@pytest.mark.parametrize("name", STORMS)
def test_storm(wire, nothing_leaks, name):
    wire.set("neigh/default/retrans_time_ms", 20)
    in_batches(wire, [bytes(STORMS[name](n)) for n in range(1000)])
    wire.set("neigh/default/retrans_time_ms", 1000)


# ---- nonsense -------------------------------------------------------------------------------------------


def templates():
    """One of everything, to make nonsense of."""
    inner = IP(src=GUEST, dst=HOST) / UDP(sport=7, dport=40000) / b"what we may have sent"
    option = IPOption(b"\x44\x0c\x05\x01" + bytes(8))
    frames = [udp(b"x" * 20), udp(b"x" * 1400), udp(b"", dport=CLOSED_PORT), udp(b"x", dst=BROADCAST), udp(b"x", options=option),
              ping(b"x" * 56), ping(b"x", options=IPOption(b"\x07\x0b\x04" + bytes(9))), ip(ICMP(type=13)), ip(ICMP(type=8), src=FAR),
              *(ip(ICMP(type=kind, code=code) / inner) for kind, code in ((3, 3), (3, 4), (11, 0), (12, 0), (5, 1), (4, 0))),
              *(ip(ICMP(type=3, code=3) / IP(src=GUEST, dst=HOST, proto=proto) / bytes(20)) for proto in (1, 6, 47)),
              *fragments(udp(b"f" * 3000, id=7), 1024), *fragments(ping(b"f" * 100, id=8), 8)[:4],
              ip(TCP(dport=7, flags="S")), ip(TCP(dport=8, flags="SA", options=[("MSS", 1460)])), ip(b"x" * 40, proto=47),
              *(ether(ARP(op=op, psrc=f"10.77.0.{op * 9}", hwsrc=HOST_MAC, pdst=GUEST), dst=EVERYBODY) for op in (1, 2)),
              ether(bytes(60), type=0x86DD), ether(bytes(46), type=0x8100)]
    return [bytes(frame) for frame in frames]


def fix_ip_checksum(frame):
    """So that more than the first check is reached."""
    length = (frame[14] & 15) * 4
    if frame[12:14] != b"\x08\x00" or length < 20 or len(frame) < 14 + length:
        return
    frame[24:26] = b"\0\0"
    words = sum(int.from_bytes(frame[at:at + 2], "big") for at in range(14, 14 + length, 2))
    words = (words & 0xFFFF) + (words >> 16)
    frame[24:26] = (0xFFFF - ((words & 0xFFFF) + (words >> 16))).to_bytes(2, "big")


INTERESTING = (0, 1, 4, 7, 8, 15, 20, 21, 64, 69, 79, 127, 128, 255)


def flip_a_bit(rng, frame, at):
    frame[at] ^= 1 << rng.randrange(8)


def set_a_byte(rng, frame, at):
    frame[at] = rng.choice(INTERESTING)


def set_two_bytes(rng, frame, at):
    frame[at:at + 2] = rng.randbytes(2)


def cut(rng, frame, at):
    del frame[max(at, 14):]


def lengthen(rng, frame, at):
    frame[at:at] = rng.randbytes(rng.randrange(40))


def repeat_a_part(rng, frame, at):
    frame[at:at] = frame[at:at + rng.randrange(40)]


MUTATIONS = (flip_a_bit, set_a_byte, set_a_byte, set_two_bytes, cut, lengthen, repeat_a_part)


def nonsense(rng, frames):
    """A frame; mostly for us, its headers mutated, and the checksum often right."""
    if rng.random() < 0.1:
        kind = rng.choice((b"\x08\x00", b"\x08\x06", rng.randbytes(2)))
        return rng.choice(frames)[:12] + kind + rng.randbytes(rng.randrange(400))
    frame = bytearray(rng.choice(frames))
    for _ in range(rng.randrange(5)):
        rng.choice(MUTATIONS)(rng, frame, rng.randrange(12 if rng.random() < 0.9 else 0, min(len(frame), 80)) if len(frame) > 14 else 13)
    if rng.random() < 0.8 and len(frame) >= 34:
        fix_ip_checksum(frame)
    return bytes(frame[:1514]).ljust(14, b"\0")


def test_nonsense(wire, nothing_leaks):
    """Answered, dropped or kept: never a crash, and nothing is left. The frames before a crash are in last-batch.pcap."""
    rng, frames = random.Random(int(os.environ.get("SEED") or 20240229)), templates()
    for _ in range(0, FRAMES, BATCH):
        batch = [nonsense(rng, frames) for _ in range(BATCH)]
        try:
            wire.send(*batch, record=False)
            wire.barrier()
        except AssertionError:
            pcap = Pcap(wire.log_dir / "last-batch.pcap")
            for frame in batch:
                pcap.write(frame)
            pcap.close()
            raise


# ---- a flood --------------------------------------------------------------------------------------------


def test_flood(wire, nothing_leaks):
    """More datagrams than can be served: those that are not dropped come back, and so does the first one behind them."""
    flood = [bytes(udp(b"x" * 64, sport=port)) for port in range(30000, 30064)]
    sent, echoes, end = 0, 0, time.monotonic() + FLOOD_SECONDS
    while time.monotonic() < end:
        wire.send(*flood, record=False)
        sent += len(flood)
        while frame := wire.receive(time.monotonic()):
            echoes += frame[12:14] == ETHERTYPE_IP and frame[23] == socket.IPPROTO_UDP  # the guest has questions, too
    wire.barrier()  # before, its queue may be full
    wire.echo([udp(b"and now?")], b"and now?")
    assert 0 < echoes <= sent
