# SPDX-License-Identifier: MIT
"""The journey of a packet, as the tracepoints tell it: a real datagram, a real segment, through the card, to a program
that sleeps in recvfrom or in epoll_wait; and what link wrappers do to frames of a live guest."""

import contextlib
import re
import socket
import time

import book
import pytest
from guest import ROOT
from shell import shell_of

EVENTS = ("irq_enter,nic_irq,softirq_enter,nic_poll,ip_rcv,udp_rcv,sock_lookup,sock_enqueue,wake_up,sched_wakeup,"
          "sched_switch,sock_recv,sys_exit")
# DESIGN's fourteen steps, but for the first, which is the card's alone.
INTERRUPT = [("hardirq", "irq_enter"), ("hardirq", "nic_irq"), ("softirq", "softirq_enter"), ("softirq", "nic_poll")]  # 2 to 5
TO_EPOLL_WAIT = [
    "softirq ip_rcv", "softirq {protocol}_rcv", "softirq sock_lookup", "softirq sock_enqueue",  # 6 to 8
    "softirq wake_up func=ep_poll_callback", "softirq ep_poll_callback",  # 9, 10
    "softirq wake_up func=autoremove_wake_function", "softirq sched_wakeup",  # 11
    "process sched_switch",  # 12
    "process ep_send_events", "process sys_exit nr=epoll_pwait result=1", "process sock_recv",  # 13, 14
]
TASK_LINE = re.compile(r"^\[ *\d+\.\d{9}\] +\d+ (\w+) (\S+):(\d+) +(\w+) +(.*)$", re.M)
LINE = re.compile(r"^\[ *\d+\.\d{9}\] +\d+ (\w+) \S+:\d+ +(\w+) +(.*)$", re.M)


def free_port(kind):
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


class Echo:
    """A guest with an echo server, and a socket of the host that reaches it."""
    KIND, PROTOCOL = socket.SOCK_DGRAM, "udp"

    def __init__(self, boot, append="", server="", port=7, **options):
        self.at = ("127.0.0.1", free_port(self.KIND))
        self.sh = shell_of(boot, append=f"ip=10.0.2.15::10.0.2.2:255.255.255.0 {append}", extra=(
            "-netdev", f"user,id=net,hostfwd={self.PROTOCOL}:127.0.0.1:{self.at[1]}-:{port}",
            "-device", "e1000,netdev=net,romfile="), **options)
        if server:  # the one for datagrams on port 7 runs already
            self.sh.run(f"{server} > /dev/null &")
        self.connect()

    def connect(self):
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(self.at)
        self.socket.settimeout(1)
        self.ask(b"warm up", tries=30)  # ARP, and the program's start

    def ask(self, data, tries=1):
        """Its answer; None: it did not come. Those that come late, to questions before, do not count."""
        for _ in range(tries):
            self.socket.send(data)
            with contextlib.suppress(TimeoutError):
                while self.socket.recv(65536) != data:
                    pass
                return data
        return None


class TcpEcho(Echo):
    """The same with a connection."""
    KIND, PROTOCOL = socket.SOCK_STREAM, "tcp"

    def connect(self):
        """QEMU accepts before the guest does, and then hangs up if it does not."""
        for _ in range(100):
            self.socket = socket.create_connection(self.at, timeout=30)
            try:
                if self.ask(b"warm up"):
                    return
            except OSError:
                pass
            time.sleep(0.1)
        raise AssertionError("the guest does not answer")


@pytest.fixture
def echo(boot):
    return lambda **options: Echo(boot, **options)


def steps(text):
    return [(context, event) for context, event, _ in LINE.findall(text)]


def shown_in_the_book():
    block, = [block for block in book.blocks(ROOT / "docs/tracing.md", "text") if "test_journey" in block.label]
    return steps("\n".join(block.lines))


@pytest.mark.parametrize("smp", [1, 4])
@pytest.mark.parametrize("build", ["release", "debug"])
def test_journey_of_a_datagram(echo, build, smp):
    """The events of DESIGN's journey, in its order, each in its context; and as docs/tracing.md shows them."""
    guest = echo(build=build, smp=smp, append="nic-poll-us=0")
    guest.sh.run(f"echo clear events={EVENTS} > /proc/trace_control")
    guest.sh.guest.settle()
    assert guest.ask(b"hello", tries=5) == b"hello"
    text = guest.sh.run("echo off > /proc/trace_control; cat /proc/trace")
    found, journey, woken = LINE.findall(text), [], "?"
    names = [(context, event) for context, event, _ in found]
    at = max(at for at in range(names.index(("hardirq", "nic_irq"))) if names[at] == ("hardirq", "irq_enter"))
    for step in shown_in_the_book():
        at = names.index(step, at)
        while step[1] == "sched_switch" and f" next={woken} " not in found[at][2]:
            at = names.index(step, at + 1)  # another CPU's
        journey.append(found[at][2])
        woken = journey[-1].split()[0].removeprefix("pid=") if step[1] == "sched_wakeup" else woken
        at += 1
    skbs = {re.search(r"skb=(\w+)", arguments).group(1) for arguments in journey if arguments.startswith("skb=")}
    assert len(skbs) == 1, text  # the same buffer all the way
    socks = {number for arguments in journey for number in re.findall(r"\bsock=(\d+)", arguments)}
    assert len(socks) == 1, text
    assert journey[-1] == "nr=recvfrom result=5"


def concerns(line, skb, pid):
    """Is it about this packet, or this program?"""
    _, _, task, event, arguments = line
    if event in ("irq_enter", "nic_irq", "softirq_enter", "nic_poll"):
        return False
    if event == "wake_up":
        return "pollwake" not in arguments  # the shell's, at the terminal
    if event.startswith("sched_"):
        return arguments.startswith(f"pid={pid} ") or f" next={pid} " in arguments
    return "skb=" in arguments and skb in arguments or event == "ep_poll_callback" or task == pid


def described(line):
    context, _, _, event, arguments = line
    told = {"wake_up": r"func=\w+", "sys_exit": r".*"}.get(event)
    return f"{context} {event}" + (f" {re.search(told, arguments).group(0)}" if told else "")


@pytest.mark.parametrize("smp", [1, 4])
@pytest.mark.parametrize("build", ["release", "debug"])
@pytest.mark.parametrize("protocol", ["udp", "tcp"])
def test_journey_to_epoll_wait(boot, build, smp, protocol):
    """Exactly the steps of DESIGN's journey, in order, once each, for the program that sleeps in epoll_wait."""
    kind, server = {"udp": (Echo, "udp_echo"), "tcp": (TcpEcho, "echo_epoll")}[protocol]
    guest = kind(boot, append="nic-poll-us=0", server=f"{server} 9 epoll", port=9, build=build, smp=smp)
    guest.sh.run(f"echo clear events={EVENTS},tcp_rcv,ep_poll_callback,ep_send_events > /proc/trace_control")
    guest.sh.guest.settle()
    assert guest.ask(b"hello", tries=5) == b"hello"
    text = guest.sh.run("echo off > /proc/trace_control; cat /proc/trace")
    found = TASK_LINE.findall(text)
    pid, = {pid for _, name, pid, event, _ in found if name == server and event == "sock_recv"}
    # An acknowledgement of what was sent before may come first.
    enqueued = next(at for at, line in enumerate(found) if line[3] == "sock_enqueue")
    skb = re.search(r"skb=\w+", found[enqueued][4]).group(0)
    first = max(at for at in range(enqueued) if found[at][3] == "ip_rcv" and skb in found[at][4])

    # The clock's interrupt may come with the card's, and other CPUs have theirs.
    interrupt = max(at for at in range(first) if found[at][3] == "nic_irq")
    entry = max(at for at in range(interrupt) if found[at][3] == "irq_enter")
    up_to_poll = [found[entry]] + [line for line in found[interrupt:first]
                                   if line[3] in ("nic_irq", "nic_poll") or line[3:] == ("softirq_enter", "nr=NET_RX")]
    assert [(context, event) for context, _, _, event, _ in up_to_poll] == INTERRUPT, text
    steps_of_it = [described(line) for line in found[first:] if concerns(line, skb, pid)]
    assert steps_of_it[:len(TO_EPOLL_WAIT)] == [step.format(protocol=protocol) for step in TO_EPOLL_WAIT], text


def test_filter_by_socket(echo):
    guest = echo()
    guest.sh.run(f"echo clear events={EVENTS} > /proc/trace_control")
    assert guest.ask(b"hello", tries=5)
    sock = re.search(r"sock_recv +sock=(\d+)", guest.sh.run("echo off > /proc/trace_control; cat /proc/trace")).group(1)
    for number, expected in ((sock, {"sock_lookup", "sock_enqueue", "sock_recv"}), (int(sock) + 1, set())):
        guest.sh.run(f"echo clear events=sock_lookup,sock_enqueue,sock_recv sock={number} > /proc/trace_control")
        assert guest.ask(b"hello", tries=5)
        assert {event for _, event in steps(guest.sh.run("echo off > /proc/trace_control; cat /proc/trace"))} == expected


def test_lossy_card(echo, tmp_path):
    """A third of the datagrams do not come back; the count says so; and without the link all do."""
    guest = echo()
    link = "/proc/sys/net/link/eth0"
    guest.sh.run(f"echo 100% > {link}/rx_lose")
    guest.socket.settimeout(0.2)
    assert guest.ask(b"x", tries=3) is None
    guest.sh.run(f"echo 50% > {link}/rx_lose; echo 1M > {link}/pcap")
    assert guest.ask(b"y" * 100, tries=50) == b"y" * 100
    lost = int(guest.sh.run("grep 'eth0 rx' /proc/net/link").split()[3])
    assert lost >= 3
    guest.sh.run(f"echo 0 > {link}/rx_lose; echo 100% > {link}/tx_duplicate")
    guest.socket.settimeout(30)
    for data in (b"first", b"second"):
        guest.socket.send(data)
        while guest.socket.recv(2000) != data:
            pass
        assert guest.socket.recv(2000) == data
    data = bytes.fromhex(guest.sh.run("hexdump -v -e '1/1 \"%02x\"' /proc/net/pcap/eth0"))
    path = tmp_path / "eth0.pcap"
    path.write_bytes(data)
    check_pcap(path)
    guest.sh.run(f"echo 0 > {link}/tx_duplicate; echo 0 > {link}/pcap")
    assert "eth0" not in guest.sh.run("cat /proc/net/link")


@pytest.mark.parametrize("build,smp", [("release", 1), ("debug", 4)])
def test_ping_over_a_lossy_loopback(boot, build, smp):
    """What is lost of the packets that ping counts, is what the link counts."""
    sh = shell_of(boot, build=build, smp=smp)
    sh.run("ifconfig lo 127.0.0.1 up; cd /proc/sys/net/link/lo; echo 20% > rx_lose; echo 3ms > tx_delay")
    answer = sh.run("ping -q -c 20 -i 0.02 -W 3 127.0.0.1")
    sent, got = map(int, re.search(r"(\d+) packets transmitted, (\d+) packets received", answer).groups())
    lost = int(sh.run("grep 'lo rx' /proc/net/link").split()[3])
    assert sent == 20 and 0 < lost and got == sent - lost
    assert float(re.search(r"min/avg/max = ([\d.]+)/", answer).group(1)) >= 6  # there and back
    sh.run("echo 0 > rx_lose; echo 0 > tx_delay")
    assert "20 packets received" in sh.run("ping -q -c 20 -i 0.01 127.0.0.1")


def check_pcap(path):
    """Valid, and with the datagrams as this machine received and sent them, checksums and all."""
    from scapy.layers.inet import IP, UDP
    from scapy.layers.l2 import Ether
    from scapy.utils import rdpcap

    packets = [packet for packet in rdpcap(str(path)) if UDP in packet]
    assert {packet[UDP].dport for packet in packets} >= {7} and {packet[UDP].sport for packet in packets} >= {7}
    for packet in packets:
        fresh = packet.copy()
        del fresh[IP].chksum, fresh[UDP].chksum
        assert bytes(Ether(bytes(fresh))) == bytes(packet)
