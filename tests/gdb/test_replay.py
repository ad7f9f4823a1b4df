# SPDX-License-Identifier: MIT
"""make record, make replay: a recorded run, played again for gdb, is the same run, in both directions."""

import re
import subprocess

import book
import pytest
from guest import KERNELS, OUT, ROOT, TIMEOUT

MACHINE = (KERNELS["release"], OUT / "initramfs.cpio")


def run(*words):
    return subprocess.run([ROOT / "tools/replay", *words], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=TIMEOUT).stdout


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    directory = tmp_path_factory.mktemp("replay")
    assert "has the recording" in run("--record", *MACHINE, directory)
    return directory


def replay(recording, *commands):
    return run(*MACHINE, recording, "-batch", *(word for command in commands for word in ("-ex", command)))


def test_each_replay_is_the_same_run(recording):
    """To the stack's address, and to the instruction count that the clock is made of."""
    commands = ("journey 13", "continue", "px-epoll", "info registers", "px-timers", "px-runq")
    first, second = (replay(recording, *commands) for _ in range(2))
    assert re.search(r"^step 13: .*\n  struct eventpoll \* 0x\w+\n  1 events for the program$", first, re.M), first
    assert "echo_epoll" in first and first == second


def steps(text):
    """[(number, what gdb said of it)] of each step at which it stopped."""
    pieces = re.split(r"^step (\d+): ", text, flags=re.M)[1:]
    return list(zip(pieces[::2], pieces[1::2]))


def positions(text):
    return [int(number) for number in re.findall(r"^instruction (\d+)$", text, re.M)]


def test_what_the_book_shows(recording):
    """docs/debugging.md's way back of a datagram; numbers may be others."""
    shown = [block for block in book.blocks(ROOT / "docs/debugging.md", "console") if "test_replay" in block.label]
    for block in shown:
        text = replay(recording, *(line.removeprefix("(gdb) ") for line in block.lines if line.startswith("(gdb) ")))
        said, number = text.splitlines(), r"0x\w+|\d+"
        for line in block.lines:
            if not line.startswith(("(gdb) ", "$ ", "...")):
                like = re.sub(number, "N", line)
                found = [at for at, each in enumerate(said) if re.sub(number, "N", each) == like]
                assert found, f"{line}\n{text}"
                said = said[found[0] + 1:]


def test_back_from_epoll_wait_to_the_interrupt(recording):
    """From where it returns to the callback that made it return, to the card's interrupt that brought the segment; and
    forward again to the same place, where all is as it was."""
    look = ("px-when", "info registers", "px-sockets", "px-epoll", "px-bt")
    text = replay(recording, "journey 13", "continue", *look, "journey 10", "reverse-continue", "px-when", "journey 3",
                  "reverse-continue", "px-when", "backtrace", "delete 2 3", "continue", *look)
    numbers, (there, callback, interrupt, again) = zip(*steps(text))
    assert numbers == ("13", "10", "3", "13"), text
    assert re.search(r"ICR says 0x\w+: (.|\n)*#0 +e1000_interrupt (.|\n)* trap_dispatch ", interrupt), text
    assert positions(interrupt) < positions(callback) < positions(there), text
    assert again.strip() and there.startswith(again), text


def test_back_by_a_step(recording):
    """Forward by one and back by one is where one was, with gdb's own commands; from the first line to the call."""
    text = replay(recording, "break ep_poll", "continue", "px-when", "next", "next", "px-when", "next", "px-when",
                  "reverse-next", "px-when", "stepi", "rsi", "px-when", "nexti", "reverse-nexti", "px-when",
                  "reverse-step", "px-when", "reverse-finish", "px-when")
    call, middle, after, *back, line, before = positions(text)
    assert call < line < middle < after and set(back) == {middle} and before < call, text
    assert re.search(r"#0 .* do_epoll_wait .*\n.*ep_poll\(.*\ninstruction", text), text


def test_back_from_the_end_and_to_the_beginning(recording):
    """A breakpoint that is off is left alone; of one that is on, the commands are done once, where one comes to."""
    text = replay(recording, "continue", "continue", "px-when", "break ep_send_events", "journey 3", "disable 2", "ignore 1 1",
                  "python gdb.breakpoints()[0].commands = 'echo here\\\\n'", "reverse-continue", "px-when", "info breakpoints",
                  "delete", "reverse-continue", "px-when", "px-go 1000000", "px-when")
    assert "The recording ends here: use reverse-continue, or px-go." in text
    assert text.count("Breakpoint 1, ") == len(re.findall("^here$", text, re.M)) == 1 and "Breakpoint 2, " not in text, text
    assert re.search(r"^1 .* y .*ep_send_events(.|\n)*^2 .* n ", text, re.M), text
    assert "No more reverse-execution history" in text
    end, hit, *rest = positions(text)
    assert hit < end and rest == [0, 1000000], text


def test_without_a_recording(tmp_path):
    assert run(*MACHINE, tmp_path) == "replay: there is no recording: run `make record`\n"
