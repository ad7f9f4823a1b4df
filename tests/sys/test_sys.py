# SPDX-License-Identifier: MIT
"""The same programs on Linux and on Pollux: both must print the same. tests/sys/test.h says how they are made.

`make test T=sys/pipe` runs the tests of pipe.c, `make test T=sys/pipe::atomic` one of them."""

import difflib
import functools
import re

import host_linux
import pytest
import qemu
from guest import OUT, ROOT

INITRAMFS = str(OUT / "sys/initramfs.cpio")
KERNEL_MESSAGE = re.compile(r"^\[ *\d+\.\d+\] .*\n", re.M)


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


def parse(output):
    """{sys/PROGRAM::TEST: what it printed}"""
    results = {}
    for words, text in re.findall(r"^@@ begin (\S+)\n(.*?)^@@ end \1 ", output, re.M | re.S):
        program = words.split(",")[0]
        for name, lines in re.findall(r"^== (\w+)\n(.*?)(?=^== |\Z)", text, re.M | re.S):
            results[f"sys/{program}::{name}"] = lines
    return results


@functools.lru_cache
def on_linux(words):
    return parse(host_linux.run(INITRAMFS, "/tests/run", words))


def run_on_pollux(boot, words, **options):
    """The guest's console, without the kernel's own messages."""
    guest = boot(initrd=INITRAMFS, append=f"-- --poweroff {words}", mem="512M", **options)
    status = guest.wait_exit(timeout=900)
    assert status == qemu.EXIT_SUCCESS
    return KERNEL_MESSAGE.sub("", guest.log().replace("\r\n", "\n"))


def difference(linux, pollux):
    lines = difflib.unified_diff(linux.splitlines(), pollux.splitlines(), "Linux", "Pollux", lineterm="", n=3)
    return "\n".join(lines)


@pytest.mark.parts.with_args(all_names)
@pytest.mark.parametrize("smp", [1, 4])
@pytest.mark.parametrize("build", ["release", "debug"])
def test_same_as_linux(request, boot, subtest, build, smp):
    if not host_linux.is_possible():
        pytest.skip("comparing with the host's Linux takes root there")
    names = getattr(request.node, "parts", None) or list(all_names())
    words = runner_words(names)
    linux = on_linux(words)
    pollux = parse(run_on_pollux(boot, words, build=build, smp=smp))
    for name in names:
        subtest(name, difference(linux[name], pollux.get(name, "(nothing)\n")))
