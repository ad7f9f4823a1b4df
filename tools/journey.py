# SPDX-License-Identifier: MIT
"""The journey of a packet, for who shows it (tools/trace, tools/demo): its fourteen steps, a recording of two packets,
and which line of the recording is which step.

record() boots Pollux in QEMU with user networking, connects to echo_epoll, and has the kernel record (/proc/trace) while
one UDP datagram goes to udp_echo and one TCP segment to echo_epoll.
"""

import contextlib
import dataclasses
import glob
import os
import re
import select
import socket
import subprocess
import time
import urllib.request

import qemu

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PROMPT = b"# "
SECONDS = 60
REST_SECONDS = 0.3  # so that all sleep when the packet comes: it makes a clearer picture
LINE = re.compile(r"^\[ *(\d+\.\d{9})\] +(\d+) (\w+) +(\S+):(\d+) +(\w+) +(.*?)\s*$")


@dataclasses.dataclass
class Step:
    """Of the journey: what happens, the event that tells of it, and the function that does it."""
    number: int
    event: str
    what: str
    file: str
    function: str

    @property
    def chapter(self):
        """Its page of the book, from the root of the sources."""
        page, = glob.glob(os.path.join(ROOT, "docs", "journey", f"{self.number}-*.md"))
        return os.path.relpath(page, ROOT)


STEPS = [
    Step(1, "", "The card writes the frame into memory, by DMA, where the driver's ring told it to, and marks the descriptor.",
         "drivers/e1000.c", "take_frame"),
    Step(2, "irq_enter", "It interrupts; the CPU finds the handler in the IDT.", "kernel/irq.c", "irq_entry"),
    Step(3, "nic_irq", "The handler acknowledges, masks the card's interrupts, raises a softirq, leaves. Nothing else.",
         "drivers/e1000.c", "e1000_interrupt"),
    Step(4, "softirq_enter", "The softirq runs on the way out of the interrupt.", "kernel/softirq.c", "do_softirq"),
    Step(5, "nic_poll", "The driver's poll takes frames off the ring. No copy: the buffer goes up, a fresh one goes in.",
         "drivers/e1000.c", "e1000_poll"),
    Step(6, "ip_rcv", "Ethernet, then IPv4, then TCP or UDP.", "net/ip_input.c", "ip_rcv"),
    Step(7, "sock_lookup", "Addresses and ports lead to the socket, by a hash table.", "net/tcp_hash.c", "tcp_hash_lookup"),
    Step(8, "sock_enqueue", "The segment goes onto the socket's receive queue, still in the buffer the card wrote.",
         "net/tcp_data.c", "enqueue"),
    Step(9, "wake_up", "wake_up() walks the socket's wait queue and calls each entry's function.", "kernel/wait.c", "wake_up_key"),
    Step(10, "ep_poll_callback", "ep_poll_callback links the epitem onto rdllist, and wakes who waits for the eventpoll.",
         "fs/eventpoll.c", "ep_poll_callback"),
    Step(11, "sched_wakeup", "default_wake_function puts the task back on a run queue.", "kernel/sched.c", "wake_up_process"),
    Step(12, "sched_switch", "On the way out the scheduler switches to it.", "kernel/sched.c", "context_switch"),
    Step(13, "ep_send_events", "epoll_wait walks only rdllist, asks each file, copies the events to the program, returns.",
         "fs/eventpoll.c", "ep_send_events"),
    Step(14, "sock_recv", "The program reads: the one copy of the data, from the card's buffer to its own.",
         "net/tcp_recv.c", "tcp_recvmsg"),
]


# ---- the recording ---------------------------------------------------------------------------------------


class Recorder:
    """The machine, with its serial line on pipes."""

    def __init__(self, kernel, initrd):
        self.udp, self.tcp, self.web = (qemu.free_port(port) for port in (5007, 5107, 5180))
        forwards = f"hostfwd=udp:127.0.0.1:{self.udp}-:7,hostfwd=tcp:127.0.0.1:{self.tcp}-:7,hostfwd=tcp:127.0.0.1:{self.web}-:80"
        # No idle polling: we want to see the interrupt.
        machine = qemu.Machine(kernel=kernel, initrd=initrd, append=qemu.with_address("quiet nic-poll-us=0", "user"), extra=(
            "-netdev", f"user,id=net0,{forwards}", "-device", "e1000,netdev=net0,romfile=", "-serial", "stdio", "-monitor", "none"))
        self.process = subprocess.Popen(machine.command(), stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def expect(self, text):
        """Reads until the guest has said it."""
        said = b""
        while text not in said:
            if not select.select([self.process.stdout], [], [], SECONDS)[0]:
                raise qemu.Unusable(f"the guest has stopped{last_line(said)}; see `make run`")
            byte = os.read(self.process.stdout.fileno(), 1)
            if not byte:
                raise qemu.Unusable(f"the guest has ended early{last_line(said)}; see `make run`")
            said += byte

    def type(self, line):
        self.process.stdin.write(line.encode() + b"\r")
        self.process.stdin.flush()

    def run(self, command):
        self.type(command + "; echo DO''NE")
        self.expect(b"DONE")
        self.expect(PROMPT)

    def fetch(self, name):
        """A file that the guest's web server serves."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.web}/{name}", timeout=SECONDS) as answer:
            return answer.read().decode()

    def end(self):
        self.process.kill()
        self.process.wait()


def last_line(said):
    lines = said.decode(errors="replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    return last and f", its last line: {last}"


def echo(client, data):
    """Sends it and waits until all of it has come back."""
    client.sendall(data)
    got = b""
    while len(got) < len(data):
        more = client.recv(65536)
        if not more:
            raise qemu.Unusable("the echo server has closed the connection")
        got += more


def datagram(port):
    """A socket to udp_echo, with the guest's ARP behind it: a first datagram may be lost, and is sent again."""
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.connect(("127.0.0.1", port))
    client.settimeout(2)
    for _ in range(SECONDS):
        with contextlib.suppress(TimeoutError, ConnectionRefusedError):
            echo(client, b"warm up")
            return client
    raise qemu.Unusable("udp_echo does not answer")


def record(kernel, initrd):
    """(the trace as text, the state before it)"""
    recorder = Recorder(kernel, initrd)
    try:
        recorder.expect(PROMPT)
        udp = datagram(recorder.udp)
        tcp = socket.create_connection(("127.0.0.1", recorder.tcp), SECONDS)
        tcp.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        echo(tcp, b"warm up")
        recorder.run("cat /proc/epoll /proc/wait /proc/net/tcp /proc/net/udp > /www/state")
        recorder.type("trace sh -c 'echo G''O >&2; read line' > /www/trace; echo DO''NE")
        recorder.expect(b"GO")
        time.sleep(REST_SECONDS)
        echo(udp, b"a datagram")
        echo(tcp, b"a segment")
        recorder.type("")
        recorder.expect(b"DONE")
        return recorder.fetch("trace"), recorder.fetch("state")
    except OSError as error:
        raise qemu.Unusable(f"the guest does not answer ({error}); see `make run`") from None
    finally:
        recorder.end()


# ---- which line is which step ---------------------------------------------------------------------------


def parse_events(text):
    events = []
    for line in text.splitlines():
        match = LINE.match(line)
        if match:
            time, cpu, context, task, pid, name, arguments = match.groups()
            args = dict(pair.split("=", 1) for pair in arguments.split())
            events.append({"time": float(time), "cpu": int(cpu), "context": context, "task": task, "pid": int(pid),
                           "name": name, "args": args, "text": arguments})
    return events


def is_step(event, step, woken):
    if event["name"] != step.event:
        return False
    if step.number == 4:
        return event["args"]["nr"] == "NET_RX"
    if step.number == 12:
        return event["args"]["next"] == woken
    if step.number in (13, 14):
        return str(event["pid"]) == woken
    return True


def find_step(events, step, at, woken):
    """Where its event is, soon after `at`."""
    return next((i for i in range(at, min(at + 150, len(events))) if is_step(events[i], step, woken)), None)


def follow(events, start):
    """{index of the event: its step} for the card's interrupt at `start`; None if no program gets a frame of it."""
    found, woken, at = {start - 1: 2, start: 3}, None, start + 1
    for step, after in zip(STEPS[3:], STEPS[4:] + [None]):
        here = find_step(events, step, at, woken)
        if step.number in (10, 13):  # a task that sleeps in recvfrom: no eventpoll is between
            limit = find_step(events, after, at, woken)
            if here is None or limit is None or here > limit:
                continue
        if here is None:
            return None
        found[here] = step.number
        at = here + 1
        if step.number == 11:
            woken = events[here]["args"]["pid"]
    return found


def find_journeys(events):
    """Of every frame that ends in a program's sock_recv; when several interrupts lead there, of the last."""
    found = {}
    for start, event in enumerate(events):
        if event["name"] == "nic_irq" and (journey := follow(events, start)):
            found[max(journey)] = journey
    return list(found.values())


def source(step):
    """[(line's number, its text)] of the function."""
    path = os.path.join(ROOT, step.file)
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        lines = file.read().splitlines()
    for number, line in enumerate(lines):
        if re.match(rf"[a-z].*\b{step.function}\(", line) and not line.endswith(";"):
            end = next((i for i in range(number, len(lines)) if lines[i] == "}"), number)
            return [(i + 1, lines[i]) for i in range(number, end + 1)]
    return []
