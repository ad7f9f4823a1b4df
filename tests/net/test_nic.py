# SPDX-License-Identifier: MIT
"""The network card: its self-tests on both models and both machines, and what they put on the wire."""

import re

import pytest
import qemu
from guest import COUNT_PLUGIN
from scapy.layers.inet import IP, TCP, UDP
from scapy.layers.l2 import Ether
from scapy.utils import rdpcap

LOCAL_TYPE = 0x88B5
MIN_FRAME, MAX_FRAME = 14, 1514
IDLE_INSTRUCTIONS = 100_000  # in two seconds; it is printing two lines


def card(model, machine="pc", pcap=None):
    """QEMU's arguments for one on the user network."""
    words = ("-M", machine, "-netdev", "user,id=net0", "-device", f"{model},netdev=net0,romfile=")
    if pcap:
        words += ("-object", f"filter-dump,id=dump,netdev=net0,file={pcap}")
    return words


def run(boot, tests, **options):
    guest = boot(append=f"selftest={tests}", **options)
    assert guest.wait_exit() == qemu.EXIT_SUCCESS, guest.report()
    assert "FAILED" not in guest.log()
    return guest


@pytest.mark.parametrize("model, machine, smp, build", [
    ("e1000", "pc", 1, "release"), ("e1000", "q35", 4, "debug"), ("e1000e", "pc", 4, "debug"), ("e1000e", "q35", 1, "release")])
def test_what_can_go_wrong(boot, model, machine, smp, build):
    """No memory, more frames than room, a sender that hangs, down and up: nothing is lost but what is counted."""
    run(boot, "e1000_answer,e1000_together,e1000_down,e1000_no_memory,e1000_overrun,e1000_stuck",
        extra=card(model, machine), smp=smp, build=build)


@pytest.mark.parametrize("entries", [64, 4096])
def test_ring_sizes(boot, tmp_path, entries):
    guest = run(boot, f"e1000_answer,e1000_frames e1000.rx={entries} e1000.tx={entries}",
                extra=card("e1000", pcap=tmp_path / "pcap"))
    assert "bad value" not in guest.log()


def without_sums(packet):
    """The packet with its checksums calculated anew."""
    fresh = packet.copy()
    for layer in (IP, UDP, TCP):
        if layer in fresh:
            del fresh[layer].chksum
    return Ether(bytes(fresh))


def check_offload(packets):
    """Three times the same: by the device, by software, and cut by software with the device's sums."""
    # QEMU's 82540EM sends an empty segment more when the last one is full.
    packets = [p for p in packets if IP in p and p[IP].src == "10.0.2.15" and not (TCP in p and not p[TCP].payload)]
    third = len(packets) // 3
    first, second, last = ([bytes(p) for p in packets[n * third:][:third]] for n in range(3))
    assert first == second == last and third > 100
    assert all(bytes(p) == bytes(without_sums(p)) for p in packets)
    # the segments of one, put together: what was to be sent, and only the last one pushes and ends it
    segments = [p[TCP] for p in packets[2:8]]
    data = b"".join(bytes(s.payload) for s in segments)
    assert data == b"".join(bytes((page * 7 + i) % 256 for i in range(4096)) for page in range(2))
    assert [s.seq for s in segments] == [(0xFFFFFF00 + 1460 * n) % 2**32 for n in range(6)]
    assert [str(s.flags) for s in segments] == ["A"] * 5 + ["FPA"]
    assert [p[IP].id for p in packets[2:8]] == list(range(0x1234, 0x123A))


def check_frames(packets):
    """Every length up and down again, each byte where it belongs."""
    frames = [bytes(p) for p in packets if p.type == LOCAL_TYPE]
    lengths = [*range(MIN_FRAME, MAX_FRAME + 1), *range(MAX_FRAME, MIN_FRAME - 1, -1)]
    numbers = bytes(n % 256 for n in range(MAX_FRAME))
    assert len(frames) == len(lengths)
    assert all(frame[14:length] == numbers[:length - 14] for frame, length in zip(frames, lengths))


@pytest.mark.parametrize("model", ["e1000", "e1000e"])
def test_what_is_on_the_wire(boot, tmp_path, model):
    run(boot, "e1000_frames,e1000_offload", extra=card(model, pcap=tmp_path / "pcap"))
    packets = rdpcap(str(tmp_path / "pcap"))
    check_frames(packets)
    check_offload(packets)


@pytest.mark.parametrize("model", ["e1000", "e1000e"])
def test_cable(boot, model):
    guest = boot(append="selftest=e1000_link", extra=card(model))
    with guest.qmp() as qmp:
        guest.expect("e1000_link: pull the cable")
        qmp.execute("set_link", name="net0", up=False)
        guest.expect("eth0: link down")
        qmp.execute("set_link", name="net0", up=True)
        guest.expect("eth0: link up")
    assert guest.wait_exit() == qemu.EXIT_SUCCESS, guest.report()


@pytest.mark.skipif(not COUNT_PLUGIN.exists(), reason="the plugin that counts is not built")
@pytest.mark.parametrize("smp", [1, 4])
def test_who_waits_costs_nothing(boot, smp):
    guest = boot(append="selftest=e1000_idle", extra=card("e1000"), smp=smp, count_instructions=True)
    guest.expect("e1000_idle: begins")
    before = guest.instructions()
    guest.expect("e1000_idle: ends")
    assert guest.instructions() - before < IDLE_INSTRUCTIONS
    assert guest.wait_exit() == qemu.EXIT_SUCCESS


def test_without_a_card(boot):
    guest = boot(append="selftest=e1000_answer")
    assert guest.wait_exit() == qemu.EXIT_FAILURE
    assert not re.search("eth0|panic", guest.log())
