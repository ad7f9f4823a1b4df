# SPDX-License-Identifier: MIT
"""Fixtures, the report of a guest's serial log, the name filter and the closing counts."""

import os
import pathlib
import re
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent / "lib"))
from guest import OUT, Guest  # noqa: E402

WANTED = re.compile(os.environ.get("POLLUX_FILTER", ""))


@pytest.fixture
def boot(request):
    """boot(append=..., smp=..., ...) starts a guest that does not outlive the test."""
    name = re.sub(r"[^\w.-]+", "_", request.node.name)
    log_dir = OUT / "test-logs" / request.node.path.stem / name
    guests = request.node.guests = []

    def start(**options):
        where = log_dir / str(len(guests)) if guests else log_dir
        guests.append(Guest(where, **options))
        return guests[-1]

    yield start
    for guest in guests:
        guest.close()


@pytest.fixture
def subtest(request):
    """subtest(name, failure) reports one part of a test as a result of its own."""
    node = request.node
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def report(name, failure=None):
        result = pytest.TestReport(
            nodeid=f"{node.nodeid}::{name}", location=node.location, keywords={}, when="call",
            outcome="failed" if failure else "passed", longrepr=failure)
        with capture.global_and_fixture_disabled():
            node.ihook.pytest_runtest_logreport(report=result)

    return report


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.when == "call" and report.failed:
        for guest in getattr(item, "guests", ()):
            report.sections.append(("serial line", guest.report()))


def is_wanted(item):
    """By its own name, or by those of its parts; then it runs only those."""
    if WANTED.search(item.nodeid):
        return True
    if marker := item.get_closest_marker("parts"):
        all_parts, = marker.args
        item.parts = [name for name in all_parts() if WANTED.search(name)]
        return bool(item.parts)
    return False


def pytest_collection_modifyitems(config, items):
    wanted = [item for item in items if is_wanted(item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in wanted])
    items[:] = wanted


def pytest_unconfigure(config):
    """The last line: what tools/run-tests adds up."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter:
        count = {kind: len(reporter.stats.get(kind, ())) for kind in ("passed", "failed", "error")}
        print(f"{count['passed']} passed, {count['failed'] + count['error']} failed")
