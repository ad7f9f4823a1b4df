# SPDX-License-Identifier: MIT
"""Random calls. Sensible ones (random_calls.c, epoll_random.c) must have the same results on Linux and on Pollux; whatever
the hostile ones (hostile.c) do, the kernel lives. `make fuzz FUZZ=1000` tries more of all."""

import os
import re

import pytest
import sys_programs

FUZZ = int(os.environ.get("FUZZ") or 0)
STEPS = 2000
SEEDS_PER_BOOT = 20
GRAPHS_PER_BOOT = 10
BATCHES = 1 + FUZZ // SEEDS_PER_BOOT
ROUNDS = 20 + FUZZ


def first_difference(boot, program):
    """The calls around it, from a second run that prints them all."""
    words = f"{program},log"
    return sys_programs.difference(sys_programs.on_linux(words), sys_programs.on_pollux(boot, words), 20)[:4000]


def compare(boot, subtest, programs, **machine):
    words = ":".join(programs)
    linux = dict(sys_programs.outputs(sys_programs.on_linux(words)))
    pollux = dict(sys_programs.outputs(sys_programs.on_pollux(boot, words, **machine)))
    for program in programs:
        assert re.search(rf"^step {program.split(',')[2]}: ", linux[program], re.M), linux[program]
        same = linux[program] == pollux.get(program)
        subtest(f"sys/{program}", None if same else first_difference(boot, program))


@pytest.mark.parametrize("batch", range(BATCHES))
def test_same_as_linux(boot, subtest, batch):
    seeds = range(1 + batch * SEEDS_PER_BOOT, 1 + (batch + 1) * SEEDS_PER_BOOT)
    compare(boot, subtest, [f"random_calls,{seed},{STEPS}" for seed in seeds], build="debug", smp=2)


@pytest.mark.parametrize("batch", range(BATCHES))
@pytest.mark.parametrize("smp", [1, 4])
@pytest.mark.parametrize("build", ["release", "debug"])
def test_events_same_as_linux(boot, subtest, build, smp, batch):
    """Random graphs of eventpolls, pipes and sockets, event by event."""
    seeds = range(1 + batch * GRAPHS_PER_BOOT, 1 + (batch + 1) * GRAPHS_PER_BOOT)
    compare(boot, subtest, [f"epoll_random,{seed},1000" for seed in seeds], build=build, smp=smp)


@pytest.mark.parametrize("smp", [1, 4])
@pytest.mark.parametrize("build", ["release", "debug"])
def test_hostile(boot, build, smp):
    words = f"hostile,{smp},{ROUNDS}"
    output = sys_programs.on_pollux(boot, words, timeout=600 + 2 * ROUNDS, build=build, smp=smp)
    assert f"{ROUNDS} rounds" in output
    assert not sys_programs.leaks(output, words)
