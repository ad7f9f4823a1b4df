# SPDX-License-Identifier: MIT
"""`make gdb`, driven in batch mode."""

from guest import OUT
from test_tools import make


def gdb(*commands):
    words = " ".join(f"-ex '{command}'" for command in commands)
    result = make("gdb", f"GDB_ARGS=-batch {words}", "MEM=128M")
    assert result.returncode == 0, result.stdout
    return result.stdout


def test_stops_where_it_was_asked_to():
    text = gdb("hbreak kernel_main", "continue", "backtrace")
    assert "#0  kernel_main" in text
    assert (OUT / "gdb-serial.log").exists()
