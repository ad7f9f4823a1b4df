# SPDX-License-Identifier: MIT
"""What takes TCP a minute, and us none: by -icount with sleep=off the clock of a guest that only waits goes on at once."""

import sys

from guest import ROOT

sys.path.insert(0, str(ROOT / "tests/boot"))
from test_shell import INITRAMFS, Shell  # noqa: E402


def time_wait(shell):
    line = next(line for line in shell.run("cat /proc/net/sockstat").splitlines() if line.startswith("TCP:"))
    return int(line.split()[line.split().index("tw") + 1])


def test_time_wait_ends(boot):
    shell = Shell(boot(initrd=INITRAMFS, extra=("-icount", "shift=0,sleep=off")))
    for round in range(2):
        shell.run("for i in 1 2 3; do echo hello | nc 127.0.0.1 7; done")
        assert time_wait(shell) == 3
        shell.run("sleep 50")
        assert time_wait(shell) == 3
        shell.run("sleep 20")
        assert time_wait(shell) == 0
