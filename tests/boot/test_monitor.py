# SPDX-License-Identifier: MIT
"""The kernel's own prompt, from the serial line and from the keyboard; and what an idle kernel does."""

import re
import time

import pytest
import qemu
from guest import PROMPT


def test_commands(boot):
    guest = boot(smp=2)
    guest.expect(PROMPT)
    commands = re.findall(r"^(?:\[.*?\] )?(\w+) ", guest.run("help"), re.M)
    assert "tasks" in commands and "poweroff" in commands
    for command in commands:
        if command not in ("reboot", "poweroff", "selftest"):
            assert guest.run(command).strip(), f"{command} printed nothing"
    assert "no such command: frobnicate" in guest.run("frobnicate")
    assert guest.run("").strip() == ""
    guest.send("poweroff\r")
    assert guest.wait_exit() == qemu.EXIT_SUCCESS


def test_long_line_and_odd_bytes(boot):
    guest = boot()
    guest.expect(PROMPT)
    guest.send("\x01\x02\x1b[A\x7f\x7f\b\xff\t" + "y" * 5000 + "\r")
    guest.expect("no such command")
    guest.expect(PROMPT)
    assert "init" in guest.run("tasks")


def test_keyboard(boot):
    """Keys pressed on the PS/2 keyboard: make and break codes, shift, backspace."""
    guest = boot()
    guest.expect(PROMPT)
    with guest.qmp() as qmp:
        for name in (*"helq", "backspace", "p", "ret"):
            qmp.execute("send-key", keys=[{"type": "qcode", "data": name}])
        guest.expect(r"help +this list")
        guest.expect(PROMPT)
        for name in "ap":
            qmp.execute("send-key", keys=[{"type": "qcode", "data": "shift"}, {"type": "qcode", "data": name}])
        qmp.execute("send-key", keys=[{"type": "qcode", "data": "ret"}])
    guest.expect("no such command: AP")


@pytest.mark.parametrize("smp", [1, 4])
def test_idle_executes_nothing(boot, smp):
    """Nobody has anything to do: no tick, the processors halt. A thousand a second would be one tick."""
    guest = boot(smp=smp, count_instructions=True)
    guest.expect(PROMPT)
    guest.settle()
    time.sleep(1)  # what boot has left behind: the last timers
    guest.settle()
    before = guest.instructions()
    time.sleep(5)
    assert guest.instructions() - before < 500
    assert guest.run("cpus").strip()
