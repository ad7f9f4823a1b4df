# SPDX-License-Identifier: MIT
"""A guest with an e1000 and the other end of its wire, in a network namespace of its own.

The guest's only program is tests/net/server.c. The host's kernel has no address on the wire, so nobody answers but
us: frames come and go by a packet socket. Namespace and tap device live as long as QEMU and the sockets do.

Nothing here depends on time: who wants to know that there is no answer sends an echo behind the question, and what
has not come before that echo's answer never will."""

import contextlib
import ctypes
import os
import random
import re
import socket
import struct
import subprocess
import time

from guest import OUT, TIMEOUT, Guest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.layers.l2 import ARP, Ether

INITRAMFS = OUT / "net/initramfs.cpio"
HOST, GUEST, NETMASK, BROADCAST = "10.77.0.1", "10.77.0.2", "255.255.255.0", "10.77.0.255"
FAR = "192.0.2.77"  # behind HOST, which is the guest's gateway
HOST_MAC, GUEST_MAC = "02:00:00:00:00:01", "52:54:00:12:34:56"
EVERYBODY = "ff:ff:ff:ff:ff:ff"
ECHO_PORT, COMMAND_PORT, CLOSED_PORT, OUR_PORT, SINK_PORT = 7, 8, 9, 40000, 5000
BARRIER_PORT = 40001

CLONE_NEWNET = 0x40000000
SO_RCVBUFFORCE, PACKET_OUTGOING = 33, 4
ETH_P_ALL = 3
TAP, TAP_MTU, TAP_QUEUE = "tap0", 4000, 20000
RECEIVE_BUFFER = 64 << 20
RETRY_SECONDS = 2  # an echo may have been dropped where a queue was full: it is sent again
ETHERTYPE_IP, ETHERTYPE_ARP = b"\x08\x00", b"\x08\x06"

# What tshark's experts say is wrong with what the guest sends. What an ICMP error quotes is ours, so of those only the
# checksums are looked at; and who owns which address is what the tests of ARP lie about. Ports are no more than numbers.
WARNING = 0x600000
WRONG = (f"eth.src == {GUEST_MAC} && !arp.duplicate-address-detected && (icmp.checksum.status == 0 || ip.checksum.status == 0"
         f" || (_ws.expert.severity >= {WARNING} && !(icmp.type in {{3, 11, 12}})))")
TSHARK = ("tshark", "-n", "-o", "ip.check_checksum:TRUE", "-o", "udp.check_checksum:TRUE", "-o", "ip.defragment:TRUE",
          *(word for port in (ECHO_PORT, COMMAND_PORT, SINK_PORT) for word in ("-d", f"udp.port=={port},data")))

libc = ctypes.CDLL(None, use_errno=True)


def is_possible():
    return os.geteuid() == 0 and os.path.exists("/dev/net/tun")


def check(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


@contextlib.contextmanager
def new_namespace():
    """This thread is in a network namespace of its own, and so is what it makes."""
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    check(libc.unshare(CLONE_NEWNET))
    try:
        yield
    finally:
        check(libc.setns(home, CLONE_NEWNET))
        os.close(home)


def make_tap():
    # The other end must not speak by itself.
    with contextlib.suppress(OSError), open("/proc/sys/net/ipv6/conf/default/disable_ipv6", "w", encoding="ascii") as file:
        file.write("1")
    for command in (f"tuntap add dev {TAP} mode tap", f"link set {TAP} mtu {TAP_MTU} txqueuelen {TAP_QUEUE} arp off up"):
        subprocess.run(["ip", *command.split()], check=True)


def packet_socket(protocol):
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)
    sock.bind((TAP, protocol))
    return sock


class Pcap:
    """A file that tcpdump, tshark and Wireshark read."""

    def __init__(self, path):
        self.file = open(path, "wb")
        self.file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))

    def write(self, frame):
        now = time.time()
        self.file.write(struct.pack("<IIII", int(now), int(now % 1 * 1e6), len(frame), len(frame)) + frame)

    def close(self):
        self.file.close()


# ---- packets -----------------------------------------------------------------------------------------


def ether(payload, **fields):
    return Ether(**{"src": HOST_MAC, "dst": GUEST_MAC, **fields}) / payload


def ip(payload=b"", **fields):
    """A frame from HOST to the guest."""
    return ether(IP(**{"src": HOST, "dst": GUEST, **fields}) / payload)


def udp(data=b"", dport=ECHO_PORT, sport=OUR_PORT, **fields):
    return ip(UDP(sport=sport, dport=dport) / data, **fields)


def ping(data=b"", number=1, **fields):
    return ip(ICMP(id=77, seq=number) / data, **fields)


def fragments(packet, size, **fields):
    """An IP packet's payload in fragments of `size` bytes (a multiple of 8), each a frame."""
    header, payload = take_apart(packet)
    return [piece(header, payload[start:start + size], start, start + size < len(payload), **fields)
            for start in range(0, len(payload), size)]


def take_apart(packet):
    raw = bytes(packet)[14:]
    length = (raw[0] & 15) * 4
    return IP(raw[:length]), raw[length:]


def piece(header, data, start, more, **fields):
    header = header.copy()
    del header.len, header.chksum
    header.frag, header.flags = start // 8, "MF" if more else 0
    for name, value in fields.items():
        setattr(header, name, value)
    return ether(header / data)


def reassemble(packets):
    """Packets of the guest, those in fragments put together; a datagram counts where its last piece came."""
    waiting, result = {}, []
    for packet in packets:
        if IP not in packet or not (packet[IP].frag or packet[IP].flags.MF):
            result.append(packet)
            continue
        key = (packet[IP].src, packet[IP].dst, packet[IP].id, packet[IP].proto)
        pieces = waiting.setdefault(key, {})
        pieces[packet[IP].frag * 8] = packet
        whole = join(pieces)
        if whole:
            del waiting[key]
            result.append(whole)
    assert not waiting, f"fragments are missing: {list(waiting)}"
    return result


def join(pieces):
    data = b""
    for start in sorted(pieces):
        if start != len(data):
            return None
        data += ip_payload(pieces[start])
    if pieces[max(pieces)][IP].flags.MF:
        return None
    header, _ = take_apart(pieces[0])
    header.frag, header.flags = 0, 0
    del header.chksum, header.len
    return Ether(bytes(ether(header / data, src=GUEST_MAC, dst=HOST_MAC)))


def ip_payload(packet):
    raw = bytes(packet)[14:]
    return raw[(raw[0] & 15) * 4:struct.unpack_from("!H", raw, 2)[0]]


def ports(packet):
    return (packet[UDP].sport, packet[UDP].dport) if UDP in packet else ()


# ---- the wire ----------------------------------------------------------------------------------------


class Wire:
    """`arp`: whose questions we answer, and with which MAC address."""

    def __init__(self, log_dir, append="", **options):
        log_dir.mkdir(parents=True, exist_ok=True)
        self.log_dir = log_dir
        self.arp = {HOST: HOST_MAC}
        self.cookies = random.Random(1)
        self.passed = []  # frames that came while a command was answered
        self.judged = self.pcap = Pcap(log_dir / "wire.pcap")
        with new_namespace():
            make_tap()
            self.sender = packet_socket(0)
            self.receiver = packet_socket(ETH_P_ALL)
            self.guest = Guest(
                log_dir, initrd=str(INITRAMFS), append=f"ip={GUEST}::{HOST}:{NETMASK}::eth0:off {append}",
                extra=("-netdev", f"tap,id=net0,ifname={TAP},script=no,downscript=no",
                       "-device", f"e1000,netdev=net0,romfile=,mac={GUEST_MAC}"), **options)
        self.guest.expect("server: ready")
        self.exchange()
        self.set("icmp_ratemask", 0)

    # ---- frames

    def send(self, *frames, record=True):
        for frame in frames:
            frame = bytes(frame)
            if record:
                self.pcap.write(frame)
            self.sender.send(frame)

    def receive(self, deadline):
        """The guest's next frame, as bytes; None at the deadline. Answers the guest's ARP requests."""
        while True:
            self.receiver.settimeout(max(0.001, deadline - time.monotonic()))
            try:
                frame, address = self.receiver.recvfrom(65536)
            except TimeoutError:
                if time.monotonic() < deadline:
                    continue
                return None
            if address[2] == PACKET_OUTGOING:
                continue
            self.pcap.write(frame)
            if frame[12:14] == ETHERTYPE_ARP and self.answer_arp(Ether(frame)):
                continue
            return frame

    def answer_arp(self, packet):
        mac = self.arp.get(packet[ARP].pdst)
        if packet[ARP].op != 1 or not mac or packet[ARP].psrc == packet[ARP].pdst:
            return False
        self.send(ether(ARP(op=2, hwsrc=mac, psrc=packet[ARP].pdst, hwdst=GUEST_MAC, pdst=GUEST), src=mac))
        return True

    def wait_for(self, wanted, timeout=TIMEOUT):
        """The first packet of the guest's for which wanted() is true."""
        deadline = time.monotonic() + timeout
        while frame := self.passed.pop(0) if self.passed else self.receive(deadline):
            packet = Ether(frame)
            if wanted(packet):
                return packet
        raise AssertionError(f"the guest did not send what it should within {timeout} s")

    # ---- questions and answers

    def barrier(self, seen=None):
        """Returns when the guest's server has answered everything before; the guest's other frames go to seen()."""
        cookie = b"barrier %016x" % self.cookies.getrandbits(64)
        echo = udp(cookie, dport=COMMAND_PORT, sport=BARRIER_PORT)
        deadline = time.monotonic() + TIMEOUT
        while time.monotonic() < deadline:
            self.send(echo, record=False)
            again = time.monotonic() + RETRY_SECONDS
            while frame := self.receive(again):
                if cookie in frame and frame[12:14] == ETHERTYPE_IP and frame[23] == socket.IPPROTO_UDP:
                    return
                if seen:
                    seen(frame)
        raise AssertionError("the guest does not answer any more")

    def exchange(self, *frames):
        """Sends them; what the guest answered, whole packets. Not its own questions, which may be about what was before."""
        answers = []
        self.send(*frames)
        self.barrier(answers.append)
        return reassemble(p for p in map(Ether, answers) if not (ARP in p and p[ARP].op == 1) and BARRIER_PORT not in ports(p))

    def echo(self, frames, data, port=OUR_PORT):
        """Do these bring exactly one echo of these data?"""
        answers = [p for p in self.exchange(*frames) if UDP in p and p[UDP].dport == port]
        assert len(answers) == 1, answers
        assert bytes(answers[0][UDP].payload)[:answers[0][UDP].len - 8] == data
        return answers[0]

    def command(self, text):
        """One of tests/net/server.c; its answer."""
        port = self.cookies.randrange(41000, 60000)
        deadline = time.monotonic() + TIMEOUT
        self.passed = []
        while time.monotonic() < deadline:
            self.send(udp(text.encode(), dport=COMMAND_PORT, sport=port))
            self.barrier(self.passed.append)
            for packet in reassemble(Ether(frame) for frame in self.passed):
                if UDP in packet and packet[UDP].sport == COMMAND_PORT and packet[UDP].dport == port:
                    return bytes(packet[UDP].payload).decode()
        raise AssertionError(f"the guest does not answer {text!r}")

    def read(self, path):
        return self.command(f"read {path}")

    def set(self, name, value):
        """One of /proc/sys/net/ipv4."""
        assert self.command(f"write /proc/sys/net/ipv4/{name} {value}") == "ok"

    def counters(self):
        """{"Ip.InReceives": 17, ...}"""
        result = {}
        for path in ("/proc/net/snmp", "/proc/net/netstat"):
            lines = self.read(path).splitlines()
            for names, values in zip(lines[::2], lines[1::2]):
                title, *names = names.split()
                result.update({f"{title.rstrip(':')}.{name}": int(value) for name, value in zip(names, values.split()[1:])})
        return result

    def counted(self, *frames):
        """What the guest answered, and {counter: by how much it grew}."""
        before = self.counters()
        answers = self.exchange(*frames)
        after = self.counters()
        return answers, {name: after[name] - before.get(name, 0) for name in after}

    # ---- what must not leak

    def in_use(self):
        """Packet buffers, pages in them, fragments that wait for others, TCP's sockets, and what it has in its table."""
        buffers = dict(line.split() for line in self.read("/proc/net/skbuff").splitlines())
        sockets = self.read("/proc/net/sockstat")
        tcp = re.search(r"TCP: inuse (\d+) orphan (\d+) tw (\d+)", sockets).groups()
        return {"buffers": int(buffers["buffers"]), "pages": int(buffers["pages"]),
                "fragments": int(re.search(r"FRAG: inuse (\d+)", sockets).group(1)),
                **dict(zip(("sockets", "orphans", "time-wait"), map(int, tcp))),
                "table": self.read("/proc/net/tcp").count("\n")}

    def forget_time_wait(self):
        room = self.read("/proc/sys/net/ipv4/tcp_max_tw_buckets").strip()
        self.set("tcp_max_tw_buckets", 0)
        self.set("tcp_max_tw_buckets", room)

    def forget_fragments(self):
        """With no room to wait in, the first piece of a datagram drives out all others; then it is complete."""
        room = self.read("/proc/sys/net/ipv4/ipfrag_high_thresh").strip()
        self.set("ipfrag_high_thresh", 0)
        # What a storm has left on its way may come between the two pieces, and drive out ours.
        for _ in range(20):
            pieces = fragments(udp(self.cookies.randbytes(1000), id=self.cookies.getrandbits(16)), 512)
            if any(UDP in p and p[UDP].dport == OUR_PORT for p in self.exchange(*pieces)):
                break
        self.set("ipfrag_high_thresh", room)

    def wait_until_unused(self, before, timeout=TIMEOUT):
        """Until no more is in use than was before: reassembly takes a second to give up, for one."""
        deadline = time.monotonic() + timeout
        while (now := self.in_use()) != before and any(now[name] > before[name] for name in now):
            assert time.monotonic() < deadline, f"in use before: {before}, now: {now}"
            time.sleep(0.1)

    # ---- the end

    @contextlib.contextmanager
    def unjudged(self):
        """Answers to nonsense quote it, so the experts are not asked: these frames go into a file of their own."""
        with self.recorded("nonsense.pcap"):
            yield

    @contextlib.contextmanager
    def recorded(self, name):
        """In a file of its own, with which the caller does what he likes."""
        before, self.pcap = self.pcap, Pcap(self.log_dir / name)
        try:
            yield self.log_dir / name
        finally:
            self.pcap.close()
            self.pcap = before

    def judge(self):
        """What tshark's experts say of the frames that the guest sent; "" is well."""
        self.judged.file.flush()
        command = [*TSHARK, "-r", self.log_dir / "wire.pcap", "-Y", WRONG, "-T", "fields",
                   "-e", "frame.number", "-e", "_ws.col.Info", "-e", "_ws.expert.message"]
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout

    def close(self):
        self.guest.close()
        self.sender.close()
        self.receiver.close()
        self.judged.close()
