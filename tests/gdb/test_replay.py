# SPDX-License-Identifier: MIT
"""make record, make replay: a recorded run, played again for gdb, is the same run."""

import re
import subprocess

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


def test_the_cause_is_found_by_a_second_replay(recording):
    """The interrupt of the card, and the sleeper on the way, are there before epoll_wait returns."""
    text = replay(recording, "journey 3", "journey 10", "journey 13", *["continue"] * 40)
    stops = re.findall(r"^step (\d+): ", text, re.M)
    assert re.search("3 (3 )*10 (3 )*13", " ".join(stops)), text


def test_without_a_recording(tmp_path):
    assert run(*MACHINE, tmp_path) == "replay: there is no recording: run `make record`\n"
