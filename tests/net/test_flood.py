# SPDX-License-Identifier: MIT
"""A flood from the host's own sockets, far more than can be served, at a program of the guest's that sends each datagram
back: some are served all the time, and nothing is left of it. `make soak` does it for minutes."""

import contextlib
import os
import random
import socket
import subprocess
import time

import pytest
import qemu
from guest import OUT, TIMEOUT
from wire import COMMAND_PORT, ECHO_PORT, GUEST, GUEST_MAC, HOST, INITRAMFS, NETMASK, TAP, is_possible, new_namespace

MACHINES = [(net, smp, "e1000") for net in ("tap", "user") for smp in (1, 4)]
SECONDS = 2
if os.environ.get("SOAK"):
    MACHINES += [("tap", 1, "e1000e")]
    SECONDS = 150
TRIES = 60
USER_ADDRESS, USER_GATEWAY = "10.0.2.15", "10.0.2.2"


def make_tap():
    for command in ("link set lo up", f"tuntap add dev {TAP} mode tap", f"address add {HOST}/24 dev {TAP}", f"link set {TAP} up"):
        subprocess.run(["ip", *command.split()], check=True)


class Peer:
    """The guest as the host sees it: where its two ports are, and what it answers. A datagram may be lost, so each is sent
    again; who asked last knows its answer by the port that it asked from."""

    def __init__(self, echo, command):
        self.addresses = {ECHO_PORT: echo, COMMAND_PORT: command}

    def ask(self, port, data):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.connect(self.addresses[port])
            client.settimeout(2)
            for _ in range(TRIES):
                client.send(data)
                with contextlib.suppress(TimeoutError, ConnectionRefusedError):
                    return client.recv(65536)
        raise AssertionError(f"no answer to {data}")

    def echo(self):
        """Behind everything that is still in the guest's queues."""
        data = random.randbytes(100)
        assert self.ask(ECHO_PORT, data) == data

    def buffers(self):
        self.echo()
        lines = self.ask(COMMAND_PORT, b"read /proc/net/skbuff").decode().splitlines()
        return {name: int(value) for name, value in map(str.split, lines) if name in ("buffers", "pages")}


@contextlib.contextmanager
def peer_by(boot, net, smp, model):
    options = {"smp": smp, "build": "release", "initrd": str(INITRAMFS)}
    if net == "tap":
        with new_namespace():
            make_tap()
            guest = boot(append=f"ip={GUEST}::{HOST}:{NETMASK}::eth0:off", **options,
                         extra=("-netdev", f"tap,id=net0,ifname={TAP},script=no,downscript=no",
                                "-device", f"{model},netdev=net0,romfile=,mac={GUEST_MAC}"))
            guest.expect("server: ready")
            yield Peer((GUEST, ECHO_PORT), (GUEST, COMMAND_PORT))
        return
    ports = [qemu.free_port(start) for start in (5107, 5207)]
    forward = ",".join(f"hostfwd=udp:127.0.0.1:{port}-:{there}" for port, there in zip(ports, (ECHO_PORT, COMMAND_PORT)))
    guest = boot(append=f"ip={USER_ADDRESS}::{USER_GATEWAY}:{NETMASK}::eth0:off", **options,
                 extra=("-netdev", f"user,id=net0,{forward}", "-device", f"{model},netdev=net0,romfile="))
    guest.expect("server: ready")
    yield Peer(*(("127.0.0.1", port) for port in ports))


@pytest.mark.parametrize("net, smp, model", MACHINES)
def test_flood(boot, net, smp, model):
    if net == "tap" and not is_possible():
        pytest.skip("a tap device takes root")
    with peer_by(boot, net, smp, model) as peer:
        before = peer.buffers()
        address, port = peer.addresses[ECHO_PORT]
        command = [OUT / "bench/host/load", "flood", address, str(port), str(SECONDS), "64"]
        result = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        print(result)
        served = {name: float(value) for name, value in (word.split("=") for word in result.split())}
        assert served["received"] > 0
        if os.environ.get("SOAK"):
            assert served["worst"] > 0, "it stood still for a second"
        deadline = time.monotonic() + TIMEOUT  # what was sent last may still be the card's
        while any((after := peer.buffers())[name] > before[name] for name in before):
            assert time.monotonic() < deadline, f"in use before: {before}, now: {after}"
