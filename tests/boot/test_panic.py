# SPDX-License-Identifier: MIT
"""A kernel that breaks says so once, with registers and a backtrace that has names, and ends."""

import re

import pytest
import qemu


@pytest.mark.parametrize("build", ["release", "debug"])
@pytest.mark.parametrize("smp", [1, 4])
def test_null_dereference(boot, build, smp):
    guest = boot(build=build, smp=smp, append="selftest=panic")
    assert guest.wait_exit() == qemu.EXIT_FAILURE
    log = guest.log()
    assert len(re.findall(r"\bpanic:", log)) == 1
    panic = log[log.index("panic:"):]
    for register in ("rip", "rsp", "rax", "r15", "cr2", "cr3"):
        assert re.search(rf"\b{register}\b", panic, re.I), f"no {register}"
    assert re.search(r"selftest_panic\+0x[0-9a-f]+", panic)


def test_without_debug_exit_the_power_goes_off(boot):
    """Under QEMU without the test device the end is a defined one too."""
    guest = boot(debug_exit=False, append="selftest=panic")
    guest.expect(r"selftest_panic\+0x")
    assert guest.wait_exit() == qemu.EXIT_POWEROFF
