# SPDX-License-Identifier: MIT
"""ICMP: echo, the errors that the guest sends, and those that it is told."""

import itertools
import random

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from wire import BROADCAST, CLOSED_PORT, ECHO_PORT, FAR, GUEST, HOST, fragments, ip, ip_payload, ping, udp

DATA = random.Random(11).randbytes(65507)
DEFAULT_RATEMASK = 6168
numbers = itertools.count(1)


def echoed(wire, frames, data):
    answer, = wire.exchange(*frames)
    message = ip_payload(answer)
    assert message[0] == 0 and message[8:] == data


@pytest.mark.parametrize("size", [0, 1, 2, 7, 55, 56, 57, 576, 1471, 1472, 1473, 2952, 2953, 9001, 65506, 65507])
def test_echo(wire, size):
    frame = ping(DATA[:size], id=next(numbers))
    echoed(wire, [frame] if size <= 1472 else fragments(frame, 1480), DATA[:size])


@pytest.mark.parametrize("fields", [{"tos": 0x10}, {"ttl": 1}, {"flags": "DF"}, {"src": FAR}], ids=str)
def test_echo_of_other_headers(wire, fields):
    answer, = wire.exchange(ping(b"x", **fields))
    assert (answer[IP].src, answer[IP].dst) == (GUEST, fields.get("src", HOST))
    assert answer[IP].tos == fields.get("tos", 0) and answer[IP].ttl == 64


def test_timestamp(wire):
    answer, = wire.exchange(ip(ICMP(type=13, id=1, seq=2, ts_ori=12345)))
    assert (answer[ICMP].type, answer[ICMP].id, answer[ICMP].seq, answer[ICMP].ts_ori) == (14, 1, 2, 12345)
    assert answer[ICMP].ts_rx == answer[ICMP].ts_tx < 24 * 60 * 60 * 1000


# Messages, each with the counter that grows; there is no answer to any.
IGNORED = {
    "checksum": (ip(ICMP(chksum=0x1234) / b"x"), "Icmp.InCsumErrors"), "empty": (ip(proto=1), "Icmp.InErrors"),
    "7-bytes": (ip(bytes(ICMP())[:7], proto=1), "Icmp.InErrors"), "answer": (ip(ICMP(type=0)), "Icmp.InEchoReps"),
    "redirect": (ip(ICMP(type=5, code=1, gw="10.77.0.9") / IP(src=GUEST, dst=FAR) / UDP()), "Icmp.InRedirects"),
    "source-quench": (ip(ICMP(type=4) / IP(src=GUEST, dst=FAR) / UDP()), "Icmp.InSrcQuenchs"),
    "address-mask": (ip(ICMP(type=17)), "Icmp.InAddrMasks"), "type-9": (ip(ICMP(type=9)), "Icmp.InMsgs"),
    "type-42": (ip(ICMP(type=42)), "Icmp.InMsgs"), "type-255": (ip(ICMP(type=255)), "Icmp.InMsgs"),
    "short-timestamp": (ip(bytes(ICMP(type=13))[:8], proto=1), "Icmp.InErrors"),
}


@pytest.mark.parametrize("name", IGNORED)
def test_is_ignored(wire, name):
    frame, counter = IGNORED[name]
    answers, grown = wire.counted(frame)
    assert not answers and grown[counter] == 1


@pytest.mark.parametrize("size", [0, 8, 100, 520, 521, 1472])
def test_port_unreachable(wire, size):
    """It quotes what came, up to 576 bytes in all."""
    frame = udp(DATA[:size], dport=CLOSED_PORT)
    answer, = wire.exchange(frame)
    assert (answer[ICMP].type, answer[ICMP].code, answer[IP].dst) == (3, 3, HOST)
    quoted = ip_payload(answer)[8:]
    assert quoted == bytes(frame)[14:][:576 - 28] and answer[IP].len <= 576


def test_port_unreachable_of_fragments(wire):
    answer, = wire.exchange(*fragments(udp(DATA[:5000], dport=CLOSED_PORT, id=next(numbers)), 1480))
    assert (answer[ICMP].type, answer[ICMP].code) == (3, 3)


NO_ERROR_ABOUT = {
    "broadcast": udp(b"x", dport=CLOSED_PORT, dst=BROADCAST),
    "from-nobody": udp(b"x", dport=CLOSED_PORT, src="0.0.0.0"),
    "an-error": ip(ICMP(type=3, code=3) / IP(src=GUEST, dst=HOST, proto=99) / b"12345678"),
    "a-redirect": ip(ICMP(type=5, code=9) / IP(src=GUEST, dst=HOST, proto=99) / b"12345678"),
    "a-broken-datagram": ip(UDP(sport=1, dport=CLOSED_PORT, chksum=1) / b"x"),
}


@pytest.mark.parametrize("name", NO_ERROR_ABOUT)
def test_no_error_about(wire, name):
    assert not wire.exchange(NO_ERROR_ABOUT[name])


def test_rate_limit(wire):
    """What is not sent is counted; the limit for one address leaves some to others."""
    wire.set("icmp_ratemask", DEFAULT_RATEMASK)
    try:
        answers, grown = wire.counted(*[udp(b"x", dport=CLOSED_PORT)] * 100)
        assert len(answers) + grown["Icmp.OutRateLimitHost"] + grown["Icmp.OutRateLimitGlobal"] == 100
        assert grown["Icmp.OutDestUnreachs"] == len(answers) < 100
    finally:
        wire.set("icmp_ratemask", 0)


# ---- errors about what the guest sent -------------------------------------------------------------------


def connect(wire, port):
    """A connected socket that has sent a datagram; that datagram."""
    assert wire.command(f"connect {HOST} {port}") == "ok"
    return wire.wait_for(lambda p: UDP in p and p[UDP].dport == port)


def error_about(packet, kind, code, size=None, rest=0, **fields):
    message = ICMP(bytes([kind, code, 0, 0]) + rest.to_bytes(4, "big"))
    message.chksum = None
    return ip(message / bytes(packet[IP])[:size], **fields)


@pytest.mark.parametrize("kind, code, told", [
    (3, 3, "Connection refused"), (3, 2, "Protocol not available"), (3, 10, "Host is unreachable"), (3, 13, "Host is unreachable"),
    (12, 0, "Protocol error"), (3, 0, None), (3, 1, None), (11, 0, None), (11, 1, None), (3, 16, None), (3, 255, None), (5, 1, None), (4, 0, None)])
def test_a_connected_socket_is_told(wire, kind, code, told):
    """Once, and only of what lasts."""
    packet = connect(wire, 5000)
    wire.exchange(error_about(packet, kind, code))
    assert wire.command("receive") == (told or "Resource temporarily unavailable")
    assert wire.command("receive") == "Resource temporarily unavailable"


def tampered(packet, offset, value):
    raw = bytearray(bytes(packet[IP]))
    raw[offset] = value
    return IP(bytes(raw))


LIES = {
    "other-source-port": lambda p: (tampered(p, 21, 0), None), "other-destination": lambda p: (tampered(p, 19, 99), None),
    "other-destination-port": lambda p: (tampered(p, 23, 0), None), "not-from-us": lambda p: (tampered(p, 15, 77), None),
    "other-protocol": lambda p: (tampered(p, 9, 200), None), "version": lambda p: (tampered(p, 0, 0x65), None),
    "short-header": lambda p: (tampered(p, 0, 0x41), None), "long-header": lambda p: (tampered(p, 0, 0x4F), None),
    "a-later-fragment": lambda p: (tampered(p, 7, 1), None), "nothing": lambda p: (p, 0), "half-a-header": lambda p: (p, 19),
    "only-a-header": lambda p: (p, 20), "7-bytes": lambda p: (p, 27),
}


@pytest.mark.parametrize("name", LIES)
def test_what_we_never_sent(wire, name):
    """Errors that quote what no socket sent, or too little of it."""
    packet = connect(wire, 5000)
    quoted, size = LIES[name](packet)
    assert not wire.exchange(ip(ICMP(type=3, code=3) / bytes(quoted)[:size]))
    assert wire.command("receive") == "Resource temporarily unavailable"


@pytest.mark.parametrize("mtu, most", [(1000, 1000), (600, 600), (100, 552), (68, 552), (0, None), (65535, None)])
def test_path_mtu(wire, mtu, most):
    """What a router says becomes the length of what we send, within reason."""
    far = f"192.0.2.{next(numbers) % 200 + 1}"
    first = wire.echo([udp(DATA[:1400], src=far)], DATA[:1400])
    assert first[IP].flags.DF
    wire.exchange(error_about(first, 3, 4, size=28, rest=mtu))
    got = []
    wire.send(udp(DATA[:1400], src=far))
    wire.barrier(got.append)
    lengths = [p.len for p in (IP(frame[14:]) for frame in got) if p.dst == far]
    assert max(lengths) <= (most or 1500) and (len(lengths) > 1) == bool(most)
    assert max(lengths) > (most or 1400) - 8 - 20


def test_echo_service_is_not_disturbed(wire):
    wire.exchange(error_about(wire.echo([udp(b"x")], b"x"), 3, 3))
    assert wire.echo([udp(b"y")], b"y")[UDP].sport == ECHO_PORT
