# SPDX-License-Identifier: MIT
"""Random command lines and initramfs: whatever they are, the kernel comes to a defined state.
A round's input follows from its number alone, so that a failure repeats. `make fuzz FUZZ=1000`."""

import os
import random
import string

import pytest

ROUNDS = int(os.environ.get("FUZZ") or "6")
WORDS = ["selftest", "loglevel", "debug-exit", "fail", "init", "ip", "foo", "root"]
MARKS = ["=", "==", "=,", '="', '"', " ", "\t", "=-1", "=0", "=18446744073709551616", "=0x", ",", "/"]


def random_command_line(rng):
    words = [rng.choice(WORDS[2:]) + rng.choice(MARKS) + rng.choice(["", *WORDS, "7", "a,b"])
             for _ in range(rng.randrange(20))]
    noise = "".join(rng.choices(string.printable.strip(), k=rng.randrange(60)))
    # A comma ends a QEMU option of another kind, but -append is taken as it is.
    return " ".join(words + [noise])


def random_initramfs(rng):
    """A chain of headers whose fields are mostly right."""
    data = bytearray()
    for _ in range(rng.randrange(1, 12)):
        name = bytes(rng.choices(b"abc/.\0", k=rng.randrange(1, 30))) + b"\0"
        body = rng.randbytes(rng.randrange(200))
        fields = [1, 0o100644, 0, 0, 1, 0, len(body), 0, 0, 0, 0, len(name), 0]
        if rng.random() < 0.2:
            fields[rng.randrange(len(fields))] = rng.choice([0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF])
        data += b"070701" + b"".join(b"%08X" % field for field in fields) + name
        data += b"\0" * (-len(data) % 4) + body
        data += b"\0" * (-len(data) % 4)
    for _ in range(rng.randrange(4)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data)


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_fuzz(boot, tmp_path, seed):
    rng = random.Random(seed)
    initrd = tmp_path / "initramfs.cpio"
    initrd.write_bytes(random_initramfs(rng))
    guest = boot(build="debug", append=random_command_line(rng), initrd=str(initrd))
    guest.expect(r"initramfs: corrupt at byte \d+: |boot: ready in \d+ us")
    assert "panic:" not in guest.log()
