# SPDX-License-Identifier: MIT
"""QEMU's user network, as `make run` gives it: the guest's port is reached from the host's."""

import contextlib
import socket

import pytest
import qemu
from wire import ECHO_PORT, INITRAMFS

TRIES, SECONDS = 60, 2


@pytest.mark.parametrize("model, smp, build", [("e1000", 1, "release"), ("e1000e", 4, "debug")])
def test_echo_from_the_host(boot, model, smp, build):
    port = qemu.free_port(5007)
    guest = boot(smp=smp, build=build, initrd=str(INITRAMFS), append="ip=10.0.2.15::10.0.2.2:255.255.255.0::eth0:off",
                 extra=("-netdev", f"user,id=net0,hostfwd=udp:127.0.0.1:{port}-:{ECHO_PORT}",
                        "-device", f"{model},netdev=net0,romfile="))
    guest.expect("server: ready")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(("127.0.0.1", port))
        client.settimeout(SECONDS)
        for size in (0, 1, 1000, 1472):
            assert answer(client, bytes(size)) == bytes(size)


def answer(client, data):
    """A datagram may be lost, so it is sent again; then late answers to those before come, too."""
    for _ in range(TRIES):
        client.send(data)
        with contextlib.suppress(TimeoutError):
            while (got := client.recv(65536)) != data:
                pass
            return got
    raise AssertionError("no echo came")
