# SPDX-License-Identifier: MIT
"""connect(), accept() and close() cost the same beside ten connections and beside twenty thousand. The instructions are
counted, by -icount, and nothing is timed: tests/net/cost.c."""

import re

import qemu
from guest import OUT

FEW, MANY = 10, 20_000
MARGIN = 1.3


def test_cost_does_not_grow(boot):
    guest = boot(initrd=str(OUT / "net/cost.cpio"), append=f"-- {FEW} {MANY}",
                 extra=("-nic", "none", "-icount", "shift=0,sleep=off"))
    assert guest.wait_exit() == qemu.EXIT_SUCCESS
    lines = dict(re.findall(r"^beside (\d+): (.*)", guest.log(), re.M))
    few, many = ({name: int(ticks) for name, ticks in re.findall(r"(\w+) (\d+)", lines[str(n)])} for n in (FEW, MANY))
    assert few.keys() == {"connect", "accept", "close"}
    assert all(many[name] < MARGIN * few[name] for name in few), lines
