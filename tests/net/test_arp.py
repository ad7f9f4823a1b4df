# SPDX-License-Identifier: MIT
"""ARP: what the guest answers, what it believes, and what waits until there is an answer."""

import pytest
from scapy.layers.inet import UDP
from scapy.layers.l2 import ARP
from wire import EVERYBODY, GUEST, GUEST_MAC, HOST, HOST_MAC, ether, ping, udp

STRANGER, STRANGER_MAC = "10.77.0.50", "02:00:00:00:00:50"
NOBODY = "00:00:00:00:00:00"


def arp(op=1, dst=EVERYBODY, src=HOST_MAC, **fields):
    return ether(ARP(**{"op": op, "hwsrc": HOST_MAC, "psrc": HOST, "hwdst": NOBODY, "pdst": GUEST, **fields}), dst=dst, src=src)


def table(wire):
    """{address: MAC}, of those whose MAC is known."""
    rows = [line.split() for line in wire.read("/proc/net/arp").splitlines()[1:]]
    return {row[0]: row[3] for row in rows if row[2] != "0x0"}


@pytest.mark.parametrize("request_frame", [
    arp(), arp(dst=GUEST_MAC), arp(hwdst="de:ad:be:ef:00:00"), arp(psrc="0.0.0.0"),
    arp(psrc=STRANGER, hwsrc=STRANGER_MAC), arp(hwsrc=STRANGER_MAC, psrc=STRANGER, src=HOST_MAC)],
    ids=["broadcast", "unicast", "target", "probe", "stranger", "other-sender"])
def test_is_answered(wire, request_frame):
    answer, = wire.exchange(request_frame)
    asked, told = request_frame[ARP], answer[ARP]
    assert (told.op, told.hwsrc, told.psrc) == (2, GUEST_MAC, GUEST)
    assert (told.hwdst, told.pdst, answer.dst, answer.src) == (asked.hwsrc, asked.psrc, asked.hwsrc, GUEST_MAC)


NOT_ANSWERED = {
    "for-another": arp(pdst="10.77.0.3"), "for-loopback": arp(pdst="127.0.0.1"), "for-broadcast": arp(pdst="10.77.0.255"),
    "gratuitous": arp(psrc="10.77.0.66", pdst="10.77.0.66"), "reply": arp(op=2), "op-0": arp(op=0), "op-3": arp(op=3),
    "op-65535": arp(op=65535), "hardware": arp(hwtype=6), "protocol": arp(ptype=0x86DD),
    "hardware-length": arp(hwlen=8), "protocol-length": arp(plen=16), "zero-lengths": arp(hwlen=0, plen=0),
    "sender-is-a-group": arp(hwsrc="01:00:5e:00:00:01"), "sender-is-all": arp(hwsrc=EVERYBODY),
    "sender-is-nobody": arp(hwsrc=NOBODY), "from-loopback": arp(psrc="127.0.0.1"),
    "from-broadcast": arp(psrc="255.255.255.255"), "from-multicast": arp(psrc="224.0.0.1"),
    "short": bytes(arp())[:30], "header-only": bytes(arp())[:14],
}


@pytest.mark.parametrize("name", NOT_ANSWERED)
def test_is_not_answered(wire, name):
    before = table(wire)
    assert not wire.exchange(NOT_ANSWERED[name])
    assert table(wire).items() <= before.items()


@pytest.mark.parametrize("lie", [
    arp(op=2, dst=GUEST_MAC, psrc="10.77.0.66"), arp(op=2, psrc="10.77.0.66"), arp(psrc="10.77.0.66", pdst="10.77.0.66"),
    arp(psrc="10.77.0.66", pdst="10.77.0.67")], ids=["reply", "to-all", "gratuitous", "overheard"])
def test_a_stranger_is_not_learnt_unasked(wire, lie):
    wire.exchange(lie)
    assert "10.77.0.66" not in table(wire)


@pytest.mark.parametrize("op", [1, 2])
def test_our_own_address_is_not_learnt(wire, op):
    """Somebody else has it: that is said, and nothing else happens."""
    assert not wire.exchange(arp(op=op, psrc=GUEST, hwsrc=STRANGER_MAC, pdst=GUEST))
    assert GUEST not in table(wire)
    if op == 1:  # and not again within ten seconds
        wire.guest.expect(f"{STRANGER_MAC} has our address {GUEST}")
    assert len(wire.exchange(ping())) == 1


def test_a_neighbour_may_move(wire):
    """A question from it shows that it is there now; it is believed like any."""
    wire.exchange(arp(psrc=STRANGER, hwsrc=STRANGER_MAC))
    assert table(wire)[STRANGER] == STRANGER_MAC
    moved = "02:00:00:00:00:51"
    wire.exchange(arp(psrc=STRANGER, hwsrc=moved))
    assert table(wire)[STRANGER] == moved
    answer, = wire.exchange(udp(b"there?", src=STRANGER))
    assert answer.dst == moved


def test_what_waits_goes_out_in_order(wire):
    unknown, mac = "10.77.0.70", "02:00:00:00:00:70"
    assert wire.command(f"send_to {unknown} 5000 5") == "ok"
    question = wire.wait_for(lambda p: ARP in p and p[ARP].pdst == unknown)
    assert (question.dst, question[ARP].op, question[ARP].psrc) == (EVERYBODY, 1, GUEST)
    sent = wire.exchange(ether(ARP(op=2, hwsrc=mac, psrc=unknown, hwdst=GUEST_MAC, pdst=GUEST), src=mac))
    sent = [p for p in sent if UDP in p and p[UDP].dport == 5000]
    assert [p[UDP].load for p in sent] == [bytes([n, 0, 0, 0]) for n in range(5)]
    assert all(p.dst == mac for p in sent)


def test_nobody_answers(wire):
    """It asks three times; what waited is given up."""
    silent, before = "10.77.0.71", wire.in_use()
    settings = {"neigh/default/retrans_time_ms": 1000}
    try:
        for name in settings:
            wire.set(name, 50)
        assert wire.command(f"send_to {silent} 5000 200") == "ok"
        for _ in range(3):
            wire.wait_for(lambda p: ARP in p and p[ARP].pdst == silent)
        wire.wait_until_unused(before)
    finally:
        for name, value in settings.items():
            wire.set(name, value)
    assert silent not in table(wire)
