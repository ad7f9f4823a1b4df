# SPDX-License-Identifier: MIT
"""The same programs on Linux and on Pollux: both must print the same. tests/sys/test.h says how they are made.

`make test T=sys/pipe` runs the tests of pipe.c, `make test T=sys/pipe::atomic` one of them."""

import functools
import re

import pytest
import sys_programs
from guest import ROOT


def all_names():
    """sys/PROGRAM::TEST of each."""
    for source in sorted((ROOT / "tests/sys").glob("*.c")):
        for name in re.findall(r"^TEST\((\w+)\)", source.read_text(encoding="utf-8"), re.M):
            yield f"sys/{source.stem}::{name}"


def runner_words(names):
    """What tests/sys/run.c is to be told to run: PROGRAM,TEST,TEST:PROGRAM,TEST...
    No tests for a whole program, for a kernel's command line is short."""
    programs = {}
    for name in all_names():
        programs.setdefault(name.removeprefix("sys/").split("::")[0], []).append(name)
    words = []
    for program, tests in programs.items():
        picked = [name for name in tests if name in names]
        arguments = [name.split("::")[1] for name in picked] if picked != tests else []
        if picked:
            words.append(",".join([program, *arguments]))
    return ":".join(words)


def parse(text):
    """{sys/PROGRAM::TEST: what it printed}"""
    results = {}
    for words, output in sys_programs.outputs(text):
        program = words.split(",")[0]
        for name, lines in re.findall(r"^== (\w+)\n(.*?)(?=^== |\Z)", output, re.M | re.S):
            results[f"sys/{program}::{name}"] = lines
    return results


@functools.lru_cache
def on_linux(words):
    return parse(sys_programs.on_linux(words))


@pytest.mark.parts.with_args(all_names)
@pytest.mark.parametrize("smp", [1, 4])
@pytest.mark.parametrize("build", ["release", "debug"])
def test_same_as_linux(request, boot, subtest, build, smp):
    names = getattr(request.node, "parts", None) or list(all_names())
    words = runner_words(names)
    linux = on_linux(words)
    output = sys_programs.on_pollux(boot, words, build=build, smp=smp)
    pollux = parse(output)
    for name in names:
        subtest(name, sys_programs.difference(linux[name], pollux.get(name, "(nothing)\n")))
    for program in words.split(":"):
        subtest(f"sys/{program.split(',')[0]}::leaves_nothing", sys_programs.leaks(output, program))
