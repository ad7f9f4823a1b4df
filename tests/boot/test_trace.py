# SPDX-License-Identifier: MIT
"""/proc/trace: what is recorded, who may see it, and how a reader waits for it."""

import re
import struct

import pytest
from guest import ROOT
from shell import shell_of

LINE = re.compile(r"^\[ *(\d+\.\d{9})\] +(\d+) (process|softirq|hardirq) (\S+):(\d+) +(\w+) +(.*)$", re.M)


def event_names():
    return re.findall(r'EVENT\(\w+, "(\w+)"', (ROOT / "kernel/trace.h").read_text(encoding="utf-8"))


@pytest.fixture
def shell(boot):
    return lambda **options: shell_of(boot, **options)


@pytest.mark.parametrize("smp", [1, 4])
@pytest.mark.parametrize("build", ["release", "debug"])
def test_text(shell, build, smp):
    """All CPUs' events, in the order of time, none written in part."""
    sh = shell(build=build, smp=smp, append="trace=all quiet")
    sh.run("for i in 1 2 3 4 5 6 7 8; do sleep 0.01 & done; wait")
    sh.run("echo off > /proc/trace_control; cat /proc/trace > /tmp/trace")
    text = sh.run("tail -n 400 /tmp/trace")
    events = LINE.findall(text)
    assert len(events) == 400
    assert [event[0] for event in events] == sorted(event[0] for event in events)
    names = {event[5] for event in events}
    assert names <= set(event_names())
    assert {"sys_enter", "sys_exit", "sched_wakeup", "sched_switch"} <= names
    assert re.search(r"wq=0x\w+ key=0x\w+ func=[a-z]\w+", sh.run("grep -m 1 ' wake_up ' /tmp/trace"))
    assert re.search(r"nr=execve a0=0x", sh.run("grep -m 1 ' sys_enter  *nr=execve ' /tmp/trace"))
    # Whom a switch names is who then runs on that CPU.
    runs = {}
    for _, cpu, context, _, pid, event, arguments in events:
        if event == "sched_switch":
            assert runs.get(cpu, pid) == pid
            runs[cpu] = re.search(r"next=(\d+)", arguments).group(1)
    assert runs


def test_order_of_a_timer(shell):
    """Steps 2, 4, 11, 12, 13 of the journey, for a timer in place of a card."""
    sh = shell()
    sh.run("echo clear on > /proc/trace_control; sleep 0.1; echo off > /proc/trace_control")
    events = [(context, event) for _, _, context, _, _, event, _ in LINE.findall(sh.run("cat /proc/trace"))]
    at = 0
    for step in (("process", "sys_enter"), ("process", "sched_switch"), ("hardirq", "irq_enter"),
                 ("hardirq", "irq_exit"), ("softirq", "softirq_enter"), ("softirq", "sched_wakeup"),
                 ("softirq", "softirq_exit"), ("process", "sched_switch"), ("process", "sys_exit")):
        at = events.index(step, at) + 1


def test_control(shell):
    sh = shell()
    assert sh.run("cat /proc/trace_control") == "events=none pid=0 sock=0\n"
    sh.run("echo '  events=udp_rcv,wake_up  pid=12 sock=34' > /proc/trace_control")
    assert sh.run("cat /proc/trace_control") == "events=udp_rcv,wake_up pid=12 sock=34\n"
    for wrong in ("events=udp_rcv,no pid=1", "on pid=x", "events=", "pid=1 sock=-1", "lost", "events=lost"):
        assert "Invalid argument" in sh.run(f"echo {wrong} > /proc/trace_control")
    assert sh.run("cat /proc/trace_control") == "events=udp_rcv,wake_up pid=12 sock=34\n"
    sh.run("echo on pid=0 sock=0 > /proc/trace_control")
    assert sh.run("cat /proc/trace_control") == "events=all pid=0 sock=0\n"
    names = [line.split()[1] for line in sh.run("cat /proc/trace_events").splitlines()]
    assert names == event_names()


def test_pid_filter(shell):
    """Of process context and of the scheduler, only what is about that task."""
    sh = shell()
    sh.run("echo clear on pid=$$ > /proc/trace_control; sleep 0.1; echo off > /proc/trace_control")
    pid = sh.run("echo $$").strip()
    events = LINE.findall(sh.run("cat /proc/trace"))
    assert events
    for _, _, context, _, who, event, arguments in events:
        if event.startswith("sched_"):
            assert re.search(rf"\b(pid|prev|next)={pid}\b", arguments)
        else:
            assert context != "process" or who == pid


def test_blocked_reader_is_woken(shell):
    """At its end a read waits; the next event ends the wait, and so does `off`."""
    sh = shell()
    sh.run("echo clear events=softirq_enter > /proc/trace_control")
    sh.run("head -n 1 /proc/trace > /tmp/first & ")
    sh.run("sleep 0.1; wait")
    assert "softirq_enter" in sh.run("cat /tmp/first")
    sh.run("echo clear events=skb_drop > /proc/trace_control")
    sh.run("cat /proc/trace > /tmp/all &")
    assert sh.run("echo -n; read -t 0.2 line < /proc/trace; echo $?").strip() != "0"  # poll says: nothing yet
    assert "cat" in sh.run("ps")
    sh.run("echo off > /proc/trace_control; wait")
    assert sh.run("wc -c < /tmp/all").strip() == "0"


def test_raw(shell):
    """The same events as records of 64 bytes."""
    sh = shell()
    sh.run("echo clear events=sys_exit,sched_switch > /proc/trace_control; true; echo off > /proc/trace_control")
    lines = LINE.findall(sh.run("cat /proc/trace"))
    raw = bytes.fromhex(sh.run("hexdump -v -e '1/1 \"%02x\"' /proc/trace_raw").strip())
    assert lines and len(raw) == 64 * len(lines)
    names = event_names()
    for (time, cpu, context, who, pid, name, _), record in zip(lines, struct.iter_unpack("<QBBBBI4Q16s", raw)):
        assert f"{record[0] / 1e9:.9f}" == time or abs(record[0] / 1e9 - float(time)) < 1e-8
        assert (names[record[1]], str(record[2]), str(record[5])) == (name, cpu, pid)
        assert record[10].split(b"\0")[0].decode() == who
        assert ("process", "softirq", "hardirq")[record[3]] == context


def test_only_root_reads(shell):
    sh = shell()
    refused = sh.run("su -s /bin/sh nobody -c 'cat /proc/trace; cat /proc/trace_raw; cat /proc/trace_control' 2>&1")
    assert refused.count("Permission denied") == 3 or "unknown user" in refused
