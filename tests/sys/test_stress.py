# SPDX-License-Identifier: MIT
"""The programs with many threads, on more CPUs than there are, again and again. `make soak SOAK=1000` for more."""

import os
import re

import pytest
import sys_programs

SOAK = int(os.environ.get("SOAK") or 0)
ROUNDS = SOAK or 2
PROGRAMS = ["thread_stress", "threads", "futex", "epoll_threads"] + ["epoll_stress"] * bool(SOAK)


@pytest.mark.parametrize("build", ["debug", "release"] if SOAK else ["debug"])
def test_many_cpus(boot, build):
    words = ":".join(PROGRAMS)
    output = sys_programs.on_pollux(boot, words, options=f"--repeat={ROUNDS}", timeout=900 + 60 * ROUNDS, build=build, smp=8)
    assert "@@ leak" not in output
    assert "killed by KILL" not in "".join(re.findall(r"^@@ begin thread_stress\n(.*?)^@@ end", output, re.M | re.S))
    for program in PROGRAMS:
        outputs = {text for name, text in sys_programs.outputs(output) if name == program}
        assert len(outputs) == 1, f"{program} did not print the same each time:\n" + "\n----\n".join(outputs)
