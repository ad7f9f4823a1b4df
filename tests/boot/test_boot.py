# SPDX-License-Identifier: MIT
"""The ways in: -kernel, a CD, a disk; sizes of memory, numbers and models of processors."""

import re
import subprocess

import pytest
import qemu
import sys_programs
from guest import OUT, PROMPT

READY = r"boot: ready in (\d+) us"


def mib_usable(guest):
    return int(guest.expect(r"memory: (\d+) MiB").group(1))


@pytest.mark.parametrize("build", ["release", "debug"])
def test_banner(boot, build):
    guest = boot(build=build)
    banner = guest.expect(r"Pollux \d+\.\d+[^\r\n]*\r\n").group()
    assert build in banner
    assert re.search(r"gcc|GCC|clang|\d+\.\d+\.\d+", banner)
    guest.expect(READY)


@pytest.mark.parametrize("mem", [64, 128, 1024, 4096, 16384])
def test_memory_sizes(boot, mem):
    """16 GiB has memory above the PCI hole. The kernel and its tables may cost a tenth at most."""
    guest = boot(mem=f"{mem}M", append="selftest=mm")
    assert mem * 0.9 - 8 <= mib_usable(guest) <= mem
    guest.expect(READY)
    assert guest.wait_exit() == qemu.EXIT_SUCCESS


@pytest.mark.parametrize("smp", [1, 2, 3, 4, 8])
def test_cpus_online(boot, smp):
    guest = boot(smp=smp)
    assert int(guest.expect(r"cpus: (\d+) online").group(1)) == smp
    guest.expect(READY)


@pytest.mark.parametrize("cpu", ["qemu64", "max,-smep,-smap,-umip", "max,-invtsc,-rdtscp"])
def test_plain_processors(boot, cpu):
    """What the processor lacks is not used: by traps, page tables, clocks, and the switch from one to the next."""
    guest = boot(cpu=cpu, smp=2, append="selftest=cpu,uaccess,mm,vm_clone,smp,timer,idle,sched_slices,trace")
    assert guest.wait_exit() == qemu.EXIT_SUCCESS


def test_programs_on_a_plain_processor(boot):
    """Without XSAVE and FSGSBASE, too, each thread has its own registers."""
    words = "fpu:threads,ids_and_local_storage"
    output = sys_programs.on_pollux(boot, words, cpu="qemu64", smp=2)
    assert not sys_programs.difference(sys_programs.on_linux(words), output)


def iso_drive(kind):
    """The ISO behind one of the two doors a PC has for it."""
    iso = OUT / "pollux.iso"
    if kind == "cd":
        return "-cdrom", str(iso), "-boot", "d"
    return "-drive", f"file={iso},format=raw,if=ide,snapshot=on", "-boot", "c"


@pytest.mark.parametrize("kind", ["cd", "disk"])
def test_iso_boots(boot, kind):
    guest = boot(kernel=None, debug_exit=False, extra=("-nic", "none", *iso_drive(kind)))
    guest.expect(r"initramfs: \d+ entries")
    guest.expect(READY)
    guest.expect("/root # ")


def test_iso_with_the_kernel_alone(boot):
    guest = boot(kernel=None, debug_exit=False, extra=("-nic", "none", *iso_drive("cd")))
    guest.expect("the kernel alone")
    guest.send("k")
    guest.expect(PROMPT)


def test_iso_runs_self_tests_from_the_menu(boot):
    """An entry of GRUB's menu, chosen by its key over the serial line; then power is off."""
    guest = boot(kernel=None, debug_exit=False, extra=("-nic", "none", *iso_drive("cd")))
    guest.expect("self-tests, then power off")
    guest.send("t")
    assert int(guest.expect(r"selftest: (\d+) passed, 0 failed").group(1)) > 0
    assert guest.wait_exit() == qemu.EXIT_POWEROFF


def test_image_is_multiboot():
    subprocess.run(["grub-file", "--is-x86-multiboot", OUT / "pollux.elf"], check=True)


def test_banner_is_on_the_screen(boot):
    """VGA text memory: a character and an attribute a cell, 80 cells a row."""
    guest = boot()
    guest.expect(READY)
    with guest.qmp() as qmp:
        dump = str(guest.log_path.with_name("vga"))
        qmp.execute("pmemsave", val=0xB8000, size=80 * 25 * 2, filename=dump)
    with open(dump, "rb") as file:
        assert b"boot: ready in" in file.read()[::2]
