# SPDX-License-Identifier: MIT
"""Programs that take all there is of something (hog.c): they get an error, or are killed for it. The machine
lives, and has all of it back."""

import re

import pytest
import sys_programs

# What each of them prints; None: it is killed, and the kernel says so.
HOGS = {
    "memory": None,
    "shared_memory": None,
    "pipes": None,
    "signals": None,
    "file": "refused: ENOSPC",
    "mappings": "many: yes, then ENOMEM",
    "descriptors": "highest 1048575, then EMFILE\nclosing: 0\nyes",
    "directories": r"\d{4,} deep\n0 left",
    "names": r"\d{4,} names",
    "threads": "many: yes",
    "limited_forks": "alive",
    "unlimited_forks": "alive",
    "timers": "many: yes",
    "arguments": "many: yes",
    "links": "there\nELOOP",
}
KILLED = re.compile(r"out of memory: killed process \d+ \(hog\), which has \d+ KiB")


@pytest.mark.parametrize("build, smp", [("release", 4), ("debug", 2)])
def test_hogs(request, boot, subtest, build, smp):
    words = ":".join(f"hog,{name}" for name in HOGS)
    text = sys_programs.on_pollux(boot, words, build=build, smp=smp, mem="128M")
    output = dict(sys_programs.outputs(text))
    for name, expected in HOGS.items():
        program = f"hog,{name}"
        if expected is None:
            good = f"@@ end {program} 9\n" in text
        else:
            good = re.fullmatch(f"{expected}\n", output[program])
        wrong = sys_programs.leaks(text, program) or ("" if good else output[program] or "nothing printed")
        subtest(f"sys/hog::{name}", wrong)
    killed = KILLED.findall(request.node.guests[0].log())
    assert len(killed) >= sum(expected is None for expected in HOGS.values())
