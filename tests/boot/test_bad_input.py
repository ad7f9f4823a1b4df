# SPDX-License-Identifier: MIT
"""What a user can get wrong at boot: each has a clear message and a defined end, none hangs."""

import re
import shutil
import subprocess

import pytest
import qemu
from guest import KERNELS


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """A good initramfs, to be damaged: a newc archive with a directory and two files."""
    folder = tmp_path_factory.mktemp("initramfs")
    (folder / "etc").mkdir()
    (folder / "etc" / "motd").write_text("hello\n" * 40)
    (folder / "readme").write_text("x" * 100)
    names = ".\netc\netc/motd\nreadme\n"
    return subprocess.run(["cpio", "--quiet", "-o", "-H", "newc"], cwd=folder, input=names.encode(),
                          stdout=subprocess.PIPE, check=True).stdout


# name, how to damage the archive
DAMAGE = {
    "garbage": lambda good: b"This is not an archive. " * 50,
    "one-byte": lambda good: b"0",
    "header-cut": lambda good: good[:100],
    "data-cut": lambda good: good[:len(good) // 2],
    "no-trailer": lambda good: good[:good.rindex(b"070701")],
    "size-not-hex": lambda good: good[:54] + b"zzzzzzzz" + good[62:],
    "size-huge": lambda good: good[:54] + b"FFFFFFFF" + good[62:],
    "name-huge": lambda good: good[:94] + b"FFFFFFFF" + good[102:],
}


def test_no_initramfs(boot):
    guest = boot()
    guest.expect("initramfs: none given")
    guest.expect(r"boot: ready in \d+ us")


@pytest.mark.parametrize("damage", DAMAGE)
def test_corrupt_initramfs(boot, archive, tmp_path, damage):
    initrd = tmp_path / "initramfs.cpio"
    initrd.write_bytes(DAMAGE[damage](archive))
    guest = boot(initrd=str(initrd))
    guest.expect(r"initramfs: corrupt at byte \d+: \w+")


def test_good_initramfs_is_not_called_corrupt(boot, archive, tmp_path):
    initrd = tmp_path / "initramfs.cpio"
    initrd.write_bytes(archive)
    guest = boot(initrd=str(initrd))
    guest.expect(r"boot: ready in \d+ us")
    assert "corrupt" not in guest.log() and "none given" not in guest.log()


def test_initramfs_of_zeroes_is_empty(boot, tmp_path):
    """As on Linux, zeroes are what may stand between archives."""
    initrd = tmp_path / "initramfs.cpio"
    initrd.write_bytes(bytes(10000))
    guest = boot(initrd=str(initrd))
    guest.expect("initramfs: 0 entries, 0 KiB")
    guest.expect("panic: no init found")


@pytest.mark.parametrize("size, said", [
    (36, "initramfs: too big for this machine: no room for big; "),
    (62, r"panic: not enough memory: .*initramfs"),
    (80, r"panic: not enough memory: an initramfs of \d+ KiB in \d+ KiB of RAM"),
])
def test_initramfs_too_big(boot, tmp_path, size, said):
    big = tmp_path / "big"
    with open(big, "wb") as file:
        file.truncate(size << 20)
    initrd = tmp_path / "initramfs.cpio"
    with open(initrd, "wb") as archive:
        subprocess.run(["cpio", "--quiet", "-o", "-H", "newc"], cwd=tmp_path, input=b"big", stdout=archive, check=True)
    boot(initrd=str(initrd), mem="64M").expect(said)


@pytest.mark.parametrize("mem", ["4M", "8M", "12M"])
def test_too_little_memory(boot, mem):
    guest = boot(mem=mem)
    guest.expect("panic: not enough memory")
    assert guest.wait_exit() == qemu.EXIT_FAILURE


def test_unknown_option_is_named_once(boot):
    guest = boot(append="foo=1 bar")
    guest.expect("cmdline: unknown option 'foo'")
    guest.expect("cmdline: unknown option 'bar'")
    guest.expect(r"boot: ready in \d+ us")
    assert guest.log().count("unknown option") == 2


@pytest.mark.parametrize("name", ["pollux", "my kernel.elf", "a folder/in a/house/pollux.elf", "x=y/pollux"])
def test_file_name_is_no_option(boot, tmp_path, monkeypatch, name):
    """QEMU puts the kernel's name in front of the command line."""
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(KERNELS["release"], tmp_path / name)
    monkeypatch.chdir(tmp_path)
    guest = boot(kernel=name, append="foo init=/a/b.elf -- /c/d")
    guest.expect(r"boot: ready in \d+ us")
    assert re.findall("option '(.*)'", guest.log()) == ["foo"]


def test_overlong_command_line(boot):
    guest = boot(append="x" * 3000)
    guest.expect(r"boot: ready in \d+ us")


@pytest.mark.parametrize("extra", [("-nic", "none"), ("-nodefaults",), ("-vga", "none", "-nic", "none")])
def test_missing_devices(boot, extra):
    """No network card, no devices beyond the board's own, no screen."""
    guest = boot(extra=extra)
    guest.expect(r"boot: ready in \d+ us")
