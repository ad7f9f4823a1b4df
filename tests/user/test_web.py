# SPDX-License-Identifier: MIT
"""user/web.c answers as a web server must, on Linux and, through QEMU's user network, on Pollux."""

import socket
import subprocess
import time

import pytest
import qemu
from guest import OUT, TIMEOUT
from shell import shell_of

NUMBERS = "".join(f"{n}\n" for n in range(1, 100001)).encode()
HELLO = b"hello\n"


@pytest.fixture(params=["linux", "release", "debug"])
def port(request, boot, tmp_path):
    """Of 127.0.0.1, where web serves /index.html, /numbers, /a b and /folder/index.html."""
    port = qemu.free_port(8180)
    if request.param == "linux":
        for name, data in (("index.html", HELLO), ("numbers", NUMBERS), ("a b", HELLO), ("folder/index.html", HELLO)):
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_bytes(data)
        server = subprocess.Popen([OUT / "user" / "web", str(port), tmp_path])
        request.addfinalizer(lambda: (server.terminate(), server.wait()))
    else:
        shell = shell_of(boot, build=request.param, smp=4 if request.param == "debug" else 1,
                         append=qemu.with_address("", "user"),
                         extra=("-netdev", f"user,id=net0,hostfwd=tcp:127.0.0.1:{port}-:80",
                                "-device", "e1000,netdev=net0,romfile="))
        shell.run("cd /www; mkdir folder; echo hello > index.html; cp index.html folder; cp index.html 'a b'; seq 100000 > numbers")
    deadline = time.monotonic() + TIMEOUT
    while not ask(port, b"HEAD / HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200"):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return port


def ask(port, data):
    """Everything the server says until it closes."""
    try:
        with socket.create_connection(("127.0.0.1", port), TIMEOUT) as client:
            client.sendall(data)
            return b"".join(iter(lambda: client.recv(65536), b""))
    except (ConnectionRefusedError, ConnectionResetError):
        return b""


def answers(data):
    """[(status, head, body)] of a stream of answers."""
    found = []
    while data:
        head, _, data = data.partition(b"\r\n\r\n")
        fields = dict(line.split(b": ", 1) for line in head.split(b"\r\n")[1:])
        length = int(fields[b"Content-Length"])
        found.append((int(head.split()[1]), fields, data[:length]))
        data = data[length:]
    return found


def get(path, more=b""):
    return b"GET %s HTTP/1.1\r\nHost: here\r\n%s\r\n" % (path, more)


def test_web(port):
    last = b"Connection: close\r\n"
    # Kept, and sent ahead: the answers come in order.
    kept = answers(ask(port, get(b"/") + get(b"/numbers") + get(b"/none") + get(b"/a%20b") + get(b"/folder/?x=1", last)))
    assert [(status, body) for status, _, body in kept] == [
        (200, HELLO), (200, NUMBERS), (404, b"404 Not Found\n"), (200, HELLO), (200, HELLO)]
    assert kept[0][1][b"Content-Type"].startswith(b"text/html") and kept[4][1][b"Connection"] == b"close"
    for question, status in (
            (b"GET / HTTP/1.0\r\n\r\n", 200), (get(b"/../etc/passwd", last), 404), (get(b"/folder/..", last), 404),
            (get(b"/%", last), 400), (get(b"/%00", last), 400), (b"GET / SPDY/9\r\n\r\n", 400), (b"\r\n\r\n", 400),
            (get(b"/", b"Content-Length: 3\r\n"), 413), (b"PUT / HTTP/1.1\r\n\r\n", 501),
            (get(b"/", b"X: " + bytes(8192)), 431)):
        (answered, _, _), *more = answers(ask(port, question))
        assert (answered, more) == (status, []), question
    # HEAD announces the body and does not send it.
    head = ask(port, b"HEAD /numbers HTTP/1.1\r\n" + last + b"\r\n")
    assert b"Content-Length: %d\r\n" % len(NUMBERS) in head and head.endswith(b"\r\n\r\n")
    # A question may come in pieces, and a client may go in the middle of an answer.
    with socket.create_connection(("127.0.0.1", port), TIMEOUT) as client:
        for byte in get(b"/", last):
            client.send(bytes([byte]))
        assert b"".join(iter(lambda: client.recv(100), b"")).endswith(HELLO)
    for _ in range(20):
        with socket.create_connection(("127.0.0.1", port), TIMEOUT) as client:
            client.sendall(get(b"/numbers"))
            client.recv(1)
    load = subprocess.run([OUT / "user" / "load", *f"-c 8 -n 200 -g /numbers 127.0.0.1 {port}".split()],
                          stdout=subprocess.PIPE, text=True, timeout=TIMEOUT, check=True)
    assert "200 answers in " in load.stdout
