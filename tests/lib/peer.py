# SPDX-License-Identifier: MIT
"""A guest whose peer is the host's own Linux: a tap device in a network namespace of its own, and TCP at both ends.

In the guest run a shell, on the serial line, and `tcp serve` (tests/net/tcp.c), which has a service at each of a few ports.
The thread that uses a Peer must be in its namespace: `with peer.here():`; threads that it starts then are, too."""

import contextlib
import os
import re
import selectors
import socket
import struct
import subprocess
import threading

import wire
from guest import OUT, TIMEOUT
from shell import Shell
from wire import GUEST, GUEST_MAC, HOST, NETMASK, TAP

INITRAMFS = OUT / "net/peer.cpio"
ECHO, DISCARD, SOURCE, CHECK, DEAF, ANSWER, UNACCEPTED = 7, 9, 19, 20, 21, 22, 23
PERIOD, PIECE = 999983, 1 << 16

TSHARK = ("tshark", "-n", "-o", "ip.check_checksum:TRUE", "-o", "tcp.check_checksum:TRUE", "-Y", "tcp", "-T", "fields")
FIELDS = ("frame.number", "ip.src", "tcp.stream", "tcp.seq_raw", "tcp.ack_raw", "tcp.len", "tcp.flags", "tcp.window_size_value",
          "tcp.options.wscale.shift")
# What must not be true of a segment of the guest's, as the guest's own end of the wire saw it: what is lost is lost behind that.
WRONG = {"ip.checksum.status": "0", "tcp.checksum.status": "0", "_ws.malformed": None, "tcp.analysis.ack_lost_segment": None,
         "tcp.analysis.lost_segment": None}


def make_pattern():
    """As tests/net/tcp.c makes it; a piece of it may begin anywhere below PERIOD."""
    x, result = 1, bytearray(PERIOD)
    for i in range(PERIOD):
        x = (x * 1664525 + 1013904223) & 0xFFFFFFFF
        result[i] = x >> 24
    return bytes(result + result[:PIECE])


PATTERN = make_pattern()


def part(count, size=PIECE):
    """Of the pattern, behind `count` bytes."""
    return PATTERN[count % PERIOD:count % PERIOD + size]


class HostServer:
    """On this side, for the guest's clients: echoes. One thread, which closes first if told to."""

    def __init__(self, closes_first=False):
        self.closes_first = closes_first
        self.connections = 0
        self.listener = socket.create_server((HOST, 0), backlog=1024)
        self.port = self.listener.getsockname()[1]
        self.selector = selectors.PollSelector()
        self.selector.register(self.listener, selectors.EVENT_READ)
        self.stopping = False
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while not self.stopping:
            for key, events in self.selector.select(0.1):
                if key.fileobj is self.listener:
                    sock, _ = self.listener.accept()
                    sock.setblocking(False)
                    self.connections += 1
                    self.selector.register(sock, selectors.EVENT_READ, bytearray())
                else:
                    with contextlib.suppress(BlockingIOError):
                        self.serve_one(key.fileobj, key.data, events)

    def serve_one(self, sock, waiting, events):
        try:
            data = sock.recv(PIECE) if events & selectors.EVENT_READ else b""
            if events & selectors.EVENT_READ and not data:
                return self.end(sock)
            waiting += data
            del waiting[:sock.send(waiting)]
        except (ConnectionError, TimeoutError):
            return self.end(sock)
        except BlockingIOError:
            pass
        if self.closes_first and not waiting:
            return self.end(sock)
        return self.selector.modify(sock, selectors.EVENT_WRITE if waiting else selectors.EVENT_READ, waiting)

    def end(self, sock):
        self.selector.unregister(sock)
        sock.close()

    def close(self):
        self.stopping = True
        self.thread.join()
        for key in list(self.selector.get_map().values()):
            key.fileobj.close()
        self.selector.close()


class Peer:
    def __init__(self, boot, append="", **options):
        self.home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        wire.check(wire.libc.unshare(wire.CLONE_NEWNET))
        self.there = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            self.make_tap()
            self.guest = boot(initrd=str(INITRAMFS), append=f"ip={GUEST}::{HOST}:{NETMASK}::eth0:off {append}", extra=(
                "-netdev", f"tap,id=net0,ifname={TAP},script=no,downscript=no",
                "-device", f"e1000,netdev=net0,romfile=,mac={GUEST_MAC}"), **options)
        finally:
            wire.check(wire.libc.setns(self.home, wire.CLONE_NEWNET))
        self.shell = Shell(self.guest)
        self.start_server()

    def make_tap(self):
        with contextlib.suppress(OSError), open("/proc/sys/net/ipv6/conf/default/disable_ipv6", "w", encoding="ascii") as file:
            file.write("1")
        for command in (f"tuntap add dev {TAP} mode tap", f"address add {HOST}/24 dev {TAP}",
                        f"link set {TAP} txqueuelen 10000 up", "link set lo up"):
            subprocess.run(["ip", *command.split()], check=True)
        with open("/proc/sys/net/ipv4/ip_local_port_range", "w", encoding="ascii") as file:
            file.write("2000 65000")

    @contextlib.contextmanager
    def here(self):
        """This thread is in the namespace."""
        wire.check(wire.libc.setns(self.there, wire.CLONE_NEWNET))
        try:
            yield self
        finally:
            wire.check(wire.libc.setns(self.home, wire.CLONE_NEWNET))

    # ---- the guest's side

    def start_server(self):
        self.shell.guest.send("tcp serve &\r")
        self.guest.expect("tcp: ready")
        self.shell.run("true")

    def stop_server(self):
        self.shell.run("killall tcp; wait")

    def set(self, name, value):
        self.shell.run(f"echo {value} > /proc/sys/net/ipv4/{name}")

    def set_link(self, settings):
        """As link= has them, in both directions; "" is the best of networks."""
        directory = "/proc/sys/net/link/eth0"
        self.shell.run(f"for f in {directory}/?x_*; do echo 0 > $f; done")
        for word in filter(None, settings.split(",")):
            name, value = word.split("=")
            self.shell.run(f"for d in rx tx; do echo {value} > {directory}/${{d}}_{name}; done")

    def read(self, path):
        return self.shell.run(f"cat {path}")

    def tcp(self, words, timeout=TIMEOUT):
        """Runs a client of tests/net/tcp.c to its end; what it said."""
        self.guest.send(f"tcp {words}\r")
        said = self.guest.expect(r"tcp: ([^\r\n]*)\r\n", timeout).group(1)
        self.shell.run("true")
        return said

    def forget_time_wait(self):
        most = self.read("/proc/sys/net/ipv4/tcp_max_tw_buckets").split()[0]
        self.set("tcp_max_tw_buckets", 0)
        self.set("tcp_max_tw_buckets", most)

    def counts(self):
        """All that may leak: {what: how many}."""
        self.shell.run("echo 3 > /proc/sys/vm/drop_caches")
        text = self.shell.run("cat /proc/net/sockstat /proc/net/skbuff /proc/timers /proc/slabinfo; grep -E 'MemFree|Slab' /proc/meminfo")
        result = {}
        for line in text.splitlines():
            if match := re.match(r"TCP: inuse (\d+) orphan (\d+) tw (\d+)", line):
                result.update(zip(("sockets", "orphans", "time-wait"), map(int, match.groups())))
            elif match := re.match(r"(buffers|pages) (\d+)|cpu\d+ (\d+)|(MemFree|Slab): +(\d+)", line):
                name, number, timers, kind, size = match.groups()
                if name:
                    result[name] = int(number)
                elif timers:
                    result["timers"] = result.get("timers", 0) + int(timers)
                else:
                    result[kind] = int(size)
            elif match := re.match(r"(\S+) +(\d+) +\d+ +\d+ +\d+ +\d+ :", line):
                result[f"slab {match.group(1)}"] = int(match.group(2))
        return result

    # ---- this side

    def connect(self, port, timeout=TIMEOUT):
        return socket.create_connection((GUEST, port), timeout=timeout)

    def send_pattern(self, size):
        """To the guest, which looks at it; what it said."""
        with self.connect(CHECK) as sock:
            count = 0
            while count < size:
                count += sock.send(part(count, min(PIECE, size - count)))
            sock.shutdown(socket.SHUT_WR)
            answer = b""
            while piece := sock.recv(100):
                answer += piece
        return answer.decode()

    def receive_pattern(self, size):
        """From the guest; how many bytes of `size` came right."""
        with self.connect(SOURCE) as sock:
            count = 0
            while count < size and (data := sock.recv(PIECE)):
                if data != part(count, len(data)):
                    break
                count += len(data)
            # an RST, so that what the guest still wants to send is over
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return min(count, size)

    def echo(self, data, port=ECHO):
        """What comes back on a connection of its own; this side closes first, or, at ANSWER, second."""
        with self.connect(port) as sock:
            sock.sendall(data)
            answer = b""
            while len(answer) < len(data) and (piece := sock.recv(PIECE)):
                answer += piece
            if port == ANSWER:
                assert sock.recv(1) == b""
        return answer

    # ---- what passes, as the guest sees it

    def capture(self, size):
        """The newest so many bytes of it; 0: no more."""
        self.shell.run(f"echo {size} > /proc/sys/net/link/eth0/pcap")

    def captured(self, path):
        """Into a file here."""
        self.shell.run("cp /proc/net/pcap/eth0 /tmp/pcap")
        with socket.create_server((HOST, 0)) as listener, open(path, "wb") as file:
            self.guest.send(f"nc {HOST} {listener.getsockname()[1]} < /tmp/pcap; rm /tmp/pcap\r")
            sock, _ = listener.accept()
            with sock:
                while piece := sock.recv(PIECE):
                    file.write(piece)
        self.shell.run("true")

    def close(self):
        """The guest is its own."""
        os.close(self.home)
        os.close(self.there)


class Direction:
    """How far the peer's window has let the guest go, on one connection."""

    def __init__(self):
        self.edge, self.scale, self.scales = None, 0, 0

    def see_syn(self, scale, from_guest):
        self.scales += scale != ""
        if not from_guest:
            self.scale = int(scale or 0)

    def open(self, ack, window, syn):
        edge = ack + (window << (0 if syn or self.scales < 2 else self.scale))
        if self.edge is None or (edge - self.edge) % (1 << 32) < 1 << 31:
            self.edge = edge % (1 << 32)

    def is_beyond(self, end):
        return self.edge is not None and 0 < (end - self.edge) % (1 << 32) < 1 << 31


def judge(path):
    """What is wrong with the guest's segments, by tshark's experts and by the windows it was given; [] is well."""
    command = [*TSHARK, "-r", path, *(word for field in (*FIELDS, *WRONG) for word in ("-e", field))]
    lines = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout.splitlines()
    streams, complaints = {}, []
    assert lines
    for fields in (line.split("\t") for line in lines):
        if fields[1] != GUEST and "0" in fields[len(FIELDS):len(FIELDS) + 2]:  # damaged: the guest believes nothing of it
            continue
        number, source, stream, (seq, ack, length) = *fields[:3], map(int, fields[3:6])
        syn, direction = int(fields[6], 16) & 2, streams.setdefault(stream, Direction())
        if syn:
            direction.see_syn(fields[8], source == GUEST)
        if source != GUEST:
            direction.open(ack, int(fields[7]), syn)
            continue
        if length and direction.is_beyond(seq + length):
            complaints.append(f"frame {number}: beyond the window")
        complaints += [f"frame {number}: {name}" for (name, bad), value in zip(WRONG.items(), fields[len(FIELDS):])
                       if value == bad or (bad is None and value)]
    return complaints
