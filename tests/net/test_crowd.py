# SPDX-License-Identifier: MIT
"""A hundred thousand connections, open and idle, in a guest of 256 MiB. The clients are tests/net/crowd.c."""

import re
import subprocess
import sys
import time

import pytest
from guest import OUT, ROOT, TIMEOUT
from wire import GUEST, GUEST_MAC, HOST, HOST_MAC, NETMASK, TAP, is_possible, make_tap, new_namespace

sys.path.insert(0, str(ROOT / "tests/boot"))
from test_shell import INITRAMFS, Shell  # noqa: E402

COUNT, PORT = 100_000, 7
CACHES = ("TCP", "file", "epitem")  # what is there for each connection; and a descriptor
DESCRIPTOR_BYTES = 8
BYTES = 1_024


class Crowd:
    def __init__(self):
        command = [OUT / "net/crowd", TAP, GUEST, GUEST_MAC, HOST, HOST_MAC, str(PORT), str(COUNT)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()

    def do(self, command):
        self.process.stdin.write(command + "\n")
        self.process.stdin.flush()
        assert self.process.stdout.readline() == "done\n"


def slabs(shell):
    """{cache: (objects in use, bytes of its slabs)}"""
    lines = re.findall(r"^(\S+) +(\d+) +\d+ +\d+ +\d+ +(\d+) .* slabdata +\d+ +(\d+)", shell.run("cat /proc/slabinfo"), re.M)
    return {name: (int(objects), int(number) * int(pages) * 4096) for name, objects, pages, number in lines}


def in_use(shell):
    """Connections, and objects of the caches that they are made of."""
    caches = slabs(shell)
    connections = re.search(r"^TCP: inuse (\d+)", shell.run("cat /proc/net/sockstat"), re.M)[1]
    return [int(connections), *(caches[name][0] for name in (*CACHES, "tcp_request", "sk_buff"))]


def wait_in_use(shell, expected):
    """What a closed connection held goes a moment after its descriptor."""
    deadline = time.monotonic() + TIMEOUT
    while (now := in_use(shell)) != expected:
        assert time.monotonic() < deadline, f"in use: {now}, not {expected}"


@pytest.mark.parametrize("smp", [1, 4])
def test_a_hundred_thousand_idle(boot, smp):
    if not is_possible():
        pytest.skip("a tap device takes root")
    with new_namespace():
        make_tap()
        card = ("-netdev", f"tap,id=net0,ifname={TAP},script=no,downscript=no", "-device", f"e1000,netdev=net0,mac={GUEST_MAC}")
        shell = Shell(boot(initrd=INITRAMFS, smp=smp, mem="256M", append=f"ip={GUEST}::{HOST}:{NETMASK}::eth0:off", extra=card))
        crowd = Crowd()
    with crowd:
        # Nobody else's connections shall count; then echo_epoll watches its listener.
        shell.run_until("killall $(cut -d ' ' -f 1 /etc/servers); cat /proc/slabinfo", r"^epitem +0 ")
        shell.run(f"echo_epoll {PORT} &")
        shell.run_until("cat /proc/slabinfo", r"^epitem +1 ")
        before = in_use(shell)
        crowd.do("open")
        shell.run_until("cat /proc/slabinfo", rf"^epitem +{before[3] + COUNT} ")
        wait_in_use(shell, [count + COUNT for count in before[:4]] + before[4:])
        assert sum(slabs(shell)[name][1] for name in CACHES) / COUNT + DESCRIPTOR_BYTES <= BYTES
        for client in (0, COUNT // 2, COUNT - 1):
            crowd.do(f"echo {client}")
        crowd.do("close")
        shell.run_until("cat /proc/slabinfo", rf"^epitem +{before[3]} ")
        wait_in_use(shell, before)
