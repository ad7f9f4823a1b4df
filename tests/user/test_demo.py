# SPDX-License-Identifier: MIT
"""`make demo`: the tour shows each step with what was recorded of it, waits on a terminal only, and says in one line what is wrong."""

import contextlib
import os
import re
import socket
import subprocess
import sys

import pexpect
import pytest
from guest import KERNELS, OUT, ROOT, TIMEOUT

DEMO = [sys.executable, str(ROOT / "tools" / "demo"), str(KERNELS["release"]), str(OUT / "initramfs.cpio")]
EVENTS = ["irq_enter", "nic_irq", "softirq_enter", "nic_poll", "ip_rcv", "sock_lookup", "sock_enqueue", "wake_up",
          "ep_poll_callback", "sched_wakeup", "sched_switch", "ep_send_events", "sock_recv"]
COLOUR = "\033["


def on_terminal(**settings):
    env = {name: value for name, value in os.environ.items() if name != "NO_COLOR"} | {"TERM": "xterm"} | settings
    return pexpect.spawn(DEMO[0], DEMO[1:], env=env, encoding="utf-8", timeout=TIMEOUT)


def test_runs_through_without_a_terminal():
    with socket.socket() as busy:
        with contextlib.suppress(OSError):  # then it is busy already
            busy.bind(("127.0.0.1", 5107))
            busy.listen()
        text = subprocess.run(["make", f"O={OUT}", "demo"], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              text=True, timeout=TIMEOUT, check=True).stdout
    assert COLOUR not in text and max(map(len, text.splitlines())) < 80
    steps = re.split(r"\n\n ?(?=\d+  \w)", text.split("\nThe datagram beside it")[0])[1:]
    assert [int(step.split()[0]) for step in steps] == list(range(1, 15))
    for step, event in zip(steps[1:], EVENTS):
        last_line = re.findall(r"^  \[ *\d+\.\d{9}\] +\d+ \w+ +\S+:\d+ +(\w+)", step, re.M)[-1]
        assert last_line == event
        assert step.count("    -> ") >= 1
    for step in steps:
        path, line, function = re.search(r"^    (\S+):(\d+) (\w+)\(\)", step, re.M).groups()
        assert f"{function}(" in (ROOT / path).read_text(encoding="utf-8").splitlines()[int(line) - 1]
        assert re.search(rf"^    docs/journey/{int(step.split()[0])}-[\w-]+\.md$", step, re.M)
    for number, step in enumerate(steps[2:], 3):
        assert re.search(rf"\d us after step {number - 1}\n", step)
    assert re.search(r"^  10  ep_poll_callback +\d+\.\d +-$", text, re.M)
    assert "make trace" in text and "make run" in text and "make gdb" in text


def test_steps_and_leaves_on_a_terminal():
    tour = on_terminal()
    for step in (1, 2, 3):
        tour.expect_exact(f"[Enter: step {step}, q: leave] ")
        assert not re.search(rf"\n(\033\[1m)? ?{step}  ", tour.before), "it did not wait"
        assert step == 1 or re.search(rf"\n\033\[1m {step - 1}  ", tour.before)
        tour.send("\r")
    tour.expect_exact("[Enter: step 4, q: leave] ")
    tour.send("q")
    tour.expect(pexpect.EOF)
    tour.close()
    assert tour.exitstatus == 0 and " 4  " not in tour.before


def test_a_guest_that_ends_early_is_one_line(tmp_path):
    qemu = tmp_path / "qemu-system-x86_64"
    qemu.write_text("#!/bin/sh\necho some message; echo panic: no memory\n", encoding="utf-8")
    qemu.chmod(0o755)
    tour = on_terminal(PATH=f"{tmp_path}:{os.environ['PATH']}", NO_COLOR="1")
    tour.expect(pexpect.EOF)
    tour.close()
    assert tour.exitstatus == 1 and COLOUR not in tour.before
    assert tour.before.splitlines()[-1] == "demo: the guest has ended early, its last line: panic: no memory; see `make run`"


@pytest.mark.parametrize("tool", ["demo", "trace"])
def test_no_qemu_is_one_line(tool, tmp_path):
    page = [str(tmp_path / "page.html")] if tool == "trace" else []
    result = subprocess.run([DEMO[0], str(ROOT / "tools" / tool), *DEMO[2:], *page], env={"PATH": str(tmp_path)},
                            stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=TIMEOUT)
    assert (result.returncode, result.stderr) == (1, f"{tool}: qemu-system-x86_64 is not installed: run `make setup`\n")
