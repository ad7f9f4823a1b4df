# SPDX-License-Identifier: MIT
"""UDP: every size there and back, and headers that lie."""

import itertools
import os
import random

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.packet import Padding
from wire import BROADCAST, CLOSED_PORT, ECHO_PORT, GUEST, HOST, OUR_PORT, fragments, ip, udp

DATA = random.Random(13).randbytes(65507)
# `make soak` takes all sizes up to two fragments, and many more of the others
STEP = 1 if os.environ.get("SOAK") else 61
numbers = itertools.count(1)


def there_and_back(wire, size):
    frame = udp(DATA[:size], id=next(numbers) & 0xFFFF)
    answer = wire.echo([frame] if size <= 1472 else fragments(frame, 1480), DATA[:size])
    assert answer[UDP].len == size + 8 and answer[UDP].sport == ECHO_PORT


def test_sizes(wire):
    for size in [*range(0, 3000, STEP), *range(1465, 1481), *range(2950, 2957)]:
        there_and_back(wire, size)


@pytest.mark.parametrize("size", [4432, 8192, 16384, 32767, 65000, 65506, 65507])
def test_long_ones(wire, size):
    there_and_back(wire, size)


WITHOUT = {"chksum": 0}
DROPPED = {
    "checksum": (UDP(sport=OUR_PORT, dport=ECHO_PORT, chksum=0x1234) / b"data", "Udp.InCsumErrors"),
    "no-header": (b"", "Udp.InErrors"), "half-a-header": (b"\x12\x34\x00\x07", "Udp.InErrors"),
    "7-bytes": (b"\x12\x34\x00\x07\x00\x07\x00", "Udp.InErrors"),
    "length-0": (UDP(sport=OUR_PORT, dport=ECHO_PORT, len=0, **WITHOUT) / b"data", "Udp.InErrors"),
    "length-7": (UDP(sport=OUR_PORT, dport=ECHO_PORT, len=7, **WITHOUT) / b"data", "Udp.InErrors"),
    "length-beyond": (UDP(sport=OUR_PORT, dport=ECHO_PORT, len=13, **WITHOUT) / b"data", "Udp.InErrors"),
    "length-65535": (UDP(sport=OUR_PORT, dport=ECHO_PORT, len=65535, **WITHOUT) / b"data", "Udp.InErrors"),
    "closed-port": (UDP(sport=OUR_PORT, dport=CLOSED_PORT) / b"data", "Udp.NoPorts"),
    "port-0": (UDP(sport=OUR_PORT, dport=0) / b"data", "Udp.NoPorts"),
}


@pytest.mark.parametrize("name", DROPPED)
def test_is_dropped(wire, name):
    payload, counter = DROPPED[name]
    answers, grown = wire.counted(ip(payload, proto=17))
    assert not [p for p in answers if ICMP not in p]
    assert grown[counter] == 1


@pytest.mark.parametrize("length", [8, 9, 12])
def test_length_cuts(wire, length):
    """What lies between UDP's length and IP's is nobody's."""
    wire.echo([ip(UDP(sport=OUR_PORT, dport=ECHO_PORT, len=length, chksum=0) / b"0123456789")], b"0123456789"[:length - 8])


@pytest.mark.parametrize("length", [8, 9, 12])
def test_no_checksum(wire, length):
    answer = wire.echo([ip(UDP(sport=OUR_PORT, dport=ECHO_PORT, chksum=0) / b"0123456789"[:length])],
                       b"0123456789"[:length])
    assert answer[UDP].chksum  # ours always have one


def test_checksum_covers_no_padding(wire):
    wire.echo([udp(b"odd") / Padding(b"\xff" * 40)], b"odd")


@pytest.mark.parametrize("dst", [BROADCAST, "255.255.255.255"])
def test_broadcast(wire, dst):
    answer = wire.echo([udp(b"all", dst=dst)], b"all")
    assert (answer[IP].src, answer[IP].dst) == (GUEST, HOST)


def test_from_port_0(wire):
    """Nothing can be sent back there; the server goes on."""
    assert not wire.exchange(udp(b"x", sport=0))
    wire.echo([udp(b"y")], b"y")


def test_bad_fragmented_checksum(wire):
    frame = ip(UDP(sport=OUR_PORT, dport=ECHO_PORT, chksum=0xBAD) / DATA[:5000], id=next(numbers))
    answers, grown = wire.counted(*fragments(frame, 1480))
    assert not answers and grown["Udp.InCsumErrors"] == 1 and grown["Ip.ReasmOKs"] == 1


def test_connected_hears_only_its_peer(wire):
    assert wire.command(f"connect {HOST} 5000") == "ok"
    port = wire.wait_for(lambda p: UDP in p and p[UDP].dport == 5000)[UDP].sport
    wire.exchange(udp(b"stranger", sport=5001, dport=port), udp(b"stranger", sport=5000, dport=port, src="10.77.0.9"))
    assert wire.command("receive") == "Resource temporarily unavailable"
    wire.exchange(udp(b"peer", sport=5000, dport=port))
    assert wire.command("receive") == "peer"
