# SPDX-License-Identifier: MIT
"""IPv4: which packets are taken, which are dropped and counted as what, and the options."""

import pytest
from scapy.layers.inet import ICMP, IP, UDP, IPOption
from scapy.packet import Padding
from wire import BROADCAST, CLOSED_PORT, EVERYBODY, FAR, GUEST, HOST, ether, ip, ping, udp

DATA = b"0123456789abcdef"

# Each has one counter that it makes grow, and no answer.
DROPPED = {
    "version-0": (udp(DATA, version=0), "Ip.InHdrErrors"),
    "version-5": (udp(DATA, version=5), "Ip.InHdrErrors"),
    "version-6": (udp(DATA, version=6), "Ip.InHdrErrors"),
    "ihl-0": (udp(DATA, ihl=0), "Ip.InHdrErrors"),
    "ihl-4": (udp(DATA, ihl=4), "Ip.InHdrErrors"),
    "ihl-beyond-the-length": (udp(b"", ihl=15, len=40), "Ip.InHdrErrors"),
    "ihl-beyond-the-frame": (ether(bytes(IP(src=HOST, dst=GUEST, ihl=15, len=60))[:30], type=0x800), "Ip.InHdrErrors"),
    "length-0": (udp(DATA, len=0), "Ip.InHdrErrors"),
    "length-19": (udp(DATA, len=19), "Ip.InHdrErrors"),
    "length-beyond-the-frame": (udp(DATA * 4, len=93), "IpExt.InTruncatedPkts"),
    "length-65535": (udp(DATA, len=65535), "IpExt.InTruncatedPkts"),
    "checksum": (udp(DATA, chksum=0x1234), "IpExt.InCsumErrors"),
    "half-a-header": (ether(bytes(IP(src=HOST, dst=GUEST))[:10], type=0x800), "Ip.InHdrErrors"),
    "not-for-us": (udp(DATA, dst="10.77.0.3"), "Ip.InAddrErrors"),
    "far-away": (udp(DATA, dst=FAR), "Ip.InAddrErrors"),
    "for-loopback": (udp(DATA, dst="127.0.0.1"), "Ip.InAddrErrors"),
    "for-nobody": (udp(DATA, dst="0.0.0.0"), "Ip.InAddrErrors"),
    "from-us": (udp(DATA, src=GUEST), "Ip.InAddrErrors"),
    "from-loopback": (udp(DATA, src="127.0.0.1"), "Ip.InAddrErrors"),
    "from-nobody": (udp(DATA, src="0.0.0.0"), "Ip.InAddrErrors"),
    "from-this-network": (udp(DATA, src="0.1.2.3"), "Ip.InAddrErrors"),
    "from-all": (udp(DATA, src="255.255.255.255"), "Ip.InAddrErrors"),
    "from-the-subnet's-all": (udp(DATA, src=BROADCAST), "Ip.InAddrErrors"),
    "from-a-group": (udp(DATA, src="224.0.0.1"), "Ip.InAddrErrors"),
    "strict-source-route": (udp(DATA, options=IPOption(b"\x89\x07\x04\x0a\x4d\x00\x02\x00")), "Ip.InHdrErrors"),
    "loose-source-route": (udp(DATA, options=IPOption(b"\x83\x07\x04\x0a\x4d\x00\x02\x00")), "Ip.InHdrErrors"),
    "ping-to-all": (ping(dst=BROADCAST) / DATA, "Icmp.InErrors"),
}


@pytest.mark.parametrize("name", DROPPED)
def test_is_dropped(wire, name):
    frame, counter = DROPPED[name]
    answers, grown = wire.counted(frame)
    assert not answers
    assert grown[counter] == 1, {name: count for name, count in grown.items() if count}


TAKEN = {
    "plain": udp(DATA), "ttl-0": udp(DATA, ttl=0), "ttl-1": udp(DATA, ttl=1), "ttl-255": udp(DATA, ttl=255),
    "tos": udp(DATA, tos=0xFF), "dont-fragment": udp(DATA, flags="DF"), "reserved-flag": udp(DATA, flags="evil"),
    "padding": udp(DATA) / Padding(b"padding" * 3), "id-0": udp(DATA, id=0), "far-away": udp(DATA, src=FAR),
    "in-a-frame-for-all": ether(udp(DATA)[IP], dst=EVERYBODY),
    "to-all": ether(udp(DATA, dst="255.255.255.255")[IP], dst=EVERYBODY),
    "to-the-subnet": ether(udp(DATA, dst=BROADCAST)[IP], dst=EVERYBODY),
    "no-operations": udp(DATA, options=IPOption(b"\x01" * 40)),
    "end-of-options": udp(DATA, options=IPOption(b"\x00\xff\xff\xff")),
    "unknown-option": udp(DATA, options=IPOption(b"\x9e\x04\x12\x34")),
}


@pytest.mark.parametrize("name", TAKEN)
def test_is_taken(wire, name):
    answer = wire.echo([TAKEN[name]], DATA)
    assert (answer[IP].src, answer[IP].dst) == (GUEST, TAKEN[name][IP].src)


# Bytes of the option; where the error points to, from the IP header on.
WRONG_OPTIONS = {
    "no-length": (b"\x01\x01\x01\x07", 23), "length-0": (b"\x07\x00\x04\x00", 21), "length-1": (b"\x44\x01\x05\x00", 21),
    "too-long": (b"\x44\x0c\x05\x00", 21), "unknown-too-long": (b"\x9e\xff\x00\x00", 21),
    "record-pointer-0": (b"\x07\x07\x00\x00\x00\x00\x00\x00", 22), "record-pointer-3": (b"\x07\x07\x03\x00\x00\x00\x00\x00", 22),
    "record-half-an-address": (b"\x07\x07\x05\x00\x00\x00\x00\x00", 22),
    "time-pointer-4": (b"\x44\x08\x04\x00\x00\x00\x00\x00", 22), "time-flag": (b"\x44\x08\x05\x02\x00\x00\x00\x00", 23),
    "time-half": (b"\x44\x08\x07\x00\x00\x00\x00\x00", 22), "time-overflow": (b"\x44\x08\x09\xf0\x00\x00\x00\x00", 23),
}


@pytest.mark.parametrize("name", WRONG_OPTIONS)
def test_wrong_option(wire, name):
    option, pointer = WRONG_OPTIONS[name]
    frame = udp(DATA, options=IPOption(option))
    answers, grown = wire.counted(frame)
    error, = answers
    assert (error[ICMP].type, error[ICMP].code, error[ICMP].ptr) == (12, 0, pointer)
    assert grown["Ip.InHdrErrors"] == 1


def test_record_route(wire):
    """We write ourselves into it, and it comes back with the answer, where we are the sender."""
    answer, = wire.exchange(ping(DATA, options=IPOption(b"\x07\x0b\x04" + bytes(8) + b"\x00")))
    option = bytes(answer[IP])[20:32]
    assert option[:3] == b"\x07\x0b\x08" and option[3:7] == bytes([10, 77, 0, 2])


@pytest.mark.parametrize("flag, before, after", [(0, 5, 9), (1, 5, 13)])
def test_timestamp_option(wire, flag, before, after):
    answer, = wire.exchange(ping(DATA, options=IPOption(bytes([0x44, 12, before, flag]) + bytes(8))))
    option = bytes(answer[IP])[20:32]
    assert option[2] == after and option[3] == flag
    assert any(option[4:8]) and (not flag or option[4:8] == bytes([10, 77, 0, 2]))


@pytest.mark.parametrize("kind", [0x0000, 0x0600, 0x86DD, 0x8100, 0x88A8, 0x8847, 0x8863, 0xFFFF])
def test_other_ethertypes(wire, kind):
    assert not wire.exchange(ether(bytes(100), type=kind), ether(bytes(0), type=kind), ether(bytes(1500), type=kind))


def test_long_and_short_frames(wire):
    """Longer than Ethernet's: the card drops them. Shorter: filled up."""
    assert not wire.exchange(*(udp(bytes(size)) for size in (1481, 2000, 3000)))
    assert not wire.exchange(*(bytes(udp(DATA))[:size] for size in range(14, 34)))


def test_for_another_card(wire):
    _, grown = wire.counted(ether(udp(DATA, dport=CLOSED_PORT)[IP], dst="02:00:00:00:00:99"))
    assert grown["Udp.NoPorts"] == 0


@pytest.mark.parametrize("protocol", [0, 2, 4, 41, 47, 50, 132, 255])
def test_unknown_protocol(wire, protocol):
    answers, grown = wire.counted(ip(DATA, proto=protocol))
    assert [(p[ICMP].type, p[ICMP].code) for p in answers] == [(3, 2)]
    assert grown["Ip.InUnknownProtos"] == 1


def test_ping_to_all_when_allowed(wire):
    wire.set("icmp_echo_ignore_broadcasts", 0)
    try:
        answer, = wire.exchange(ping(DATA, dst=BROADCAST))
        assert answer[ICMP].type == 0 and answer[IP].src == GUEST and UDP not in answer
    finally:
        wire.set("icmp_echo_ignore_broadcasts", 1)
