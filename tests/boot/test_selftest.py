# SPDX-License-Identifier: MIT
"""The tests inside the kernel: each line that it prints about one is a result of its own."""

import re

import pytest
import qemu
from guest import ROOT

RESULT = re.compile(r"selftest: (\S+) \.\.\. (?:ok|FAILED: ?(.*))$", re.M)
SUMMARY = re.compile(r"selftest: (\d+) passed, (\d+) failed")


def kernel_selftests():
    """The names of those that a plain `selftest` runs."""
    names = []
    for source in sorted(ROOT.glob("kernel/**/*.c")):
        names += re.findall(r"^SELFTEST\((\w+)\)", source.read_text(encoding="utf-8"), re.M)
    return names


def run_selftests(boot, subtest, **options):
    guest = boot(**options)
    status = guest.wait_exit(timeout=600)
    log = guest.log()
    results = RESULT.findall(log)
    for name, failure in results:
        subtest(name, failure and f"{failure}\n{guest.report()}")

    summary = SUMMARY.search(log)
    assert summary, "the self-tests did not come to their end"
    passed, failed = map(int, summary.groups())
    assert (passed + failed, failed) == (len(results), 0)
    assert passed > 0
    assert status == qemu.EXIT_SUCCESS
    return guest


@pytest.mark.parts.with_args(kernel_selftests)
@pytest.mark.parametrize("smp", [1, 4])
@pytest.mark.parametrize("build", ["release", "debug"])
def test_all(request, boot, subtest, build, smp):
    picked = ",".join(getattr(request.node, "parts", ()))
    run_selftests(boot, subtest, build=build, smp=smp, append=f"selftest={picked}".rstrip("="))


@pytest.mark.parametrize("smp", [2, 8])
def test_stress(boot, subtest, smp):
    run_selftests(boot, subtest, smp=smp, append="selftest=sched,wait")


def test_unknown_selftest_fails(boot):
    """A misspelt name must not look like success."""
    guest = boot(append="selftest=no-such-test")
    guest.expect("selftest: 0 passed, 1 failed")
    assert guest.wait_exit() == qemu.EXIT_FAILURE
