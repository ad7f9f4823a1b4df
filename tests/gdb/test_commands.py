# SPDX-License-Identifier: MIT
"""The gdb commands of tools/gdb/pollux.py, in batch mode against a live guest: what they print is true."""

import contextlib
import re
import select
import socket
import subprocess
import threading

import pytest
import qemu
from guest import KERNELS, OUT, PROMPT, ROOT, TIMEOUT

COMMANDS = ("px-tasks", "px-runq", "px-waitq", "px-bt", "px-timers", "px-slabs", "px-free", "px-pt", "px-percpu",
            "px-sockets", "px-tcp", "px-epoll", "px-rings", "px-trace", "journey")


@pytest.fixture
def attach(boot, tmp_path):
    """attach(...) boots a guest; what it returns runs gdb commands on that and returns their output."""
    socket = tmp_path / "gdb"

    def start(build="release", extra=(), **options):
        stub = ("-chardev", f"socket,path={socket},server=on,wait=off,id=gdb", "-gdb", "chardev:gdb")
        guest = boot(build=build, extra=("-nic", "none", *stub, *extra), **options)

        def gdb(*commands):
            """Of a guest that runs, when it has come to rest."""
            if "-S" not in extra:
                guest.settle()
            words = ["gdb", "-nx", "-q", "-batch", KERNELS[build], "-x", ROOT / "tools/gdb/pollux.py"]
            for command in (f"target remote {socket}", *commands, "detach"):
                words += ["-ex", command]
            result = subprocess.run(words, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT, text=True, timeout=TIMEOUT)
            assert "Python Exception" not in result.stdout
            return result.stdout

        gdb.guest = guest
        return gdb

    return start


@pytest.fixture
def prompt(attach):
    """A guest that waits at its prompt, with two processors."""
    gdb = attach(smp=2)
    gdb.guest.expect(PROMPT)
    return gdb


def test_commands_are_documented(prompt):
    text = prompt("help user-defined")
    for command in COMMANDS:
        assert re.search(rf"^{command} -- .*Usage: {command}", text, re.M), text


def test_tasks(prompt):
    text = prompt("px-tasks")
    assert re.search(r"^ +2 +\d uninterruptible +init +0x[0-9a-f]+ +typed$", text, re.M), text
    assert re.findall(r"on CPU (\d) +idle", text) == ["0", "1"], text
    assert "ksoftirqd/1" in text


def test_wait_queue_names_function_and_task(prompt):
    text = prompt("px-waitq typed.wq", "px-waitq &typed.wq")
    assert len(re.findall(r"^wait queue typed$", text, re.M)) == 2
    assert len(re.findall(r"autoremove_wake_function +wakes 2 \(init\)", text)) == 2, text


@pytest.mark.parametrize("build", ["release", "debug"])
def test_backtrace_of_sleeping_task(attach, build):
    gdb = attach(build=build)
    gdb.guest.expect(PROMPT)
    text = gdb("px-bt init")
    assert "2 (init), uninterruptible" in text
    calls = [text.index(f" in {name}") for name in ("schedule", "read_line", "monitor_run", "task_main", "task_begin")]
    assert calls == sorted(calls), text
    assert gdb("px-bt 2").count("\n#") == text.count("\n#")


def test_backtrace_of_running_task(prompt):
    text = prompt("px-bt idle")
    assert "0 (idle), on CPU 0" in text and "0 (idle), on CPU 1" in text
    assert re.search(r"idle_loop.*\n#\d+ .* kernel_main", text), text
    assert re.search(r"idle_loop.*\n#\d+ .* secondary_cpu", text), text


def test_page_tables(prompt):
    """Code may not be written, data not executed; nothing is at address 0."""
    text = prompt("px-pt schedule", "px-pt &nr_cpus", "px-pt 0", "px-pt 0xffff888000100000")
    assert re.findall(r"page of \d+ KiB, (...), kernel", text) == ["r-x", "rw-", "r--"], text
    assert "0x0 is not mapped" in text


def test_memory(prompt):
    """What gdb reads agrees with what the kernel says."""
    blocks = [line.split() for line in prompt.guest.run("memory").splitlines() if "free blocks" in line]
    counts = [int(re.search(r"(\d+) free blocks", " ".join(words)).group(1)) for words in blocks]
    text = prompt("px-free", "px-slabs")
    assert [int(count) for count in re.findall(r"order +\d+: +(\d+) blocks", text)] == counts, text
    assert re.search(r"^task +\d+ +3 ", text, re.M), text


def test_per_cpu_data(prompt):
    text = prompt("px-percpu cpu_number", "px-percpu cpu_number 1", "px-percpu current_task")
    assert re.findall(r"^CPU (\d): (\d)$", text, re.M) == [("0", "0"), ("1", "1"), ("1", "1")], text
    assert text.count("<idle_tasks") == 2, text


def test_no_timer_is_pending_while_idle(prompt):
    assert re.findall(r"CPU \d: the APIC's timer is off\n(?!  )", prompt("px-timers")) == \
        ["CPU 0: the APIC's timer is off\n", "CPU 1: the APIC's timer is off\n"]


def test_inside_an_interrupt(attach):
    """Where threads compete and the timer ends a slice: they are queued in order, and gdb's own
    backtrace leads out of the interrupt into what was interrupted. Not while the kernel boots: where an interrupt
    comes just behind a `ret`, gdb takes that for where it was, and a function is lost."""
    gdb = attach(extra=("-S",), append="selftest=sched_slices")
    text = gdb("hbreak hog", "continue", "delete", "hbreak slice_expired", "continue", "px-runq", "px-timers", "px-bt", "bt")
    waiting = [float(vruntime) for vruntime in re.findall(r"^  vruntime ([\d.]+) ms", text, re.M)]
    assert waiting and waiting == sorted(waiting), text
    for backtrace in text.split("#0 ")[1:]:
        assert re.search(r"timer_softirq(.|\n)*trap_dispatch(.|\n)*trap_common(.|\n)*task_main", backtrace), text


@pytest.fixture
def watcher(attach):
    """A guest in which tests/sys/watch.c sleeps."""
    gdb = attach(initrd=str(OUT / "sys/initramfs.cpio"), append="init=/tests/watch trace=sched_switch,wake_up")
    gdb.guest.expect("watching\r\n")
    return gdb


def test_sockets_and_their_watchers(watcher):
    text = watcher("px-sockets")
    sockets = re.findall(r"^ +1 +(\d+) +(\d+) (\S+) +(\d+) +(\d+) +\d+ +(\d+)  (0x\w+)$", text, re.M)
    assert [(kind, received, waiters) for _, _, kind, received, _, waiters, _ in sockets] == \
        [("UNIX", "1", "1"), ("UNIX", "0", "2")], text
    text = watcher(f"px-waitq ((struct sock *){sockets[0][6]})->wq", "px-tasks")
    assert f"wait queue socket {sockets[0][1]} (UNIX)\n" in text and re.search(r"^ +1 .* watch .*  eventpoll 0x\w+$", text, re.M), text
    assert re.search(rf"ep_poll_callback +makes ready fd {sockets[0][0]} of eventpoll 0x\w+$", text, re.M), text


def test_eventpolls(watcher):
    text = watcher("px-epoll")
    first, second = re.findall(r"^eventpoll 0x\w+, fd \d+ of 1 \(watch\): (\d) ready\n((?:  .*\n)+)", text, re.M)
    assert first[0] == "1" and len(first[1].splitlines()) == 2, text
    assert re.search(r"^  fd +\d+ IN\|ERR\|HUP\|ET +socket +ready, number 1$", first[1], re.M), text
    assert re.search(r"^  fd +\d+ IN\|ERR\|HUP +socket$", first[1], re.M), text
    assert second[0] == "0", text
    assert re.fullmatch(r"  fd +\d+ IN\|ERR\|HUP\|ONESHOT +socket\n  waits: \w+ +wakes 1 \(watch\)\n", second[1]), text


def test_trace(watcher):
    text = watcher("px-trace 1000")
    lines = re.findall(r"^\[ *(\d+\.\d{9})\] +\d (\w+) \S+:\d+ (\w+) (.*)$", text, re.M)
    assert lines and [line[0] for line in lines] == sorted((line[0] for line in lines), key=float)
    assert any(event == "wake_up" and arguments.endswith("func=ep_poll_callback") for _, _, event, arguments in lines)
    assert lines[-1][2] == "sched_switch" and "prev=1 " in lines[-1][3], text
    assert len(re.findall(r"^\[ ", watcher("px-trace 3"), re.M)) == 3


def test_rings(attach):
    gdb = attach(extra=("-netdev", "user,id=net", "-device", "e1000,netdev=net"))
    gdb.guest.expect(PROMPT)
    text = gdb("px-rings")
    assert re.search(r"^eth0: down, no rings$", text, re.M) or \
        re.search(r"^eth0 receives: next \d+, told \d+\n  \[   0 \.\.\. 255\] the card's to fill\n"
                  r"eth0 sends: head \d+, clean \d+, \d+ descriptors not yet taken back, 0 frames wait$", text, re.M), text


@pytest.fixture
def served(attach):
    """A guest with the servers of `make run`, and the ports of 127.0.0.1 that lead to its UDP and TCP port 7."""
    ports = [qemu.free_port(wanted) for wanted in (5207, 5307)]
    forwards = f"hostfwd=udp:127.0.0.1:{ports[0]}-:7,hostfwd=tcp:127.0.0.1:{ports[1]}-:7"
    gdb = attach(initrd=str(OUT / "initramfs.cpio"), append=qemu.with_address("nic-poll-us=0", "user"),
                 extra=("-netdev", f"user,id=net,{forwards}", "-device", "e1000,netdev=net,romfile="))
    gdb.guest.expect("/root # ")
    return gdb, *ports


@contextlib.contextmanager
def talking(client):
    """A byte to the echo server and back, again and again until the block ends: the next one when that has come, so that the
    journeys of two do not mix, however long gdb looks at each step."""
    over = threading.Event()

    def talk():
        while not over.wait(0.2):
            with contextlib.suppress(OSError):
                client.send(b".")
                for _ in range(100):
                    if over.is_set() or select.select([client], [], [], 0.2)[0]:
                        break
                client.recv(1)

    client.settimeout(1)
    thread = threading.Thread(target=talk)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        client.close()


def steps(text):
    """[(number, what gdb said of it)] of each step at which it stopped."""
    pieces = re.split(r"^step (\d+): ", text, flags=re.M)[1:]
    return [(int(number), said) for number, said in zip(pieces[::2], pieces[1::2])]


def in_order(wanted, found):
    rest = iter(found)
    return all(any(step == number for number in rest) for step in wanted)


def test_journey_of_a_datagram(served):
    gdb, port, _ = served
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.connect(("127.0.0.1", port))
    with talking(client):
        text = gdb("journey all", *["continue"] * 60, "delete")
    assert in_order([*range(2, 10), 11, 12, 14], [number for number, _ in steps(text)]), text
    said = dict(reversed(steps(text)))
    assert re.search(r"  vector \d+; 0 \(idle\) was interrupted at ", said[2]), text
    assert re.search(r"  from 10\.0\.2\.2:\d+ to 10\.0\.2\.15:7\n", text), text
    assert re.search(r"  to \d+ \(udp_echo\)\n", text), text
    assert re.search(r"  socket \d+ \(UDP\)", said[14]) and re.search(r"  1 bytes for \d+ \(udp_echo\)", said[14]), text


def test_journey_of_a_segment(served):
    gdb, _, port = served
    wanted = [2, *range(7, 15)]  # the others are as a datagram's
    client = socket.create_connection(("127.0.0.1", port), TIMEOUT)
    with talking(client):
        text = gdb(*(f"journey {step}" for step in wanted), *["continue"] * 60, "delete")
    assert in_order(wanted, [number for number, _ in steps(text)]), text
    said = dict(reversed(steps(text)))
    assert re.search(r"now: ep_poll_callback +makes ready fd \d+ of eventpoll 0x", text), text
    assert re.search(r"  fd \d+ of eventpoll 0x\w+, wants IN", said[10]), text
    assert "  1 events for the program\n" in said[13], text


def test_one_step(served):
    gdb, port, _ = served
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.connect(("127.0.0.1", port))
    with talking(client):
        text = gdb("journey", "journey 8", "continue", "continue", "delete")
    assert re.findall(r"^ +(\d+) \w+ +\S+\.c ", text, re.M) == [str(number) for number in range(1, 15)], text
    assert [number for number, _ in steps(text)] == [8, 8], text


def test_before_the_kernel_runs(attach):
    """An error in words, not a Python exception."""
    assert "has the kernel come that far?" in attach(extra=("-S",))("px-tasks")


@pytest.mark.parametrize("command,message", [
    ("px-waitq nr_cpus", "nr_cpus is no struct wait_queue"),
    ("px-bt 4711", "4711 is no task"),
    ("px-bt nonsense", 'No symbol "nonsense"'),
    ("px-percpu nonsense", 'No symbol "nonsense"'),
    ("journey 1", "1: must be all, or from 2 to 14"),
])
def test_bad_arguments(prompt, command, message):
    assert message in prompt(command)
