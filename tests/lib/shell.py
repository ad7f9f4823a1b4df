# SPDX-License-Identifier: MIT
"""The shell of the initramfs that `make run` boots."""

import re

from guest import OUT

PROMPT = r"/[\w/-]* # "
CURSOR = re.compile(r"\x1b\[[\d;]*[A-Za-z]")


class Shell:
    """At its prompt."""

    def __init__(self, guest):
        self.guest = guest
        guest.expect(PROMPT)

    def run(self, command):
        """Gives a command; returns what it printed. The echo of a long one is broken into lines: so a word tells
        where the output begins."""
        self.guest.send(f"echo BEGIN; {command}\r")
        self.guest.expect(r"\nBEGIN\r\n")
        self.guest.expect(PROMPT)
        return CURSOR.sub("", self.guest.child.before).replace("\r\n", "\n")


def shell_of(boot, **options):
    options.setdefault("mem", "256M")
    return Shell(boot(initrd=str(OUT / "initramfs.cpio"), **options))
