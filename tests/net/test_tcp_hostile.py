# SPDX-License-Identifier: MIT
"""TCP against enemies: segments made by hand, to a live guest with the services of tests/net/tcp.c. After each, the guest
answers, and what it has in use is what it had before."""

import contextlib
import random
import struct
import subprocess
import time

import pytest
from scapy.layers.inet import ICMP, IP, TCP
from scapy.layers.l2 import Ether
from wire import BROADCAST, EVERYBODY, FAR, GUEST, HOST, TIMEOUT, ether, ip

ECHO, DISCARD, SOURCE, DEAF, UNACCEPTED, CLOSED = 7, 9, 19, 21, 23, 99
WINDOW, MSS = 65535, 1460
SOON = 60  # seconds: an answer that is not there then never comes
TIMESTAMP = [("NOP", None), ("NOP", None), ("Timestamp", (1000, 0))]
ALL_OPTIONS = [("MSS", MSS), ("SAckOK", b""), ("Timestamp", (1000, 0)), ("NOP", None), ("WScale", 7)]
LEAST_MSS, MIN_PMTU = 48, 552


def tcp(data=b"", sport=40000, dport=ECHO, **fields):
    addresses = {name: fields.pop(name) for name in ("src", "dst") if name in fields}
    return ip(TCP(sport=sport, dport=dport, **fields) / data, **addresses)


def raw_options(packet, options):
    """The packet, with these bytes as its options, padded by zeros or as they are."""
    frame = bytes(packet)
    header, segment = frame[:34], bytearray(frame[34:])
    length = (segment[12] >> 4) * 4
    options += bytes(-len(options) % 4)
    segment[20:length] = options
    segment[12] = (20 + len(options)) // 4 << 4
    fields = IP(header[14:])
    del fields.len, fields.chksum
    whole = TCP(bytes(segment))
    del whole.chksum
    # scapy would lay options out anew: only the checksum is its own
    rebuilt = IP(bytes(fields / bytes(segment)))
    pseudo = struct.pack("!4s4sBBH", *(bytes(map(int, a.split("."))) for a in (rebuilt.src, rebuilt.dst)), 0, 6, len(segment))
    segment[16:18] = b"\0\0"
    segment[16:18] = struct.pack("!H", checksum(pseudo + bytes(segment)))
    return ether(bytes(fields / bytes(segment)), type=0x0800)


def checksum(data):
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total


class Connection:
    """Our end of one. `next` is our next sequence number, `got` the guest's next."""

    ports = iter(range(20000, 65000))

    def __init__(self, wire, port=ECHO, options=(), window=WINDOW, seq=None, src=HOST):
        self.wire, self.port, self.window, self.src = wire, port, window, src
        self.sport = next(self.ports)
        self.next = wire.cookies.getrandbits(32) if seq is None else seq
        self.got = 0
        self.syn_options = list(options)

    def segment(self, flags="A", data=b"", **fields):
        fields = {"seq": self.next, "ack": self.got, "window": self.window, **fields}
        fields["seq"] %= 1 << 32
        fields["ack"] %= 1 << 32
        return tcp(data, sport=self.sport, dport=self.port, flags=flags, src=self.src, **fields)

    def ours(self, packets):
        return [p for p in packets if TCP in p and p[TCP].dport == self.sport and p[TCP].sport == self.port]

    def send(self, *frames):
        """What the guest's TCP answers at once."""
        return self.ours(self.wire.exchange(*frames))

    def open(self):
        answer, *_ = self.send(self.segment("S", ack=0, options=self.syn_options))  # a slow machine's SYN-ACK goes again
        assert answer[TCP].flags == "SA" and answer[TCP].ack == (self.next + 1) % (1 << 32)
        self.next += 1
        self.got = answer[TCP].seq + 1
        self.wire.send(self.segment())
        return self

    def say(self, data, *frames):
        """All of these data, behind whatever frames bring part of them; they come back from the echo."""
        self.wire.send(*(frames or [self.segment("PA", data)]))
        self.next += len(data)
        return self.hear(len(data))

    def hear(self, size):
        """So many bytes of the guest's, in order; each is acknowledged."""
        heard = b""
        while len(heard) < size:
            packet = self.wire.wait_for(lambda p: self.ours([p]) and (p[TCP].flags.R or payload(p)), SOON)
            assert not packet[TCP].flags.R, "reset"
            data = payload(packet)
            if packet[TCP].seq == self.got % (1 << 32):
                heard += data
                self.got += len(data)
            self.wire.send(self.segment())
        return heard

    def lives(self):
        data = b"%016x" % self.wire.cookies.getrandbits(64)
        assert self.say(data) == data

    def lives_and_ends(self):
        self.lives()
        self.reset()

    def is_gone(self):
        """Then our next segment is nobody's."""
        answer, = self.send(self.segment("A", b"anybody?"))
        assert answer[TCP].flags == "R"

    def reset(self):
        self.wire.send(self.segment("R"))


def payload(packet):
    """Without the Ethernet padding."""
    if TCP not in packet:
        return b""
    length = packet[IP].len - packet[IP].ihl * 4 - packet[TCP].dataofs * 4
    return bytes(packet[TCP].payload)[:length]


@contextlib.contextmanager
def case(name):
    """One of a table."""
    try:
        yield
    except AssertionError as error:
        raise AssertionError(f"{name}: {error}") from error


@pytest.fixture(scope="module", autouse=True)
def own_pcap(shared_wire):
    """Experts wonder at much here, and it is ours. But whatever the guest answers must be whole. (QEMU's card writes
    0xffff for a sum of 0, as UDP wants it: the same number in one's complement.)"""
    with shared_wire.recorded("tcp.pcap") as path:
        yield
    wrong = f"ip.src == {GUEST} && tcp && (ip.checksum.status == 0 || (tcp.checksum.status == 0 && tcp.checksum != 0xffff) || (_ws.malformed && !icmp))"
    found = subprocess.run(["tshark", "-n", "-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE", "-r", path, "-Y", wrong],
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout
    assert not found


@pytest.fixture(autouse=True)
def nothing_stays(wire):
    wire.forget_time_wait()
    before = wire.in_use()
    yield
    wire.forget_time_wait()
    wire.wait_until_unused(before, SOON)


@pytest.fixture
def connection(wire):
    connection = Connection(wire, options=ALL_OPTIONS[:2]).open()
    yield connection
    connection.reset()


# ---- to nobody, and to a listener ------------------------------------------------------------------------------

# flags, data: what a closed port and a listener answer. None: nothing.
AT_THE_DOOR = {
    "syn": ("S", b"", "RA", "SA"), "syn-data": ("S", b"data", "RA", "SA"), "syn-urgent": ("SU", b"", "RA", "SA"),
    "syn-push": ("SP", b"", "RA", "SA"), "syn-fin": ("SF", b"", "RA", None), "syn-rst": ("SR", b"", None, None),
    "syn-ack": ("SA", b"", "R", "R"), "syn-fin-ack": ("SFA", b"", "R", "R"), "ack": ("A", b"", "R", "R"),
    "ack-data": ("A", b"data", "R", "R"), "fin-ack": ("FA", b"", "R", "R"), "fin": ("F", b"", "RA", None),
    "rst": ("R", b"", None, None), "rst-ack": ("RA", b"", None, None), "null": ("", b"", "RA", None), "null-data": ("", b"x", "RA", None),
    "xmas": ("FPU", b"", "RA", None), "everything": ("FSRPAUEC", b"", None, None), "push": ("P", b"data", "RA", None),
}


def check_door_answer(answers, flags, expected, segment):
    if expected is None:
        assert not answers
        return
    answer, = answers
    assert answer[TCP].flags == expected
    if "A" in flags:
        assert answer[TCP].seq == segment[TCP].ack
    else:
        length = len(segment[TCP].payload)
        counted = ("S" in flags) + (length + ("F" in flags) if expected == "RA" else 0)
        assert answer[TCP].ack == segment[TCP].seq + counted


@pytest.mark.parametrize("port", [CLOSED, ECHO])
def test_at_the_door(wire, port):
    for name, (flags, data, *answers) in AT_THE_DOOR.items():
        stranger, expected = Connection(wire, port), answers[port == ECHO]
        segment = stranger.segment(flags, data, ack=123456 if "A" in flags else 0)
        with case(name):
            check_door_answer(stranger.send(segment), flags, expected, segment)
        if expected == "SA":
            wire.send(stranger.segment("R", seq=stranger.next + 1))


# Who can not have sent it, or to whom it can not have been meant.
IMPOSSIBLE = {
    "land": lambda: tcp(src=GUEST, sport=ECHO, flags="S"),
    "from-loopback": lambda: tcp(src="127.0.0.1", flags="S"),
    "from-broadcast": lambda: tcp(src=BROADCAST, flags="S"),
    "from-everybody": lambda: tcp(src="255.255.255.255", flags="S"),
    "from-multicast": lambda: tcp(src="224.0.0.1", flags="S"),
    "to-broadcast": lambda: ether(tcp(dst=BROADCAST, flags="S")[IP], dst=EVERYBODY),
    "to-us-by-everybodys-mac": lambda: ether(tcp(flags="S")[IP], dst=EVERYBODY),
    "ack-to-broadcast": lambda: ether(tcp(dst=BROADCAST, flags="A", dport=CLOSED)[IP], dst=EVERYBODY),
    "bad-checksum": lambda: tcp(flags="S", chksum=1),
    "bad-checksum-closed-port": lambda: tcp(flags="S", chksum=1, dport=CLOSED),
    **{f"offset-{n}": (lambda n=n: tcp(flags="S", dataofs=n)) for n in range(5)},
    "offset-beyond-the-end": lambda: tcp(flags="S", dataofs=15),
    **{f"cut-at-{n}": (lambda n=n: ip(bytes(tcp(flags="S")[TCP])[:n], proto=6)) for n in (0, 1, 8, 12, 13, 19)},
}


def test_impossible(wire):
    for name, make in IMPOSSIBLE.items():
        with case(name):
            assert not [p for p in wire.exchange(make()) if TCP in p]


# ---- options ------------------------------------------------------------------------------------------------------

KINDS = {"mss": b"\x02\x04\x05\xb4", "wscale": b"\x03\x03\x07", "sack-ok": b"\x04\x02", "sack": b"\x05\x0a" + bytes(8),
         "timestamp": b"\x08\x0a" + bytes(8), "md5": b"\x13\x12" + bytes(16), "fastopen": b"\x22\x0a" + bytes(8), "unknown": b"\xfd\x04ab"}
ODD_OPTIONS = {
    **{f"{name}-cut-at-{n}": b"\x01" * (-n % 4) + option[:n] for name, option in KINDS.items() for n in (1, len(option) - 1)},
    **{f"{name}-length-{n}": option[:1] + bytes([n]) + option[2:] for name, option in KINDS.items() for n in (0, 1, 2, 3, 40, 255)},
    **{f"{name}-twice": option * 2 for name, option in KINDS.items()},
    "all-nops": b"\x01" * 40, "all-ends": bytes(40), "end-then-garbage": b"\0" + b"\xff" * 39, "all-ones": b"\xff" * 40,
    "sacks-without-end": b"\x05\x22" + b"\x11" * 32, "sack-one-byte-short": b"\x05\x09" + bytes(9),
    "mss-0": b"\x02\x04\0\0", "mss-1": b"\x02\x04\0\x01", "mss-47": b"\x02\x04\0\x2f", "mss-65535": b"\x02\x04\xff\xff",
    "wscale-14": b"\x03\x03\x0e", "wscale-15": b"\x03\x03\x0f", "wscale-255": b"\x03\x03\xff",
}


def test_odd_options(wire):
    """In the SYN, in the ACK behind it, and in data: what cannot be read is not there, and the rest goes on."""
    for name, options in ODD_OPTIONS.items():
        with case(name):
            converse_oddly(wire, options)


def converse_oddly(wire, options):
    connection = Connection(wire)
    answer, *_ = connection.send(raw_options(connection.segment("S", ack=0), options))
    assert answer[TCP].flags == "SA" and answer[TCP].ack == (connection.next + 1) % (1 << 32)
    connection.next += 1
    connection.got = answer[TCP].seq + 1
    timestamps = dict(answer[TCP].options).get("Timestamp")
    data = b"with odd options"
    wire.send(raw_options(connection.segment(), options), raw_options(connection.segment("PA", data), options),
              # which the guest is right to drop, if they spoil a timestamp that both have agreed on
              connection.segment("PA", data, options=[("NOP", None), ("NOP", None), ("Timestamp", (5000, timestamps[0]))] if timestamps else []))
    connection.next += len(data)
    assert connection.hear(len(data)) == data
    connection.reset()


# ---- to a connection ------------------------------------------------------------------------------------------------

# segment(connection): what is sent; then what is answered (flags, None: nothing), or "gone".
ATTACKS = {
    "rst": (lambda c: c.segment("R"), "gone"),
    "rst-ack-of-nonsense": (lambda c: c.segment("RA", ack=c.got + 77777), "gone"),
    "rst-with-data": (lambda c: c.segment("R", b"because"), "gone"),
    "rst-in-the-window": (lambda c: c.segment("R", seq=c.next + 1), "A"),
    "rst-in-the-window-far": (lambda c: c.segment("R", seq=c.next + 20000), "A"),
    "rst-before": (lambda c: c.segment("R", seq=c.next - 1), None),
    "rst-beyond": (lambda c: c.segment("R", seq=c.next + (1 << 30)), None),
    "syn": (lambda c: c.segment("S"), "A"),
    "syn-before": (lambda c: c.segment("S", seq=c.next - 1000), "A"),
    "syn-in-the-window": (lambda c: c.segment("S", seq=c.next + 1000), "A"),
    "syn-beyond": (lambda c: c.segment("S", seq=c.next + (1 << 30)), "A"),
    "syn-ack": (lambda c: c.segment("SA"), "A"),
    "syn-fin": (lambda c: c.segment("SFA"), "A"),
    "ack-of-the-future": (lambda c: c.segment(ack=c.got + 1), "A?"),
    "ack-of-the-far-future": (lambda c: c.segment(ack=c.got + (1 << 30)), "A?"),
    "ack-of-the-far-past": (lambda c: c.segment(ack=c.got - (1 << 30)), "A"),
    "data-and-ack-of-the-future": (lambda c: c.segment("PA", b"x" * 16, ack=c.got + 1000), "A?"),
    "no-ack": (lambda c: c.segment("P", b"x" * 16), None),
    "null": (lambda c: c.segment("", b"x" * 16), None),
    "xmas": (lambda c: c.segment("FPU"), None),
    "fin-without-ack": (lambda c: c.segment("F"), None),
    "fin-in-the-window": (lambda c: c.segment("FA", seq=c.next + 100), "A"),
    "fin-beyond": (lambda c: c.segment("FA", seq=c.next + (1 << 30)), "A"),
    "data-beyond": (lambda c: c.segment("PA", b"x" * 16, seq=c.next + (1 << 30)), "A"),
    "data-before": (lambda c: c.segment("PA", b"x" * 16, seq=c.next - 16), "A"),
    "data-far-before": (lambda c: c.segment("PA", b"x" * 16, seq=c.next - (1 << 30)), "A"),
    "urgent-pointer-far": (lambda c: c.segment("AU", urgptr=65535), None),
    "urgent-without-flag": (lambda c: c.segment("A", urgptr=5), None),
    "urgent-before": (lambda c: c.segment("AU", urgptr=1, seq=c.next - 10), "A?"),
    "bad-checksum": (lambda c: c.segment("R", chksum=0x1234), None),
    "window-0-then-more": (lambda c: c.segment(window=0), None),
    "ecn": (lambda c: c.segment("AEC"), None),
    "reserved-bits": (lambda c: c.segment("A", reserved=7), None),
    "timestamp-not-agreed": (lambda c: c.segment("A", options=TIMESTAMP), None),
    "sack-of-the-future": (lambda c: c.segment("A", options=[("SAck", (c.got + 100, c.got + 200))]), None),
    "sack-backwards": (lambda c: c.segment("A", options=[("SAck", (c.got + 200, c.got + 100))]), None),
    "sack-of-everything": (lambda c: c.segment("A", options=[("SAck", (0, 0xFFFFFFFF, 0, 0, c.got, c.got - 1, 5, 5))]), None),
}


def test_attacks(wire):
    for name, (make, expected) in ATTACKS.items():
        connection = Connection(wire, options=ALL_OPTIONS[:2]).open()
        try:
            with case(name):
                attack(connection, make, expected)
        finally:
            connection.reset()


def attack(connection, make, expected):
    connection.lives()
    answers = connection.send(make(connection))
    if expected == "gone":
        assert not answers
        connection.is_gone()
        return
    if expected is None or not answers:
        assert not answers and expected in (None, "A?")
    else:
        assert [str(p[TCP].flags) for p in answers] == ["A"]
        assert answers[0][TCP].ack == connection.next % (1 << 32) and answers[0][TCP].seq == connection.got % (1 << 32)
    connection.lives()


def test_old_timestamp(wire):
    """PAWS: an old duplicate is answered, not taken."""
    connection = Connection(wire, options=[("Timestamp", (1000, 0))]).open()
    stamp = [("NOP", None), ("NOP", None), ("Timestamp", (2000, 0))]
    data = b"in time"
    assert connection.say(data, connection.segment("PA", data, options=stamp)) == data
    old = [("NOP", None), ("NOP", None), ("Timestamp", (1, 0))]
    answer, = connection.send(connection.segment("PA", b"from the past", options=old))
    assert answer[TCP].ack == connection.next % (1 << 32) and not payload(answer)
    assert connection.say(data, connection.segment("PA", data, options=stamp)) == data
    connection.reset()


# The pointer, and what is left of "abcd" in the stream: the byte before the one it points to is not in it. 0 is read as 1.
URGENT = {0: "bcd", 1: "bcd", 2: "acd", 4: "abc", 5: "abcd", 60000: "abcd"}


def test_urgent(wire):
    for pointer, left in URGENT.items():
        connection = Connection(wire).open()
        wire.send(connection.segment("PAU", b"abcd", urgptr=pointer))
        connection.next += 4
        with case(f"urgent pointer {pointer}"):
            assert connection.hear(len(left)).decode() == left
        connection.reset()


# ---- half-open ------------------------------------------------------------------------------------------------------


def half_open(wire, port=ECHO):
    connection = Connection(wire, port)
    answer, = connection.send(connection.segment("S", ack=0))
    assert answer[TCP].flags == "SA"
    connection.got = answer[TCP].seq + 1
    connection.next += 1
    return connection


def test_half_open_wrong_acks(wire):
    """None of them is the one: each is refused, and the right one still opens."""
    connection = half_open(wire)
    for wrong in (-1, 1, 1000, 1 << 31):
        answer, = connection.send(connection.segment(ack=connection.got + wrong))
        assert answer[TCP].flags == "R" and answer[TCP].seq == (connection.got + wrong) % (1 << 32)
    connection.lives()
    connection.reset()


def test_half_open_syn_again(wire):
    connection = half_open(wire)
    answer, = connection.send(connection.segment("S", seq=connection.next - 1, ack=0))
    assert answer[TCP].flags == "SA" and answer[TCP].seq == (connection.got - 1) % (1 << 32)
    connection.lives()
    connection.reset()


def test_half_open_resets(wire):
    """One outside the window is nobody's; the one that fits ends it, and then there is nothing to acknowledge."""
    connection = half_open(wire)
    for wrong in (-2, 1 << 30):
        assert not connection.send(connection.segment("R", seq=connection.next + wrong))
    assert connection.send(connection.segment("S", seq=connection.next - 1, ack=0))[0][TCP].seq == (connection.got - 1) % (1 << 32)
    assert not connection.send(connection.segment("R"))
    answer, = connection.send(connection.segment())
    assert answer[TCP].flags == "R"


def test_data_with_the_handshakes_ack(wire):
    connection = half_open(wire)
    assert connection.say(b"at once") == b"at once"
    connection.reset()


def test_fin_with_the_handshakes_ack(wire):
    """Opened, said and closed in one segment; what was said comes back, then the guest closes, too."""
    connection = half_open(wire)
    data = b"hello and goodbye"
    wire.send(connection.segment("FPA", data))
    connection.next += len(data) + 1
    assert connection.hear(len(data)) == data
    connection.reset()


# ---- overlaps ----------------------------------------------------------------------------------------------------------

# Pieces (offset, text) in their order of arrival, and what Linux makes of them: what is delivered stays; of what waits,
# an earlier piece keeps what a later one overlaps at its front, unless the later one covers all of it.
OVERLAPS = {
    "the-same-twice": ([(0, "abcd"), (0, "ABCD"), (4, "efgh")], "abcdefgh"),
    "longer-again": ([(0, "abcd"), (0, "ABCDEFGH")], "abcdEFGH"),
    "middle-of-the-old": ([(0, "abcd"), (2, "CDEFGH")], "abcdEFGH"),
    "waits-then-covered": ([(4, "efgh"), (0, "ABCDEFGH")], "ABCDEFGH"),
    "waits-then-run-into": ([(4, "efgh"), (0, "ABCDEF")], "ABCDEFgh"),
    "two-wait-first-keeps": ([(2, "cdef"), (4, "EFGH"), (0, "ab")], "abcdefGH"),
    "two-wait-second-covers": ([(3, "de"), (2, "CDEF"), (0, "ab"), (6, "gh")], "abCDEFgh"),
    "two-wait-covered-by-first": ([(2, "cdef"), (3, "DE"), (0, "ab"), (6, "gh")], "abcdefgh"),
    "runs-into-the-next": ([(4, "efgh"), (2, "CDEF"), (0, "ab")], "abCDEFgh"),
    "bridge": ([(1, "b"), (5, "f"), (1, "BCDEF"), (0, "a"), (6, "gh")], "aBCDEFgh"),
    "backwards": ([(7, "h"), (6, "g"), (5, "f"), (4, "e"), (3, "d"), (2, "c"), (1, "b"), (0, "a")], "abcdefgh"),
}


def test_overlaps(connection):
    for name, (pieces, expected) in OVERLAPS.items():
        frames = [connection.segment("PA", text.encode(), seq=connection.next + offset) for offset, text in pieces]
        with case(name):
            assert connection.say(expected.encode(), *frames).decode() == expected
    connection.lives()


# ---- memory --------------------------------------------------------------------------------------------------------------

MOST_BUFFERS = 400  # that a connection's receive buffer of 128 KiB may hold, and its answers


def check_bounded(wire, before):
    now = wire.in_use()
    assert now["buffers"] - before["buffers"] + now["pages"] - before["pages"] < MOST_BUFFERS, (before, now)


def in_order(n):
    return n


def every_second(n):
    return 2 * n + 2


def backwards(n):
    return 30000 - 2 * n


@pytest.mark.parametrize("place", [in_order, every_second, backwards])
def test_tiny_segments(wire, place):
    """A byte each, to one who does not read: in order, with gaps, backwards. What is kept is bounded, and the window tells."""
    before = wire.in_use()
    connection = Connection(wire, DEAF, options=ALL_OPTIONS[:2]).open()
    frames = [bytes(connection.segment("A", b"x", seq=connection.next + place(n))) for n in range(1000)]
    for start in range(0, len(frames), 250):
        wire.send(*frames[start:start + 250], record=False)
        wire.barrier()
    check_bounded(wire, before)
    answer, = connection.send(connection.segment(seq=connection.next - 1))
    assert answer[TCP].flags == "A"
    connection.next = answer[TCP].ack
    connection.reset()


def test_beyond_the_receive_buffer(wire):
    """More than the window, from one who does not care."""
    before = wire.in_use()
    connection = Connection(wire, DEAF, options=ALL_OPTIONS[:2]).open()
    frames = [bytes(connection.segment("A", b"x" * 1460, seq=connection.next + 1460 * n)) for n in range(300)]
    for start in range(0, len(frames), 100):
        wire.send(*frames[start:start + 100], record=False)
        wire.barrier()
    check_bounded(wire, before)
    answer, = connection.send(connection.segment(seq=connection.next - 1))
    connection.next = answer[TCP].ack
    connection.reset()


def test_nobody_reads(wire):
    """What waits to be read, in many sockets, never takes all the memory: the card could not receive any more."""
    before = wire.in_use()
    most = wire.read("/proc/sys/net/core/skb_max_memory").strip()
    wire.set("../core/skb_max_memory", 4 << 20)
    connections = [Connection(wire, DEAF, options=ALL_OPTIONS[:2]).open() for _ in range(40)]
    for connection in connections:
        wire.send(*(connection.segment("A", b"x" * 1400, seq=connection.next + 1400 * n) for n in range(34)), record=False)
    Connection(wire).open().lives_and_ends()
    for connection in connections:
        for answer in connection.send(connection.segment(seq=connection.next - 1)):
            connection.next = answer[TCP].ack
        connection.reset()
    wire.set("../core/skb_max_memory", most)
    wire.wait_until_unused(before, SOON)


# Peers of the service that sends without end: what they do behind the handshake.
BAD_READERS = {
    "never-acks": (65535, lambda c: None),
    "huge-window-and-gone": (65535, lambda c: c.wire.send(c.segment(window=65535))),
    "window-shut": (0, lambda c: c.wire.send(c.segment(window=0))),
    "window-of-one": (1, lambda c: c.wire.send(c.segment(window=1))),
    "shuts-it-behind": (65535, lambda c: c.wire.send(c.segment(window=0))),
    "acks-what-was-never-sent": (65535, lambda c: c.wire.send(*(c.segment(ack=c.got + 1460 * n) for n in range(1, 20)))),
    "acks-byte-by-byte": (65535, lambda c: c.wire.send(*(c.segment(ack=c.got + n) for n in range(1, 60)))),
    "a-hundred-duplicates": (65535, lambda c: c.wire.send(*[c.segment()] * 100)),
    "reneges": (65535, lambda c: c.wire.send(*(c.segment(options=[("SAck", (c.got + 1460 * n, c.got + 1460 * (n + 1)))])
                                               for n in (3, 5, 1, 7, 3, 2)))),
}
READERS = 8


@pytest.mark.parametrize("name", BAD_READERS)
def test_bad_readers(wire, name):
    """Some of them (sockstress): the guest holds no more than their send buffers, serves others, and forgets them."""
    window, act = BAD_READERS[name]
    before = wire.in_use()
    readers = [Connection(wire, SOURCE, options=ALL_OPTIONS if window > 1 else [("MSS", MSS)], window=window).open() for _ in range(READERS)]
    for reader in readers:
        act(reader)
    now = wire.in_use()
    assert now["buffers"] + now["pages"] - before["buffers"] - before["pages"] < READERS * 300, (before, now)
    Connection(wire).open().lives_and_ends()
    for reader in readers:
        reader.reset()


def test_gone_without_a_word(wire):
    """Half-open and open ones whose peer is never heard of again: the open ones stay, as they must; the guest serves others."""
    gone = [half_open(wire) for _ in range(50)] + [Connection(wire, DISCARD).open() for _ in range(50)]
    Connection(wire).open().lives_and_ends()
    for connection in gone:
        connection.reset()


# ---- ICMP errors --------------------------------------------------------------------------------------------------------


def icmp_error(connection, kind, code, seq, mtu=0):
    quoted = IP(src=GUEST, dst=HOST, proto=6) / struct.pack("!HHI", connection.port, connection.sport, seq % (1 << 32))
    return ip(ICMP(type=kind, code=code, nexthopmtu=mtu) / quoted if code == 4 else ICMP(type=kind, code=code) / quoted)


ERRORS = [(3, code) for code in range(16) if code != 4] + [(11, 0), (11, 1), (12, 0), (4, 0), (5, 1)]


def test_icmp_errors_do_not_end_a_connection(wire, connection):
    connection.lives()
    for kind, code in ERRORS:
        for seq in (connection.got, connection.got - 1, connection.got + 1000, 0):
            wire.send(icmp_error(connection, kind, code, seq))
    connection.lives()


def first_flight(wire, connection):
    """What the guest has sent of its first window; the program that writes it may be slower than the handshake."""
    seen, deadline = [], time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        wire.barrier(lambda frame: seen.append(Ether(frame)))
        if found := [p for p in connection.ours(seen) if payload(p)]:
            return found
    return []


def test_tiny_path_mtu(wire):
    """A router that nobody asked: its number counts only with a sequence number in flight, and not below what is sane."""
    connection = Connection(wire, SOURCE, options=[("MSS", MSS)]).open()
    assert {len(payload(p)) for p in first_flight(wire, connection)} == {MSS}
    for mtu in (0, 1, 68, 551, 576):
        connection.send(icmp_error(connection, 3, 4, connection.got - 5000, mtu=mtu), icmp_error(connection, 3, 4, connection.got + (1 << 30), mtu=mtu))
    connection.got += MSS
    assert MSS in {len(payload(p)) for p in connection.send(connection.segment())}
    wire.set("route/mtu_expires", 1)
    again = [p for p in connection.send(icmp_error(connection, 3, 4, connection.got, mtu=68)) if payload(p)]
    assert again and all(p[IP].len <= MIN_PMTU for p in again)
    connection.reset()
    wire.set("route/mtu_expires", 600)


# ---- the guest begins ---------------------------------------------------------------------------------------------------------


class Called(Connection):
    """The other way round: the guest's program has called connect()."""

    ports = iter(range(3000, 9000))

    def __init__(self, wire):
        super().__init__(wire)
        self.sport = next(self.ports)
        assert wire.command(f"tcp connect {HOST} {self.sport}") == "ok"
        syn = wire.wait_for(lambda p: TCP in p and p[TCP].flags == "S" and p[TCP].dport == self.sport)
        self.port = syn[TCP].sport
        self.got = syn[TCP].seq + 1

    def says(self, text):
        """What the guest's program prints."""
        self.wire.guest.expect(f"tcp: {text}\r\n", SOON)

    def converse(self):
        assert self.hear(5) == b"hello"
        self.wire.send(self.segment("PA", b"good day"))
        self.next += 8
        self.says("connected, got 'good day'")
        self.reset()


def test_refused(wire):
    called = Called(wire)
    wire.send(called.segment("RA"))
    called.says("Connection refused")


def test_wrong_answers_to_a_syn(wire):
    """An RST or a SYN-ACK for another SYN, an RST without an ACK, a bare ACK, null: none of them counts. Then the right one."""
    called = Called(wire)
    for wrong in (-1, 1, 1 << 30):
        assert not called.send(called.segment("RA", ack=called.got + wrong))
        answer, = called.send(called.segment("SA", ack=called.got + wrong))
        assert answer[TCP].flags == "R" and answer[TCP].seq == (called.got + wrong) % (1 << 32)
    for flags in ("R", "A", "", "F", "P", "FPU"):
        assert not called.send(called.segment(flags))
    wire.send(called.segment("SA"))
    called.next += 1
    called.converse()


def test_simultaneous_open(wire):
    """Both have begun at once: its SYN-ACK answers ours."""
    called = Called(wire)
    answer, = called.send(called.segment("S", ack=0))
    assert answer[TCP].flags == "SA" and answer[TCP].seq == (called.got - 1) % (1 << 32)
    assert answer[TCP].ack == (called.next + 1) % (1 << 32)
    wire.send(called.segment("SA"))
    called.next += 1
    called.converse()


def test_simultaneous_open_with_a_bare_ack(wire):
    called = Called(wire)
    called.send(called.segment("S", ack=0))
    called.next += 1
    wire.send(called.segment())
    called.converse()


def test_syn_ack_with_data(wire):
    called = Called(wire)
    wire.send(called.segment("SA", b"good day"))
    called.next += 9
    assert called.hear(5) == b"hello"
    called.says("connected, got 'good day'")
    called.reset()


def test_unreachable_while_connecting(wire):
    """A hard error that quotes another SYN, or a soft one, changes nothing; a hard one that quotes ours ends it."""
    called = Called(wire)
    for code, seq in ((3, called.got + 12345), (10, 0), (1, called.got - 1), (0, called.got - 1)):
        wire.exchange(icmp_error(called, 3, code, seq))
    wire.send(icmp_error(called, 3, 10, called.got - 1))
    called.says("(No route to host|Host is unreachable)")


# ---- storms of segments ---------------------------------------------------------------------------------------------------------


def test_nonsense_at_a_connection(wire, connection):
    """Random flags, numbers near the window's edges, lengths, options; whatever becomes of the connection, the guest lives."""
    rng = random.Random(11)
    frames = []
    for _ in range(600):
        near = rng.choice((0, 1, -1, 100, -100, WINDOW, WINDOW + 1, 1 << 31, rng.getrandbits(32)))
        flags = "".join(rng.sample("FSRPAUEC", rng.randrange(5))).replace("R", "" if rng.random() < 0.9 else "R")
        if "S" in flags and "A" not in flags:  # would begin another one
            flags += "A"
        frames.append(bytes(connection.segment(
            flags,
            rng.randbytes(rng.choice((0, 0, 1, 7, 500))), seq=connection.next + near, ack=connection.got + rng.choice((0, 1, -1, near)),
            window=rng.choice((0, 1, 65535)), urgptr=rng.choice((0, 1, 65535)))))
    for start in range(0, len(frames), 200):
        wire.send(*frames[start:start + 200], record=False)
        wire.barrier()
    for answer in connection.send(connection.segment()):
        connection.next = answer[TCP].ack
    connection.reset()
    Connection(wire).open().lives_and_ends()
