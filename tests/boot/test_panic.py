# SPDX-License-Identifier: MIT
"""A kernel that breaks says so once, with registers and a backtrace that has names, and ends."""

import re

import pytest
import qemu

REGISTERS = "rip rsp rflags cs ss rax rbx rcx rdx rsi rdi rbp r8 r9 r10 r11 r12 r13 r14 r15 cr2 cr3".split()

# kernel self-test that breaks it, what the panic says, which function the backtrace must name (a
# compiler may have renamed it: name.isra.0)
EXCEPTIONS = [
    ("panic_null", "page fault: write of 0x0+,", "selftest_panic_null"),
    ("panic_text", "page fault: write of 0xffffffff80", "selftest_panic_text"),
    ("panic_exec", "page fault: execution of 0xffffffff80", "first_thread"),
    ("panic_stack", "stack", "recurse"),
    ("panic_assert", "assertion failed", "selftest_panic_assert"),
]
OTHERS = ["corrupt_stack_panics", "bad_message_panics"]
IN_DEBUG_BUILDS = ["lockdep_panics", "stuck_spinlock_panics"]


def panic_of(guest):
    """What a guest that must break prints from the panic on."""
    assert guest.wait_exit() == qemu.EXIT_FAILURE
    log = guest.log()
    assert len(re.findall(r"\bpanic:", log)) == 1
    return log[log.index("panic:"):]


@pytest.mark.parametrize("build", ["release", "debug"])
@pytest.mark.parametrize("smp", [1, 4])
@pytest.mark.parametrize("name,message,function", EXCEPTIONS, ids=[row[0] for row in EXCEPTIONS])
def test_exception(boot, build, smp, name, message, function):
    text = panic_of(boot(build=build, smp=smp, append=f"selftest={name}"))
    assert re.match(rf"panic: .*{message}", text)
    assert re.search(rf"backtrace:\n(.*\n)*.*\b{function}(\.\w+)*\+0x[0-9a-f]+", text)
    if name != "panic_assert":
        assert [r for r in REGISTERS if not re.search(rf"\b{r}\s+[0-9a-f]", text)] == []


@pytest.mark.parametrize("name", OTHERS + IN_DEBUG_BUILDS)
def test_other_ends(boot, name):
    panic_of(boot(build="debug", smp=2, append=f"selftest={name}"))


@pytest.mark.parametrize("build", ["release", "debug"])
def test_everyone_panics_one_is_heard(boot, build):
    panic_of(boot(build=build, smp=8, append="selftest=everyone_panics"))


def test_without_debug_exit_it_halts(boot):
    guest = boot(debug_exit=False, append="selftest=panic_null")
    guest.expect(r"selftest_panic_null\+0x")
    guest.expect("halted")


def test_it_can_reboot_instead(boot):
    """QEMU is run with -no-reboot: a reset ends it."""
    guest = boot(debug_exit=False, append="panic=-1 selftest=panic_null")
    guest.expect(r"selftest_panic_null\+0x")
    assert guest.wait_exit() == qemu.EXIT_POWEROFF
