# SPDX-License-Identifier: MIT
"""user/: every server answers `load`, on Linux and on Pollux; many clients, long questions, a connection each."""

import contextlib
import socket
import subprocess
import time

import pytest
import qemu
from guest import OUT, TIMEOUT
from shell import shell_of

USER = OUT / "user"
# name: (command, its port put in by %, how many clients at once)
SERVERS = {
    "one": ("echo_one %d", 1),
    "fork": ("echo_fork %d", 20),
    "thread": ("echo_thread %d", 20),
    "spin": ("echo_spin %d", 20),
    "select": ("echo_select %d", 20),
    "poll": ("echo_poll %d", 100),
    "epoll": ("echo_epoll %d", 100),
    "edge": ("echo_edge %d", 100),
    "workers": ("echo_workers %d", 100),
    "exclusive": ("echo_prefork %d exclusive", 40),
    "herd": ("echo_prefork %d herd 3", 40),
    "reuseport": ("echo_prefork %d reuseport 3", 40),
}
PORT = 7100


def loads(clients, port):
    """What each server is asked: many short questions, some long ones, a connection for each."""
    return [f"load -c {clients} {options} 127.0.0.1 {port}" for options in ("-n 600", "-n 100 -s 60000", "-r -n 100")]


def check_answers(output, count):
    assert f"{count} answers in " in output, output


@contextlib.contextmanager
def running(command, port):
    """A server on Linux, from when it listens on until the test is over."""
    process = subprocess.Popen([USER / command.split()[0], *command.split()[1:]])
    deadline = time.monotonic() + TIMEOUT
    try:
        while True:
            with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", port)):
                break
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
        yield
    finally:
        process.terminate()
        process.wait()


def run_load(command):
    program, *arguments = command.split()
    return subprocess.run([USER / program, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          timeout=TIMEOUT).stdout


@pytest.mark.parametrize("name", SERVERS)
def test_on_linux(name):
    command, clients = SERVERS[name]
    port = qemu.free_port(PORT)
    with running(command % port, port):
        for load, count in zip(loads(clients, port), (600, 100, 100)):
            check_answers(run_load(load), count)


class Pollux:
    """A server at the shell; load waits for it to listen, and looks at all it says."""

    def __init__(self, shell):
        self.shell = shell

    def serve(self, command, port):
        self.shell.run(f"{command} & until load -n 1 127.0.0.1 {port} > /dev/null 2>&1; do :; done")

    def stop(self):
        self.shell.run("kill %%; wait")


@pytest.mark.parametrize("build, smp", [("release", 1), ("debug", 4)])
def test_on_pollux(boot, subtest, build, smp):
    pollux = Pollux(shell_of(boot, build=build, smp=smp))
    for number, (name, (command, clients)) in enumerate(SERVERS.items()):
        port = PORT + number
        pollux.serve(command % port, port)
        for load, count in zip(loads(clients, port), (600, 100, 100)):
            check_answers(pollux.shell.run(load), count)
        pollux.stop()
        subtest(name)
