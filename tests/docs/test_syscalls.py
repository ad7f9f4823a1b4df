# SPDX-License-Identifier: MIT
"""docs/syscalls.md says of each call in the kernel's table how far it goes, and of no other."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]


def table():
    """{number: (name, is there)} of the kernel."""
    text = (ROOT / "kernel/syscall_list.h").read_text()
    return {int(number): (name, kind == "CALL")
            for kind, number, name in re.findall(r"^(CALL|NONE)\((\d+), (\w+)\)", text, re.M)}


def page():
    """{number: (name, level, what is missing)} of the book."""
    text = (ROOT / "docs/syscalls.md").read_text()
    rows = re.findall(r"^\| (\d+) \| `(\w+)` \| (\w+) \| (.*?) ?\|$", text, re.M)
    return {int(number): (name, level, missing) for number, name, level, missing in rows}


def test_every_call_has_its_row():
    assert {number: name for number, (name, _) in table().items()} == \
        {number: name for number, (name, _, _) in page().items()}


def test_levels_agree_with_the_table():
    for number, (name, level, missing) in page().items():
        is_there = table()[number][1]
        assert level in (("full", "partial") if is_there else ("absent",)), name
        assert bool(missing) == (level == "partial"), f"{name}: only a partial one says what is missing"
