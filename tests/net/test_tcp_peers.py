# SPDX-License-Identifier: MIT
"""TCP of the guest against Linux's own, as server and as client: over networks of every kind of badness, thousands of short
connections, more connections than anybody takes, a SYN flood, BusyBox's programs. What was made of each connection's bytes is
compared on both sides; what the guest sent is looked at by tshark, and must stay within the windows it was given.

`make soak` moves gigabytes."""

import errno
import hashlib
import http.server
import os
import random
import re
import socket
import subprocess
import threading
import time
import urllib.request

import pytest
from guest import OUT, Guest
from peer import ANSWER, ECHO, GUEST, HOST, UNACCEPTED, HostServer, Peer, judge
from scapy.layers.inet import IP, TCP
from wire import GUEST_MAC, HOST_MAC, TAP, ether, is_possible

LONG = bool(os.environ.get("SOAK"))
MACHINES = [(1, "release"), (4, "debug")]
KILOBYTE, MEGABYTE = 1 << 10, 1 << 20
# The machine on which it is tried in short; bytes in each direction, in short and in long.
NETWORKS = {
    "": (1, 2 * MEGABYTE, 1 << 30),
    "lose=1%": (4, MEGABYTE, 256 * MEGABYTE),
    "lose=5%": (1, 200 * KILOBYTE, 32 * MEGABYTE),
    "lose=20%": (4, 10 * KILOBYTE, 2 * MEGABYTE),
    "reorder=5%": (4, MEGABYTE, 256 * MEGABYTE),
    "duplicate=5%": (1, MEGABYTE, 256 * MEGABYTE),
    "corrupt=2%": (4, 400 * KILOBYTE, 64 * MEGABYTE),
    "delay=5ms,jitter=2ms": (1, 400 * KILOBYTE, 64 * MEGABYTE),
    "lose=2%,reorder=3%,duplicate=2%,corrupt=1%,delay=2ms,jitter=1ms": (4, 50 * KILOBYTE, 16 * MEGABYTE),
}
CAPTURE = 16 * MEGABYTE
SHORT_CONNECTIONS = 20000 if LONG else 250
FLOOD_SECONDS = 60 if LONG else 1
TIME_WAIT_SECONDS = 60  # then the first of them are gone
BACKLOG = 4 + 1  # a listener takes one more than it said
TIMEOUT = 3600 if LONG else 300


@pytest.fixture(scope="module", params=MACHINES, ids=lambda machine: f"smp{machine[0]}-{machine[1]}")
def shared_peer(request):
    """What TCP has in use in the end is what it had in the beginning."""
    if not is_possible():
        pytest.skip("a tap device takes root")
    smp, build = request.param
    log_dir = OUT / "test-logs" / "peer" / f"smp{smp}-{build}"
    peer = Peer(lambda **options: Guest(log_dir, **options), smp=smp, build=build)
    peer.log_dir, peer.smp = log_dir, smp
    before = in_use(peer)
    yield peer
    wait_for(lambda: no_more(in_use(peer), before), lambda: (before, in_use(peer)))
    log = peer.guest.log()
    report = peer.guest.report()
    peer.close()
    peer.guest.close()
    assert "panic" not in log and "BUG" not in log, report


@pytest.fixture
def peer(request, shared_peer):
    """In whose namespace we are."""
    request.node.guests = [shared_peer.guest]
    with shared_peer.here():
        yield shared_peer


def in_use(peer):
    peer.forget_time_wait()
    counts = peer.counts()
    return {name: counts[name] for name in counts if name in ("sockets", "orphans", "time-wait", "buffers", "pages", "slab TCP",
                                                              "slab tcp_request", "slab tcp_port", "slab tcp_timewait")}


def no_more(now, before):
    return all(count <= before[name] for name, count in now.items())


def wait_for(condition, state):
    end = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < end, state()
        time.sleep(0.1)


# ---- bulk ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("network", NETWORKS)
def test_bulk(peer, network):
    smp, *sizes = NETWORKS[network]
    if not LONG and smp != peer.smp:
        pytest.skip("the other machine's")
    size = sizes[LONG]
    server = HostServer()
    peer.set_link(network)
    if not LONG:
        peer.capture(CAPTURE)
    try:
        assert peer.send_pattern(size) == f"{size} good"
        assert peer.receive_pattern(size) == size
        assert peer.tcp(f"talk {HOST} {server.port} {size // 2}", TIMEOUT) == f"talked {size // 2}, good"
    finally:
        peer.set_link("")
        server.close()
    if not LONG:
        path = peer.log_dir / f"{re.sub(r'[^a-z0-9]+', '-', network) or 'good'}.pcap"
        peer.captured(path)
        peer.capture(0)
        assert not judge(path)


# ---- marks instead of losses (ECN) ---------------------------------------------------------------------


ECE, CWR, SYN, CE, ECT = 0x40, 0x80, 0x02, 3, 2


def segments(path):
    """(from the guest?, TCP's flags, IP's ECN bits, length) of each, as the guest's own end of the wire saw them."""
    fields = ("ip.src", "tcp.flags", "ip.dsfield.ecn", "tcp.len")
    command = ["tshark", "-n", "-r", path, "-Y", "tcp", "-T", "fields", *(word for field in fields for word in ("-e", field))]
    lines = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout.splitlines()
    for source, flags, ecn, length in (line.split("\t") for line in lines):
        yield source == GUEST, int(flags, 16), int(ecn, 0), int(length)


def set_ecn(peer, ours, guests):
    with open("/proc/sys/net/ipv4/tcp_ecn", "w", encoding="ascii") as file:
        file.write(str(ours))
    peer.set("tcp_ecn", guests)


def retransmitted(peer):
    return int(re.search(r"Tcp: \d.*", peer.read("/proc/net/snmp")).group().split()[12])


def test_marked(peer):
    """A router marks what it could have dropped: each sender hears of it from the other, slows down and says so. First the
    host asks for ECN, then the guest."""
    if peer.smp == 1:
        pytest.skip("the other machine's")
    server, before, size = HostServer(), retransmitted(peer), 500 * KILOBYTE
    set_ecn(peer, 1, 1)
    peer.set_link("mark=3%")
    peer.capture(CAPTURE)
    try:
        assert peer.send_pattern(size) == f"{size} good"
        assert peer.tcp(f"talk {HOST} {server.port} {size}", TIMEOUT) == f"talked {size}, good"
        marked = re.findall(r"^eth0 \wx.*", peer.read("/proc/net/link"), re.M)
        peer.captured(peer.log_dir / "marked.pcap")
    finally:
        peer.set_link("")
        peer.capture(0)
        set_ecn(peer, 2, 2)
        server.close()
    assert all(int(line.split()[7]) > 0 for line in marked) and len(marked) == 2, marked
    assert not judge(peer.log_dir / "marked.pcap")
    seen = list(segments(peer.log_dir / "marked.pcap"))
    for guests in (True, False):
        assert any(mine == guests and flags & (SYN | ECE | CWR) == SYN | ECE | CWR for mine, flags, *_ in seen), "asked"
        assert any(mine == guests and flags & (SYN | ECE) == ECE for mine, flags, *_ in seen), "told of a mark"
        assert any(mine == guests and flags & (SYN | CWR) == CWR and length for mine, flags, _, length in seen), "slowed down"
    assert any(not mine and ecn == CE for mine, _, ecn, _ in seen)
    assert not any(ecn for mine, _, ecn, length in seen if mine and not length), "an ACK may not be marked"
    assert sum(ecn != ECT for mine, _, ecn, length in seen if mine and length) <= retransmitted(peer) - before, "data may be"


# ---- many short ones -------------------------------------------------------------------------------------


@pytest.mark.parametrize("port", [ECHO, ANSWER], ids=["we-close-first", "guest-closes-first"])
def test_short_connections_to_the_guest(peer, port):
    begun = time.monotonic()
    for i in range(SHORT_CONNECTIONS):
        data = b"%064d" % i
        assert peer.echo(data, port) == data
    waiting = peer.counts()["time-wait"]
    if port == ANSWER and time.monotonic() - begun < TIME_WAIT_SECONDS:
        assert waiting >= SHORT_CONNECTIONS * 9 // 10
    else:
        assert waiting <= SHORT_CONNECTIONS


@pytest.mark.parametrize("closes_first", [False, True], ids=["guest-closes-first", "we-close-first"])
def test_short_connections_from_the_guest(peer, closes_first):
    """With few ports to choose from: when we close first, each is used again."""
    ports = peer.read("/proc/sys/net/ipv4/ip_local_port_range").split()
    server = HostServer(closes_first)
    if closes_first:
        peer.set("ip_local_port_range", "40000 40199")
    try:
        how = "late" if closes_first else "short"
        assert peer.tcp(f"{how} {HOST} {server.port} {SHORT_CONNECTIONS}", TIMEOUT) == f"{SHORT_CONNECTIONS} of {SHORT_CONNECTIONS}"
    finally:
        peer.set("ip_local_port_range", " ".join(ports[:2]))
        server.close()
    assert server.connections == SHORT_CONNECTIONS


# ---- more than anybody takes -------------------------------------------------------------------------------


def try_to_connect(port):
    sock = socket.socket()
    sock.setblocking(False)
    assert sock.connect_ex((GUEST, port)) == errno.EINPROGRESS
    return sock


def established(peer, port):
    """How many connections the guest has at this port."""
    return len(re.findall(rf":{port:04X} \w+:\w+ 01 ", peer.read("/proc/net/tcp")))


def test_backlog(peer):
    """What does not fit into the accept queue is not answered; when there is room again, it is."""
    peer.forget_time_wait()  # so that the table is short
    socks = [try_to_connect(UNACCEPTED) for _ in range(BACKLOG)]
    wait_for(lambda: established(peer, UNACCEPTED) == BACKLOG, lambda: peer.read("/proc/net/tcp"))
    more = [try_to_connect(UNACCEPTED) for _ in range(5)]
    peer.echo(b"those SYNs have been seen")
    assert established(peer, UNACCEPTED) == BACKLOG
    for sock in more + socks:
        sock.close()
    peer.stop_server()
    peer.start_server()


# ---- a SYN flood --------------------------------------------------------------------------------------------


class Flood(threading.Thread):
    """SYNs from places that never answer, as fast as they go."""

    def __init__(self, port):
        super().__init__(daemon=True)
        rng = random.Random(1)
        self.frames = [bytes(ether(IP(src=f"198.18.{rng.randrange(256)}.{rng.randrange(1, 255)}", dst=GUEST) / TCP(
            sport=rng.randrange(1, 65536), dport=port, seq=rng.getrandbits(32), options=[("MSS", 1460), ("WScale", 7)]),
            src=HOST_MAC, dst=GUEST_MAC)) for _ in range(1000)]
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        self.socket.bind((TAP, 0))
        self.stopping, self.sent = False, 0

    def run(self):
        """Each time with another sequence number, and another source, so that each is a new one."""
        number = 0
        while not self.stopping:
            number += 1
            for frame in self.frames[:100] if number % 10 else self.frames:
                self.socket.send(frame)
                self.sent += 1
            time.sleep(0.002)
        self.socket.close()


def test_syn_flood(peer):
    """Requests are few, cookies are sent, memory is bounded; and who really connects is served."""
    before = peer.counts()
    flood, served, slowest = Flood(ECHO), 0, 0
    flood.start()
    end = time.monotonic() + FLOOD_SECONDS
    while time.monotonic() < end or served < 10:
        start = time.monotonic()
        assert peer.echo(b"x" * 1000) == b"x" * 1000
        served, slowest = served + 1, max(slowest, time.monotonic() - start)
    during = peer.counts()
    flood.stopping = True
    flood.join()
    peer.echo(b"behind what of it is still on its way")
    print(f"{flood.sent} SYNs in {FLOOD_SECONDS} s; {served} connections served, the slowest in {slowest:.3f} s")
    assert during["slab tcp_request"] <= 4096 and during["sockets"] <= before["sockets"] + 10, during
    assert during["MemFree"] > before["MemFree"] - 8 * KILOBYTE, (before, during)
    peer.stop_server()  # the listener's requests go with it
    peer.start_server()


# ---- BusyBox -------------------------------------------------------------------------------------------------


def test_wget_in_the_guest(peer, tmp_path):
    data = random.Random(5).randbytes(3 * MEGABYTE)
    (tmp_path / "file").write_bytes(data)

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *words, **options):
            super().__init__(*words, directory=tmp_path, **options)

        def log_message(self, *words):
            pass

    with http.server.ThreadingHTTPServer((HOST, 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        said = peer.shell.run(f"wget -qO - http://{HOST}:{server.server_port}/file | sha256sum")
        server.shutdown()
    assert hashlib.sha256(data).hexdigest() in said


def test_httpd_in_the_guest(peer):
    peer.shell.run("mkdir /tmp/w; head -c 1000000 /dev/urandom > /tmp/w/file; httpd -h /tmp/w")
    with urllib.request.urlopen(f"http://{GUEST}/file", timeout=TIMEOUT) as answer:
        data = answer.read()
    assert hashlib.sha256(data).hexdigest() in peer.shell.run("sha256sum /tmp/w/file; rm -r /tmp/w; killall httpd")


def test_nc_both_ways(peer):
    data = random.Random(6).randbytes(MEGABYTE)
    peer.guest.send("nc -l -p 99 | sha256sum\r")
    wait_for(lambda: connect_and_send(99, data), lambda: "nobody listens")
    peer.guest.expect(hashlib.sha256(data).hexdigest())
    peer.shell.run("true")


def connect_and_send(port, data):
    try:
        with socket.create_connection((GUEST, port)) as sock:
            sock.sendall(data)
    except ConnectionRefusedError:
        return False
    return True
