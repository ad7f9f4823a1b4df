# SPDX-License-Identifier: MIT
"""Fragments: those that make a datagram, those that must not, and those that never do."""

import itertools
import random

import pytest
from scapy.layers.inet import ICMP, IP
from wire import HOST, fragments, piece, ping, take_apart, udp

DATA = bytes(random.Random(7).randbytes(6000))
SIZE = 1480
identifiers = itertools.count(1000)


def datagram(data=DATA, **fields):
    return udp(data, **{"id": next(identifiers) & 0xFFFF, **fields})


def shuffled(pieces, seed=1):
    pieces = list(pieces)
    random.Random(seed).shuffle(pieces)
    return pieces


def some_overlap(start, length, more=True, data=b"X"):
    """What is sent beside the pieces of 1480 bytes of a datagram of DATA."""
    return lambda header: piece(header, data * length, start, more)


@pytest.fixture(autouse=True)
def nothing_waits(wire):
    yield
    wire.forget_fragments()


ORDERS = {
    "in-order": lambda pieces: pieces, "reverse": lambda pieces: pieces[::-1], "shuffled": shuffled,
    "last-first": lambda pieces: pieces[-1:] + pieces[:-1], "each-twice": lambda pieces: [p for p in pieces[:-1] for _ in "ab"] + pieces[-1:],
    "all-but-one-twice": lambda pieces: pieces[1:] + shuffled(pieces[1:]) + pieces[:1],
}


@pytest.mark.parametrize("size", [1480, 512, 24])
@pytest.mark.parametrize("order", ORDERS)
def test_orders(wire, order, size):
    _, header, pieces = parts(size)
    wire.echo(ORDERS[order](pieces), DATA)


def parts(size=SIZE, data=DATA):
    packet = datagram(data)
    return packet, take_apart(packet)[0], fragments(packet, size)


@pytest.mark.parametrize("name, extra", [
    ("inside-the-first", some_overlap(8, 16)), ("over-two", some_overlap(SIZE - 8, 16)),
    ("begins-in-one", some_overlap(SIZE - 8, SIZE)), ("same-start", some_overlap(0, 8)), ("the-same-end", some_overlap(SIZE - 8, 8)),
    ("other-end", some_overlap(2 * SIZE, 64, more=False)), ("beyond-the-end", some_overlap(8 * SIZE, 64)),
], ids=lambda value: value if isinstance(value, str) else "")
def test_overlaps(wire, name, extra):
    """One wrong piece spoils the datagram, whether it comes last or first of two."""
    for first in (True, False):
        _, header, pieces = parts()
        wrong = extra(header)
        before = wire.counters()["Ip.ReasmFails"]
        order = [pieces[-1], wrong, *pieces[:-1]] if first else [*pieces[1:], wrong, *pieces[:1]]
        assert not wire.exchange(*order), name
        # the pieces that come afterwards begin a new datagram, which never gets complete
        assert wire.counters()["Ip.ReasmFails"] > before


def test_teardrop(wire):
    """The second ends before the first does."""
    header = take_apart(datagram())[0]
    assert not wire.exchange(piece(header, b"A" * 64, 0, True), piece(header, b"B" * 8, 24, False))


@pytest.mark.parametrize("last, length, more", [(65528, 8, False), (65528, 1400, False), (65528, 1400, True), (65512, 8, False), (64800, 1400, False)])
def test_ping_of_death(wire, last, length, more):
    """Ends behind byte 65535."""
    header = take_apart(ping(id=next(identifiers)))[0]
    _, grown = wire.counted(piece(header, b"A" * length, last, more))
    assert grown["Ip.ReasmFails"] == 1


def test_as_long_as_can_be(wire):
    data = DATA * 11
    data = data[:65507]
    wire.echo(shuffled(fragments(datagram(data), SIZE)), data)


@pytest.mark.parametrize("length", [0, 1, 7])
def test_too_short_a_piece(wire, length):
    """Not the last one, and not even 8 bytes."""
    header = take_apart(datagram())[0]
    _, grown = wire.counted(piece(header, b"A" * length, 80, True, len=20 + length))
    assert grown["Ip.ReasmFails"] == 1


def test_length_is_cut_to_eights(wire):
    """The odd bytes of a middle piece are not used: the next one fits exactly behind."""
    _, header, pieces = parts(1000)
    pieces[0] = piece(header, bytes(take_apart(pieces[0])[1]) + b"odd", 0, True)
    wire.echo(pieces, DATA)


def test_too_many_pieces(wire):
    _, header, pieces = parts(8)
    assert len(pieces) > 256
    assert not wire.exchange(*pieces[1:], pieces[0])


def test_who_is_who(wire):
    """The same identifier from others, or of another protocol, is another datagram's."""
    number = next(identifiers)
    ours = fragments(datagram(id=number), SIZE)
    others = fragments(datagram(id=number, src="10.77.0.44"), SIZE)
    pings = fragments(ping(DATA, id=number), SIZE)
    wire.arp["10.77.0.44"] = "02:00:00:00:00:44"
    answers = wire.exchange(*(frame for three in zip(ours, others, pings) for frame in three))
    if len(answers) < 3:  # the stranger's waits for his MAC address
        answers += wire.exchange()
    assert sorted((p[IP].dst, p[IP].proto) for p in answers) == [("10.77.0.1", 1), ("10.77.0.1", 17), ("10.77.0.44", 17)]


@pytest.fixture
def one_second(wire):
    wire.forget_fragments()
    wire.set("ipfrag_time", 1)
    yield
    wire.set("ipfrag_time", 30)


@pytest.mark.parametrize("missing, told", [(0, False), (2, True), (4, True)])
def test_one_is_missing(wire, one_second, missing, told):
    """Given up after a while; the sender is told, if we know what the first one was."""
    before, before_count = wire.in_use(), wire.counters()
    packet, _, pieces = parts()
    wire.exchange(*pieces[:missing], *pieces[missing + 1:])
    assert wire.in_use()["fragments"] == before["fragments"] + 1
    if told:
        error = wire.wait_for(lambda p: ICMP in p and p[ICMP].type == 11)
        assert error[ICMP].code == 1 and error[IP].dst == HOST and bytes(error[ICMP].payload)[4:6] == bytes(packet[IP])[4:6]
    wire.wait_until_unused(before)
    after = wire.counters()
    assert after["Ip.ReasmTimeout"] > before_count["Ip.ReasmTimeout"]
    assert told or after["Icmp.OutTimeExcds"] == before_count["Icmp.OutTimeExcds"]


def test_storm_of_fragments(wire):
    """Of thousands of datagrams that never get complete as many wait as there is room for, and honest ones still pass."""
    wire.forget_fragments()
    before, room = wire.in_use(), int(wire.read("/proc/sys/net/ipv4/ipfrag_high_thresh"))
    header = take_apart(datagram())[0]
    for burst in range(20):
        wire.send(*(piece(header, b"A" * 1400, 8 * (n % 100), True, id=n, src=f"10.77.{burst}.{n % 200 + 3}")
                    for n in range(burst * 200, burst * 200 + 200)), record=False)
        wire.barrier()
        assert int(wire.read("/proc/net/sockstat").split()[-1]) <= room
    wire.echo(fragments(datagram(), SIZE), DATA)
    wire.forget_fragments()
    wire.wait_until_unused(before)


def test_our_own_fragments(wire):
    """What we send in pieces: each as long as the wire allows, none with DF, all with one identifier."""
    data = DATA * 2
    got = []
    wire.send(*fragments(datagram(data), SIZE))
    wire.barrier(got.append)
    pieces = [p for p in map(ip_of, got) if p.frag or p.flags.MF]
    assert [p.frag * 8 for p in pieces] == list(range(0, len(data) + 8, SIZE))
    assert all(p.len == 1500 for p in pieces[:-1]) and len({p.id for p in pieces}) == 1
    assert not any(p.flags.DF for p in pieces)


def ip_of(frame):
    return IP(frame[14:])
