# SPDX-License-Identifier: MIT
"""Boot after boot: what goes wrong one time in many. `make soak SOAK=1000` for more."""

import os

import pytest

ROUNDS = int(os.environ.get("SOAK") or "10")


@pytest.mark.parametrize("round_number", range(ROUNDS))
def test_soak(boot, round_number):
    smp = (1, 2, 4, 8)[round_number % 4]
    guest = boot(smp=smp)
    guest.expect(rf"cpus: {smp} online")
    guest.expect(r"boot: ready in \d+ us")
