# SPDX-License-Identifier: MIT
"""The programs of tests/sys, and the self-tests, while allocations fail at random: what they then print or find does
not matter. The kernel lives, ends, and has all its memory back. `make fuzz` tries more rates."""

import os

import pytest
import qemu
import sys_programs
from test_sys import all_names

FUZZ = int(os.environ.get("FUZZ") or 0)
RATES = [("debug", 25)] + [(build, every) for build in ("release", "debug") for every in (8, 15, 50, 100, 300) if FUZZ]
SELFTEST_RATES = [3, 5, 10, 50, 300] if FUZZ else [5]


@pytest.mark.parametrize("build, every", RATES)
def test_programs(boot, build, every):
    programs = dict.fromkeys(name.removeprefix("sys/").split("::")[0] for name in all_names())
    programs.pop("epoll_stress")  # waits long for each byte that could not be written
    words = ":".join(programs)
    words += "".join(f":epoll_random,{seed},500" for seed in range(1, 4 + FUZZ // 50))
    output = sys_programs.on_pollux(boot, words, options=f"--fail-every={every}", build=build, smp=4)
    assert "@@ leak" not in output
    assert "@@ timeout" not in output


@pytest.mark.parametrize("every", SELFTEST_RATES)
def test_selftests(boot, every):
    guest = boot(build="debug", smp=2, append=f"selftest fail-every={every}")
    guest.expect(r"selftest: \d+ passed, \d+ failed", timeout=600)
    assert guest.wait_exit() in (qemu.EXIT_SUCCESS, qemu.EXIT_FAILURE)
    assert "panic:" not in guest.log()
