# SPDX-License-Identifier: MIT
"""What takes TCP a minute, and us none: by -icount with sleep=off the clock of a guest that only waits goes on at once."""

import re
import sys

from guest import ROOT

sys.path.insert(0, str(ROOT / "tests/boot"))
from test_shell import INITRAMFS, Shell  # noqa: E402


def test_time_wait_ends(boot):
    """All in one command: the clock would go on at once while the guest waits for the next one, too."""
    shell = Shell(boot(initrd=INITRAMFS, extra=("-icount", "shift=0,sleep=off")))
    shell.run("talk() { echo hello | nc 127.0.0.1 7; }")
    shell.run("look() { grep TCP /proc/net/sockstat; }")
    for _ in range(2):
        said = shell.run("talk; talk; talk; look; sleep 50; look; sleep 20; look")
        assert re.findall(r" tw (\d+)", said) == ["3", "3", "0"]
