# SPDX-License-Identifier: MIT
"""A live guest and its wire, shared by the tests that run on the same kind of machine."""

import os

import pytest
import wire as wires
from guest import OUT

# `make fuzz` and `make soak` try the others, too.
MACHINES = [(1, "release"), (4, "debug")]
if os.environ.get("FUZZ") or os.environ.get("SOAK"):
    MACHINES += [(1, "debug"), (4, "release")]


@pytest.fixture(scope="session", params=MACHINES, ids=lambda machine: f"smp{machine[0]}-{machine[1]}")
def shared_wire(request):
    if not wires.is_possible():
        pytest.skip("a tap device takes root")
    smp, build = request.param
    wire = wires.Wire(OUT / "test-logs" / "wire" / f"smp{smp}-{build}", smp=smp, build=build)
    yield wire
    complaints = wire.judge()
    log = wire.guest.log()
    wire.close()
    assert not complaints, f"{wire.log_dir}/wire.pcap:\n{complaints}"
    assert "panic" not in log and "BUG" not in log, wire.guest.report()


@pytest.fixture
def wire(request, shared_wire):
    request.node.guests = [shared_wire.guest]
    return shared_wire
