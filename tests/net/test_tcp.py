# SPDX-License-Identifier: MIT
"""TCP against Linux's own: the host's kernel is the client of user/echo_epoll.c, over a tap device, and the guest's
network loses, reorders and damages (docs/links.md)."""

import random
import socket
import subprocess
import threading

import pytest
from guest import OUT, TIMEOUT
from wire import GUEST, HOST, NETMASK, TAP, is_possible, new_namespace

INITRAMFS = OUT / "net/echo_epoll.cpio"
PORT, SIZE, PIECE = 7, 10 << 20, 1 << 18
TRIES = 60


def make_tap():
    for command in (f"tuntap add dev {TAP} mode tap", f"address add {HOST}/24 dev {TAP}", f"link set {TAP} up"):
        subprocess.run(["ip", *command.split()], check=True)


def connect():
    """Until somebody listens there."""
    for attempt in range(TRIES):
        try:
            return socket.create_connection((GUEST, PORT), timeout=TIMEOUT)
        except ConnectionRefusedError:
            if attempt == TRIES - 1:
                raise
            threading.Event().wait(0.1)


def echo(data):
    """What comes back, while it is still being sent."""
    with connect() as client:
        sender = threading.Thread(target=client.sendall, args=(data,))
        sender.start()
        answer = bytearray()
        while len(answer) < len(data) and (piece := client.recv(PIECE)):
            answer += piece
        sender.join()
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
    return answer


@pytest.mark.parametrize("smp, build, link", [
    (1, "release", None), (4, "debug", "rx-lose=2%,tx-lose=2%"), (1, "release", "rx-reorder=5%,tx-reorder=5%,rx-duplicate=2%"),
    (4, "release", "rx-corrupt=1%,tx-corrupt=1%"), (1, "debug", "rx-delay=5ms,tx-delay=5ms,rx-jitter=1ms")])
def test_ten_megabytes_there_and_back(boot, smp, build, link):
    if not is_possible():
        pytest.skip("a tap device takes root")
    data = random.Random(7).randbytes(SIZE)
    with new_namespace():
        make_tap()
        guest = boot(smp=smp, build=build, initrd=str(INITRAMFS), append=f"ip={GUEST}::{HOST}:{NETMASK}::eth0:off "
                     f"{f'link=eth0,{link} ' if link else ''}-- {PORT}",
                     extra=("-netdev", f"tap,id=net0,ifname={TAP},script=no,downscript=no",
                            "-device", "e1000,netdev=net0,romfile="))
        guest.expect("boot: ready")
        assert echo(data) == data
        # and many small ones, each with its own connection
        for size in (1, 100, 1448, 1449, 65536):
            assert echo(data[:size]) == data[:size]
    assert "panic" not in guest.log()
