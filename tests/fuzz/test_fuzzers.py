# SPDX-License-Identifier: MIT
"""Each fuzzer of tests/fuzz on its corpus, then on what it makes of it: the same runs each time, or for a while
(`make fuzz`). An input that breaks something stays in build/fuzz/."""

import os
import pathlib
import subprocess

import pytest
from guest import OUT

HERE = pathlib.Path(__file__).parent
NAMES = sorted(path.stem.removeprefix("fuzz_") for path in HERE.glob("fuzz_*.c"))
RUNS = 4000
FEWER = {"tcp_pair": 600}  # up to a thousand segments each
# `make fuzz` gives each of its rounds a third of a second
SECONDS = int(os.environ["FUZZ"]) // 3 + 1 if os.environ.get("FUZZ") else 0
SEED = os.environ.get("SEED") or "1"


@pytest.mark.parametrize("name", NAMES)
def test_fuzz(tmp_path, name):
    how_long = f"-max_total_time={SECONDS}" if SECONDS else f"-runs={FEWER.get(name, RUNS)}"
    command = [OUT / f"fuzz/fuzz_{name}", how_long, f"-seed={SEED}", "-max_len=4096", "-timeout=60", "-detect_leaks=0", "-verbosity=0",
               f"-artifact_prefix={OUT}/fuzz/{name}-", tmp_path, HERE / "corpus" / name]
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    assert result.returncode == 0, result.stdout[-8000:]
