# SPDX-License-Identifier: MIT
"""Reads what tools/count_plugin.c keeps; the layout is struct shared there."""

import collections
import dataclasses
import struct

MAX_MARKS = 1024
MAX_REGISTERS = 1024
MAX_PLACES = 16

Counts = collections.namedtuple("Counts", "kernel user halts cr3 ports")
Register = collections.namedtuple("Register", "device address reads writes")

COUNTS = struct.Struct("=5Q")
NUMBER = struct.Struct("=Q")
REGISTER = struct.Struct("=24s3Q")


def difference(after, before):
    return Counts(*(late - early for late, early in zip(after, before)))


@dataclasses.dataclass
class Snapshot:
    """All that was counted until it was read."""
    counts: Counts
    marks: list
    registers: list
    from_user: int
    to_user: int
    places: list

    @property
    def instructions(self):
        return self.counts.kernel + self.counts.user


def read(path):
    with open(path, "rb") as file:
        data = file.read()
    counts = Counts(*COUNTS.unpack_from(data))
    at = COUNTS.size
    (n_marks,) = NUMBER.unpack_from(data, at)
    at += NUMBER.size
    marks = [Counts(*COUNTS.unpack_from(data, at + i * COUNTS.size)) for i in range(n_marks)]
    at += MAX_MARKS * COUNTS.size
    registers = []
    for i in range(MAX_REGISTERS):
        name, address, *numbers = REGISTER.unpack_from(data, at + i * REGISTER.size)
        if address:
            registers.append(Register(name.rstrip(b"\0").decode(), address, *numbers))
    at += MAX_REGISTERS * REGISTER.size
    from_user, to_user, *places = (NUMBER.unpack_from(data, at + i * NUMBER.size)[0] for i in range(2 + MAX_PLACES))
    return Snapshot(counts, marks, registers, from_user, to_user, places)
