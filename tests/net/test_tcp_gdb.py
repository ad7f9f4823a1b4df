# SPDX-License-Identifier: MIT
"""gdb's px-tcp (tools/gdb/tcp.py) shows what segments made by hand have brought about."""

import re
import subprocess

from guest import KERNELS, ROOT, TIMEOUT
from test_tcp_hostile import DEAF, ECHO, SOON, UNACCEPTED, WINDOW, Connection, payload
from wire import GUEST, HOST


def gdb(wire, folder, *commands):
    """Of a guest that runs: QEMU opens its door to gdb now, and closes it again."""
    with wire.guest.qmp() as qmp:
        qmp.execute("human-monitor-command", **{"command-line": f"gdbserver unix:{folder}/gdb,server=on,wait=off"})
        kernel = KERNELS["debug" if "debug" in wire.log_dir.name else "release"]
        words = ["gdb", "-nx", "-q", "-batch", kernel, "-x", ROOT / "tools/gdb/pollux.py"]
        for command in (f"target remote {folder}/gdb", *commands, "detach"):
            words += ["-ex", command]
        try:
            return subprocess.run(words, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  text=True, timeout=TIMEOUT).stdout
        finally:
            qmp.execute("human-monitor-command", **{"command-line": "gdbserver none"})


def test_queues_of_tcp(wire, tmp_path):
    """One has a hole in what it got, and nobody acknowledges what it sends; one does not read; at a listener one of each
    kind waits. Numbers wrap."""
    request, child, deaf = (Connection(wire, port) for port in (UNACCEPTED, UNACCEPTED, DEAF))
    echo = Connection(wire, ECHO, seq=(1 << 32) - 18)
    for connection in (child, deaf, echo):
        connection.open()
    wire.send(request.segment("S", ack=0), deaf.segment("PA", b"x" * 100), echo.segment("PA", b"waits", seq=echo.next + 15),
              echo.segment("PA", b"hello"))
    wire.wait_for(lambda packet: echo.ours([packet]) and payload(packet) == b"hello", SOON)
    text = gdb(wire, tmp_path, f"px-tcp {ECHO}", f"px-tcp {DEAF}", f"px-tcp {UNACCEPTED}")
    for connection, sent in ((child, 0), (deaf, 100), (echo, 5), (request, 1)):
        wire.send(connection.segment("R", seq=connection.next + sent))
    wire.exchange()

    of = {line.split(" ", 1)[0] + line.split(" ")[2]: rest for line, rest in re.findall(r"^([0-9.]+:\d+ .*)\n((?:  .*\n)+)", text, re.M)}
    got, sent = echo.got % (1 << 32), (echo.got + 5) % (1 << 32)
    said = of[f"{GUEST}:{ECHO}{HOST}:{echo.sport}"]
    assert f"receives: next {(1 << 32) - 12}, program at {(1 << 32) - 12}, window " in said, text
    assert f"    out of order  {(1 << 32) - 2} to 3\n" in said, text
    assert f"sends: unacknowledged {got}, next {sent}, program at {sent}, window {WINDOW}," in said, text
    assert re.search(rf"^    to be acked   {got} to {sent}, sent", said, re.M), text
    assert re.search(r"cwnd \d+, mss \d+, .* rto [1-9]\d+ ms; 1 segments out", said), text
    assert re.search(r"^    timer retransmit \(\w+\) at \d+\.\d+ s$", said, re.M), text
    said = of[f"{GUEST}:{DEAF}{HOST}:{deaf.sport}"]
    assert f"    to be read    {deaf.next} to {deaf.next + 100}\n" in said and "timer" not in said, text
    said = of[f"0.0.0.0:{UNACCEPTED}fd"]
    assert "1 SYNs half done, 1 wait for accept(), backlog 4\n" in said, text
    assert f"half done     {HOST}:{request.sport}" in said and f"for accept()  {HOST}:{child.sport}" in said, text
