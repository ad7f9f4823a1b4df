# SPDX-License-Identifier: MIT
"""Random calls. Sensible ones (random_calls.c) must have the same results on Linux and on Pollux; whatever
the hostile ones (hostile.c) do, the kernel lives. `make fuzz FUZZ=1000` tries more of both."""

import os
import re

import pytest
import sys_programs

FUZZ = int(os.environ.get("FUZZ") or 0)
STEPS = 2000
SEEDS_PER_BOOT = 20
BATCHES = 1 + FUZZ // SEEDS_PER_BOOT
ROUNDS = 20 + FUZZ


def first_difference(boot, seed):
    """The calls around it, from a second run that prints them all."""
    words = f"random_calls,{seed},{STEPS},log"
    return sys_programs.difference(sys_programs.on_linux(words), sys_programs.on_pollux(boot, words), 20)[:4000]


@pytest.mark.parametrize("batch", range(BATCHES))
def test_same_as_linux(boot, subtest, batch):
    seeds = range(1 + batch * SEEDS_PER_BOOT, 1 + (batch + 1) * SEEDS_PER_BOOT)
    words = ":".join(f"random_calls,{seed},{STEPS}" for seed in seeds)
    linux = dict(sys_programs.outputs(sys_programs.on_linux(words)))
    pollux = dict(sys_programs.outputs(sys_programs.on_pollux(boot, words, build="debug", smp=2)))
    for seed in seeds:
        program = f"random_calls,{seed},{STEPS}"
        assert re.search(rf"^step {STEPS}: ", linux[program], re.M), linux[program]
        same = linux[program] == pollux.get(program)
        subtest(f"sys/random_calls::{seed}", None if same else first_difference(boot, seed))


@pytest.mark.parametrize("smp", [1, 4])
@pytest.mark.parametrize("build", ["release", "debug"])
def test_hostile(boot, build, smp):
    words = f"hostile,{smp},{ROUNDS}"
    output = sys_programs.on_pollux(boot, words, timeout=600 + 2 * ROUNDS, build=build, smp=smp)
    assert f"{ROUNDS} rounds" in output
    assert not sys_programs.leaks(output, words)
