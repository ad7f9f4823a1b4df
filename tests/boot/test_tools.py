# SPDX-License-Identifier: MIT
"""The front door itself: make's targets, the checks of the sources, the launcher."""

import os
import re
import shutil
import socket
import subprocess
import sys

import pexpect
import pytest
import qemu
from guest import OUT, ROOT, TIMEOUT


def run(*words, **options):
    return subprocess.run(words, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=600, **options)


def make(*words):
    return run("make", f"O={OUT}", *words)


def test_help_lists_the_targets():
    text = make("help").stdout
    for target in ("run", "test", "check", "iso", "gdb", "bench", "trace", "demo", "soak", "fuzz", "setup", "clean", "help"):
        assert f"make {target} " in text


@pytest.mark.parametrize("target", ["soak", "fuzz"])
def test_the_long_targets_name_files_of_tests(target):
    (names,) = re.findall("--only '([^']*)'", make("-n", target).stdout)
    assert names.split() and not [name for name in names.split() if not (ROOT / name).is_file()]


def test_nothing_is_rebuilt_without_a_change():
    assert make("all").returncode == 0
    assert make("all").stdout == ""


def test_symbol_table_names_functions():
    table = (OUT / "ksyms.full.S").read_text()
    assert '"kernel_main"' in table and '"panic"' in table


@pytest.mark.skipif(not shutil.which("clang"), reason="no clang here")
def test_clang_builds_a_kernel_that_works(boot):
    built = run("make", f"O={OUT}/clang", "CC=clang", "all")
    assert built.returncode == 0, built.stdout
    guest = boot(kernel=str(OUT / "clang" / "pollux.elf"), smp=2, append="selftest")
    assert guest.wait_exit(timeout=600) == qemu.EXIT_SUCCESS


# what is included by whom, and whether that is a violation
INCLUDES = [
    ("fs/eventpoll.c", "<net/tcp.h>", True),
    ("fs/eventpoll.c", "<kernel/wait.h>", False),
    ("fs/eventpoll.c", '"eventpoll.h"', True),
    ("net/tcp.c", "<fs/eventpoll.h>", True),
    ("net/tcp.c", "<fs/file.h>", False),
    ("net/tcp.c", "<drivers/e1000.h>", True),
    ("drivers/e1000.c", "<net/netdev.h>", False),
    ("kernel/lib/list.h", "<kernel/printk.h>", True),
    ("kernel/lib/rbtree.c", "<kernel/lib/rbtree.h>", False),
    ("kernel/cpu/apic.c", "<kernel/mm/page.h>", True),
    ("kernel/cpu/apic.c", "<kernel/printk.h>", False),
    ("kernel/mm/page.c", "<kernel/sched.h>", True),
    ("kernel/sched.c", "<fs/file.h>", True),
    ("fs/file.c", "<kernel/process.h>", False),
    ("fs/file.c", "<kernel/process/fork.h>", True),
    ("kernel/main.c", "<drivers/uart.h>", False),
]


@pytest.mark.parametrize("path,included,is_violation", INCLUDES)
def test_layering(tmp_path, path, included, is_violation):
    source = tmp_path / path
    source.parent.mkdir(parents=True)
    source.write_text(f"#include {included}\n")
    result = run("tools/check-layering", str(tmp_path))
    assert (result.returncode != 0) == is_violation, result.stdout
    assert (path in result.stdout) == is_violation


@pytest.mark.parametrize("line", ["int a; ", "// TODO: later", "#if 0", 'open("/home/me/x");'])
def test_hygiene(tmp_path, line):
    file = tmp_path / "bad.c"
    file.write_text(line + "\n")
    result = run("tools/check-hygiene", str(file))
    assert result.returncode != 0 and "bad.c:1:" in result.stdout


def test_hygiene_of_what_a_test_left(tmp_path):
    (tmp_path / "left").touch()
    result = run("tools/check-hygiene", str(tmp_path / "left"))
    assert result.returncode != 0 and "left: an empty file" in result.stdout


def test_lengths(tmp_path):
    (tmp_path / "kernel").mkdir()
    (tmp_path / "kernel" / "long.c").write_text("void f(void)\n{\n" + "\tg();\n" * 200 + "}\n")
    result = subprocess.run([ROOT / "tools/check-lengths"], cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert result.returncode != 0 and "long.c:1: void f(void): 202 lines" in result.stdout


def test_busy_port_is_replaced_by_the_next_free_one():
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]
        result = run("make", f"O={OUT}", "run", f"FWD={port}:80", "APPEND=selftest=no-such-test", "MEM=128M")
    assert f"({port} is busy) is the guest's port 80" in result.stdout
    assert "run: no terminal to type at: APP='COMMAND' runs one command and ends" in result.stdout
    assert "Pollux" in result.stdout


def in_a_terminal(*words):
    return pexpect.spawn("make", [f"O={OUT}", *words], cwd=ROOT, encoding="utf-8", codec_errors="replace", timeout=TIMEOUT)


def ends(terminal):
    terminal.expect(pexpect.EOF)
    terminal.close()
    return terminal.exitstatus


def test_from_make_run_to_an_answered_echo():
    """As one who types: the banner says where, what is sent there comes back, and `poweroff` leaves."""
    terminal = in_a_terminal("run", "FWD=5407:7")
    terminal.expect(r"port (\d+) +udp_echo echo_epoll +\(there: nc 127\.0\.0\.1 (\d+), and what you type comes back\)")
    shown, port = terminal.match.groups()
    terminal.expect("/root # ")
    with socket.create_connection(("127.0.0.1", int(port)), TIMEOUT) as client:
        client.sendall(b"hello\n")
        assert client.makefile().readline() == "hello\n" and shown == port
    terminal.sendline("poweroff")
    assert ends(terminal) == 0


def test_ctrl_a_x_leaves():
    terminal = in_a_terminal("run", "INITRD=", "NET=none")
    terminal.expect("pollux> ")
    terminal.send("\x01x")
    assert ends(terminal) == 0


def test_ctrl_c_is_for_gdb():
    """It stops the guest; gdb and the guest go on."""
    terminal = in_a_terminal("gdb", "INITRD=", "GDB_ARGS=-nx -ex 'set confirm off' -ex 'set style enabled off'")
    for line, answer in (("continue", "Continuing."), ("\x03", "received signal SIGINT"), ("print 6 * 7", "= 42")):
        terminal.send(line + "\n" * (line != "\x03"))
        terminal.expect(answer)
    terminal.sendline("quit")
    ends(terminal)  # make, which saw Ctrl-C, too, does not call that a success


def test_app_is_the_main_job(tmp_path):
    program = tmp_path / "hello"
    program.write_text("#!/bin/sh\necho hello, $1; exit 3\n", encoding="utf-8")
    program.chmod(0o755)
    output = run("make", f"O={OUT}", "run", f"APP={program} you", "MEM=128M").stdout
    assert "hello, you" in output and "hello you: exit 3" in output and "Some things to try" not in output


@pytest.mark.parametrize("setting,message", [
    ("APP=echo \"1\"", "run: APP: use single quotes in it, no double ones"),
    ("NET=carrier-pigeon", "run: NET=carrier-pigeon: must be user, tap or none"),
    ("INITRD=/nowhere", "run: /nowhere does not exist"),
    ("SMP=many", "run: SMP=many: must be a number from 1 to 64"),
])
def test_launcher_errors_are_one_line(setting, message):
    result = make("run", setting)
    assert result.returncode != 0
    assert any(line.startswith(message) for line in result.stdout.splitlines()), result.stdout


KERNEL, INITRD = OUT / "pollux.elf", OUT / "initramfs.cpio"
RUN, DEBUG = ("tools/run", KERNEL), ("tools/run", "--gdb", "tools/gdb/pollux.py", KERNEL)
DEMO, TRACE = ("tools/demo", KERNEL, INITRD), ("tools/trace", KERNEL, INITRD, OUT / "never.html")
RECORD, REPLAY = ("tools/replay", "--record", KERNEL, INITRD, OUT / "no-replay"), ("tools/replay", KERNEL, INITRD, "FOLDER")


def refusal(words, path=None, **settings):
    """What a tool says that cannot do what it should: one line, and it fails."""
    result = run(*map(str, words), env={**os.environ, "INITRD": str(INITRD), "PATH": str(path or os.environ["PATH"]), **settings})
    *before, last = result.stdout.splitlines()
    assert result.returncode != 0 and "Traceback" not in result.stdout and (not before or words[0] == DEMO[0]), result.stdout
    return last


@pytest.mark.parametrize("setting,message", [
    ("SMP=0", "must be a number from 1 to 64"),
    ("SMP=65", "must be a number from 1 to 64"),
    ("SMP=\N{SUPERSCRIPT TWO}", "must be a number from 1 to 64"),
    ("MEM=much", "must be a size from 4M to 1T, such as 256M"),
    ("MEM=0", "must be a size from 4M to 1T, such as 256M"),
    ("MEM=1K", "must be a size from 4M to 1T, such as 256M"),
    ("MEM=-5", "must be a size from 4M to 1T, such as 256M"),
    ("MEM=9999999999G", "must be a size from 4M to 1T, such as 256M"),
    ("ACCEL=warp", "must be tcg or kvm"),
    ("FWD=80:99999", "must be HOST-PORT:GUEST-PORT"),
    ("FWD=99999:80", "must be HOST-PORT:GUEST-PORT"),
    ("FWD=80:0", "must be HOST-PORT:GUEST-PORT"),
])
def test_bad_settings_are_one_line(setting, message):
    assert refusal(RUN, **dict([setting.split("=")])) == f"run: {setting}: {message}"


def test_an_initramfs_that_is_no_file(tmp_path):
    assert refusal(RUN, INITRD=str(tmp_path)) == f"run: {tmp_path} is no file that can be read"
    assert refusal((*DEMO[:2], tmp_path)) == f"demo: {tmp_path} is no file that can be read"


@pytest.fixture
def few_programs(tmp_path):
    """A PATH that has little: what a tool starts with."""
    (tmp_path / "env").symlink_to(shutil.which("env"))
    (tmp_path / "python3").symlink_to(sys.executable)
    return tmp_path


@pytest.mark.parametrize("words", [RUN, DEBUG, DEMO, TRACE, RECORD], ids=["run", "gdb", "demo", "trace", "record"])
def test_without_qemu(few_programs, words):
    name = "replay" if words == RECORD else words[0].removeprefix("tools/")
    assert refusal(words, path=few_programs) == f"{name}: qemu-system-x86_64 is not installed: run `make setup`"


def test_without_gdb(few_programs):
    (few_programs / "qemu-system-x86_64").symlink_to(shutil.which("qemu-system-x86_64"))
    assert refusal(DEBUG, path=few_programs) == "run: gdb is not installed: run `make setup`"
    (few_programs / "run.replay").touch()
    assert refusal((*REPLAY[:-1], few_programs), path=few_programs) == "replay: gdb is not installed: run `make setup`"


def test_recordings_that_cannot_be_played(tmp_path):
    (tmp_path / "run.replay").write_bytes(b"this is none" * 100)
    result = run(*map(str, (*REPLAY[:-1], tmp_path, "-batch", "-ex", "continue")))
    assert result.returncode != 0 and "Traceback" not in result.stdout
    assert "replay: QEMU does not play this recording, record another by `make record`; what QEMU said:\n" \
        "Replay: invalid input log file version\n" in result.stdout
    os.utime(tmp_path / "run.replay", (0, 0))
    assert refusal((*REPLAY[:-1], tmp_path)) == \
        "replay: what is recorded is not this kernel and its programs, they are newer: run `make record`"


def test_where_nothing_can_be_written(tmp_path):
    (tmp_path / "file").touch()
    assert refusal((*RECORD[:-1], tmp_path / "file/replay")) == f"replay: {tmp_path}/file/replay: Not a directory"


@pytest.mark.parametrize("tool", [("tools/bench",), ("tools/run-tests", "check")], ids=["bench", "test"])
def test_a_bad_filter_is_one_line(tool):
    assert refusal((*tool, "--filter", "[")).startswith("T=[: no regular expression: ")


def test_ports_that_nobody_may_have(monkeypatch):
    monkeypatch.setattr(qemu, "port_is_free", lambda port: False)
    with pytest.raises(qemu.Unusable, match="of 127.0.0.1's ports from 65530 none can be had"):
        qemu.free_port(65530)


def test_tap_is_there_while_the_command_runs():
    if not (os.access("/dev/net/tun", os.W_OK) and os.geteuid() == 0):
        pytest.skip("no right to make a tap device here")
    isolated = ("unshare", "--net", "sh", "-c")
    inside = "ip -brief address show pollux-test"
    result = run(*isolated, f"tools/tap pollux-test 10.9.8.1/24 {inside}; {inside}")
    assert "10.9.8.1/24" in result.stdout
    assert "does not exist" in result.stdout.splitlines()[-1]


@pytest.mark.parametrize("uid,message", [
    (1000, "tap: making a tap device needs root or sudo: be root, or use NET=user"),
    (0, "tap: this machine does not let us make a tap device (no right): use NET=user"),
])
def test_no_right_to_make_a_tap_is_one_line(tmp_path, uid, message):
    for name, body in (("id", f"echo {uid}"), ("ip", "echo no right >&2; exit 2")):
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    result = run("tools/tap", "pollux-test", "10.9.8.1/24", "echo", "it ran", env={"PATH": str(tmp_path)})
    assert (result.returncode, result.stdout) == (1, message + "\n")


def test_setup_finds_nothing_missing():
    result = run("tools/setup", "test")
    assert (result.returncode, result.stdout) == (0, "")
