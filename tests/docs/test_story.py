# SPDX-License-Identifier: MIT
"""docs/journey/ tells the story of one packet: its transcripts, typed from the first page to the last at one guest and at
one shell of the host, are answered as they say; and each step has its page."""

import re
import socket
import subprocess

import book
import journey
import pytest
import qemu
from guest import OUT, ROOT, TIMEOUT

TRIES = 100  # of a look at the guest, until what the host has sent is there
PORT = "5007"  # of the host, in the book: `make run` forwards it to the guest's port 7
END = "over and done"


@pytest.fixture
def host():
    """host(command): what bash says. All commands go to the same one, as at a terminal."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    bash = subprocess.Popen(["timeout", str(TIMEOUT), "bash"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def type_in(command):
        print(f"{command.replace(PORT, port)}; echo {END}", file=bash.stdin, flush=True)
        return list(iter(lambda: bash.stdout.readline().rstrip("\n"), END))

    type_in.port = port
    yield type_in
    bash.stdin.close()
    bash.wait()


def test_story(boot, host):
    guest = boot(debug_exit=False, initrd=str(OUT / "initramfs.cpio"), append=qemu.with_address("", "user"), extra=(
        "-netdev", f"user,id=net0,hostfwd=tcp:127.0.0.1:{host.port}-:7", "-device", "e1000,netdev=net0,romfile="))
    prompt = re.escape(book.SHELL_PROMPT)
    guest.expect(prompt)

    def at_the_guest(command):
        guest.settle()  # what the command before has started, too, is where it stays
        guest.send(command + "\r")
        guest.expect(prompt)
        return guest.child.before.splitlines()

    before = book.SHELL_PROMPT
    for block, who, command, answer in book.story():
        guest.settle()
        for _ in range(TRIES if before == book.HOST_PROMPT else 1):
            said = host(command) if who == book.HOST_PROMPT else at_the_guest(command)
            missing = book.missing_part(book.parts_of(answer), [book.shape(line) for line in said])
            if missing is None:
                break
        assert missing is None, f"{block}: {command}: it does not say\n" + "\n".join([*missing, "but", *said])
        before = who


def test_one_packet():
    """On all pages it has the same address, and so have those it meets."""
    lines = [line for block in book.all_blocks("console") if block.page in book.JOURNEY for line in block.lines]
    for what in (r"\bskb=(0x\w+)", r"\bsock=(\d+)", r"\bep=(0x\w+)", r"\becho_epoll:(\d+)", r"sched_wakeup +pid=(\d+)",
                 r"socket:\[(\d+)\] ready"):
        found = {match.group(match.lastindex or 0) for line in lines for match in re.finditer(what, line)}
        assert len(found) <= 1, f"{what}: {found}"


@pytest.mark.parametrize("step", journey.STEPS, ids=lambda step: str(step.number))
def test_step_has_its_page(step):
    """It names the function that does the step, shows its line of the trace, and leads to its neighbours."""
    page = book.JOURNEY[step.number]
    text = page.read_text(encoding="utf-8")
    assert page.name.startswith(f"{step.number}-") and text.startswith(f"# Step {step.number}: ")
    assert f"{step.file}:{step.function}`" in text, "it does not name the function that does it"
    assert step.event in "\n".join(line for block in book.blocks(page, "console") for line in block.lines)
    neighbours = {other.name for other in book.JOURNEY[1:][max(0, step.number - 2):step.number + 1]} - {page.name}
    assert neighbours | {"README.md"} <= set(book.links(page))


def test_every_page_is_a_step():
    assert len(book.JOURNEY) == 1 + len(journey.STEPS)
    assert (ROOT / "docs/journey/README.md").exists()
