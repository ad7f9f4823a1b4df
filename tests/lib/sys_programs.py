# SPDX-License-Identifier: MIT
"""Runs programs of tests/sys, by their runner tests/sys/run.c, on the host's Linux and on Pollux."""

import difflib
import re

import host_linux
import pytest
import qemu
from guest import OUT

INITRAMFS = str(OUT / "sys/initramfs.cpio")
KERNEL_MESSAGE = re.compile(r"^\[ *\d+\.\d+\] .*\n", re.M)


def on_linux(words):
    if not host_linux.is_possible():
        pytest.skip("comparing with the host's Linux takes root there")
    return host_linux.run(INITRAMFS, "/tests/run", words)


def on_pollux(boot, words, options="", timeout=1800, mem="512M", **machine):
    """The guest's console, without the kernel's own messages."""
    guest = boot(initrd=INITRAMFS, append=f"-- --poweroff --leaks {options} {words}", mem=mem, **machine)
    status = guest.wait_exit(timeout)
    assert status == qemu.EXIT_SUCCESS
    output = KERNEL_MESSAGE.sub("", guest.log().replace("\r\n", "\n"))
    assert "@@ done\n" in output
    return output


def outputs(text):
    """[(words, output)] of each program that was run."""
    return re.findall(r"^@@ begin (\S+)\n(.*?)^@@ end \1 ", text, re.M | re.S)


def leaks(text, words):
    """What the runner found to be in use after the program, and not before."""
    return "\n".join(re.findall(rf"^@@ leak {re.escape(words)}: .*", text, re.M))


def difference(linux, pollux, context=3):
    lines = difflib.unified_diff(linux.splitlines(), pollux.splitlines(), "Linux", "Pollux", lineterm="", n=context)
    return "\n".join(lines)
