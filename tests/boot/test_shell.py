# SPDX-License-Identifier: MIT
"""A person at the shell: what `make run` boots, typed at over the serial line, and on screen and keyboard."""

import re
import time

import qemu
from guest import OUT, TIMEOUT

INITRAMFS = str(OUT / "initramfs.cpio")
# The shell asks the terminal where its cursor is; nobody answers, and it does well without.
PROMPT = r"/\w+ # (?:\x1b\[6n)?"
CTRL_C, CTRL_D, CTRL_Z, ESCAPE = "\x03", "\x04", "\x1a", "\x1b"


class Shell:
    def __init__(self, guest):
        self.guest = guest
        guest.expect(PROMPT)

    def run(self, command):
        """What it prints until the next prompt."""
        self.guest.send(command + "\r")
        self.guest.expect(re.escape(command) + "\r\n")
        return self.until_prompt()

    def until_prompt(self):
        self.guest.expect(PROMPT)
        return self.guest.child.before.replace("\r\n", "\n")

    def run_until(self, command, pattern):
        """Again and again: what it is to show takes its time."""
        deadline = time.time() + TIMEOUT
        while not re.search(pattern, output := self.run(command), re.M):
            assert time.time() < deadline, f"{command} never shows {pattern}, but: {output}"

    def start(self, command, then):
        """A command that goes on; returns when it has printed `then`. What is typed before that may
        still be the shell's."""
        self.guest.send(command + "\r")
        self.guest.expect(re.escape(command) + "\r\n")
        self.guest.expect(then)


def check_processes(shell):
    processes = shell.run("ps")
    assert re.search(r"^ +1 root +.*init$", processes, re.M)
    assert re.search(r"\[ksoftirqd/0\]$", processes, re.M)
    with_terminals = shell.run("ps -o pid,tty,comm")
    assert re.search(r"^ +\d+ 4,64 +sh$", with_terminals, re.M)
    assert re.search(r"^ +1 (\?|0,0) +init$", with_terminals, re.M)
    pgrp, session, tty, foreground = shell.run("cut -d ' ' -f 5-8 /proc/self/stat").split()
    assert tty == str(4 << 8 | 64) and foreground == pgrp != session
    shell.start("top", r"Load average: [\d.]+ .*\r\n.*PID.*COMMAND")
    shell.guest.expect(r"\d+ root +R .* top")
    shell.guest.send("q")
    shell.until_prompt()


def check_files(shell):
    listing = shell.run("ls -l /")
    assert re.search(r"^drwxr-xr-x +2 root +root .* bin$", listing, re.M)
    assert re.search(r"^drwxrwxrwt .* tmp$", listing, re.M)
    assert re.search(r"^lrwxrwxrwx .* init -> sbin/init$", listing, re.M)
    assert "127.0.0.1" in shell.run("cat /etc/hosts")
    shell.start("cat <<E > /tmp/f", "> ")
    shell.start("one $((1 + 1))", "> ")
    assert shell.run("E") == ""
    assert shell.run("cat /tmp/f") == "one 2\n"
    assert shell.run("rm /tmp/f; ls /tmp") == ""
    assert shell.run("echo a | cat /dev/stdin /dev/fd/0 > /dev/stdout; stat -c %a /dev/shm") == "a\n1777\n"
    assert shell.run("cat /nowhere; echo $?") == "cat: can't open '/nowhere': No such file or directory\n1\n"


def check_editor(shell):
    """What follows Escape at once would be taken for one key with it: so each time vi answers first."""
    shell.start("vi /tmp/note", r"- /tmp/note 1/1")
    shell.guest.send("ifirst\rsecond" + ESCAPE)
    shell.guest.expect(r"- /tmp/note \[Modified\] 2/2")
    shell.guest.send("0xOnew" + ESCAPE)
    shell.guest.expect(r"- /tmp/note \[Modified\] 2/3")
    shell.guest.send(":wq\r")
    shell.guest.expect("'/tmp/note' 3L, 16C")
    shell.until_prompt()
    assert shell.run("cat /tmp/note") == "first\nnew\necond\n"


def check_pipelines(shell):
    assert shell.run("yes | head -n 1000 | sort | uniq -c").split() == ["1000", "y"]
    assert shell.run("echo b; echo a") == "b\na\n"
    assert shell.run("(echo b; echo a) | sort | tr a-z A-Z") == "A\nB\n"
    assert shell.run("seq 2000 | tail -n 1") == "2000\n"
    assert shell.run("yes | head -n 200000 | wc -l | cat; echo $?") == "200000\n0\n"
    held = shell.run("ls -l /proc/self/fd 2> /dev/null | cat")
    assert re.search(r" 0 -> /dev/tty$", held, re.M)
    assert re.search(r" 1 -> pipe:\[\d+\]$", held, re.M)
    assert re.search(r" 2 -> /dev/null$", held, re.M)


def check_jobs(shell):
    shell.run("sleep 100 &")
    assert re.search(r"^\[1\]\+  Running +sleep 100$", shell.run("jobs"), re.M)
    shell.run("kill %1")
    shell.run_until("jobs", r"^\[1\]\+  Terminated +sleep 100$")
    assert shell.run("jobs") == ""

    shell.start("echo on; cat | cat", "on\r\n")
    shell.guest.send("heard\r")
    shell.guest.expect("heard\r\nheard\r\n")
    shell.guest.send(CTRL_Z)
    assert re.search(r"^\[1\]\+  Stopped +cat \| cat$", shell.until_prompt().replace("^Z", ""), re.M)
    shell.start("fg", "cat | cat\r\n")
    shell.guest.send("again\r")
    shell.guest.expect("again\r\nagain\r\n")
    shell.guest.send(CTRL_C)
    shell.until_prompt()
    assert shell.run("echo $?; jobs") == "130\n"

    shell.start("sh -c 'echo on; exec sleep 100'", "on\r\n")
    shell.guest.send(CTRL_Z)
    shell.until_prompt()
    assert "exec sleep 100" in shell.run("bg")
    assert re.search(r"^\[1\]\+  Running", shell.run("jobs"), re.M)
    shell.run("kill %1; wait")
    # In the background one may write, but not read.
    shell.run("cat &")
    shell.run_until("jobs", r"Stopped \(tty input\) +cat$")
    shell.start("fg %1", "cat\r\n")
    shell.guest.send("heard\r")
    shell.guest.expect("heard\r\nheard\r\n")
    shell.guest.send(CTRL_C)
    shell.until_prompt()

    shell.start("echo on; cat", "on\r\n")
    shell.guest.send("half" + CTRL_D)
    shell.guest.expect("halfhalf")
    shell.guest.send("\r" + CTRL_D)
    shell.until_prompt()


def check_terminal(shell):
    assert "intr = ^C" in shell.run("stty -a 2> /dev/null")
    assert shell.run("stty rows 30 cols 90; stty size") == "30 90\n"
    assert shell.run("tty") == "/dev/tty\n"
    shell.start("stty -echo; echo on; read line; stty echo; echo got $line", "on\r\n")
    shell.guest.send("secret\r")
    assert shell.until_prompt() == "got secret\n"
    assert shell.run("sh -c 'trap \"echo resized\" WINCH; stty rows 25 cols 80; true'") == "resized\n"
    shell.run("stty rows 0 cols 0")


def check_system(shell):
    assert re.search(r"^proc on /proc type proc \(rw", shell.run("mount"), re.M)
    assert re.search(r"^tmp +\d+ +\d+ +\d+ +\d+% /tmp$", shell.run("df"), re.M)
    total, used, free = (int(n) for n in re.search(r"^Mem: +(\d+) +(\d+) +(\d+)", shell.run("free"), re.M).groups())
    assert used + free <= total <= 256 << 10 and used < 32 << 10
    assert re.search(r"up \d+ min.*load average: \d+\.\d\d", shell.run("uptime"))
    assert "Pollux" in shell.run("dmesg | head -n 1")
    assert shell.run("hostname") == "pollux\n"
    assert shell.run("whoami; id -g") == "root\n0\n"
    assert shell.run("echo $HOME; su - user -c 'whoami; pwd'") == "/root\nuser\n/tmp\n"
    assert re.match(r"Linux pollux .* x86_64 GNU/Linux$", shell.run("uname -a").strip())


def test_serial(boot):
    guest = boot(initrd=INITRAMFS, smp=2)
    shell = Shell(guest)
    for check in (check_processes, check_files, check_editor, check_pipelines, check_jobs, check_terminal,
                  check_system):
        check(shell)
    guest.send(CTRL_D)  # a login shell ends; init starts another
    guest.expect("built-in shell")
    shell.until_prompt()
    guest.send("poweroff\r")
    assert guest.wait_exit() == qemu.EXIT_SUCCESS


class Screen:
    """VGA text memory, all of whose 32 KiB the screen moves down over; and the keyboard below it."""

    AT_ONCE = 4
    KEYS = {" ": "spc", "\r": "ret", "-": "minus", "/": "slash", ",": "comma"}

    def __init__(self, guest, qmp):
        self.qmp = qmp
        self.dump = str(guest.log_path.with_name("vga"))

    def lines(self):
        self.qmp.execute("pmemsave", val=0xB8000, size=32 << 10, filename=self.dump)
        with open(self.dump, "rb") as file:
            text = file.read()[::2].decode("latin-1")
        lines = [text[at:at + 80].rstrip() for at in range(0, len(text), 80)]
        return [line for line in lines if line]

    def wait_for(self, *end):
        """Until these are the last lines; empty ones apart."""
        self.wait_until(lambda lines: lines[-len(end):] == list(end), *end)

    def wait_until(self, is_good, *end):
        deadline = time.time() + TIMEOUT
        while not is_good(lines := self.lines()):
            assert time.time() < deadline, "\n".join(["the screen does not end so:", *end, "but so:", *lines])
            time.sleep(0.05)

    def press(self, *keys):
        self.qmp.execute("send-key", **{"keys": [{"type": "qcode", "data": key} for key in keys], "hold-time": 1})

    def type(self, text):
        """Not more at once than the keyboard holds when nobody reads: what it drops is not typed again."""
        for start in range(0, len(text), self.AT_ONCE):
            piece = text[start:start + self.AT_ONCE]
            for character in piece:
                self.press(self.KEYS.get(character, character))
            if not piece.endswith("\r"):
                self.wait_until(lambda lines: lines[-1].endswith(text[:start + len(piece)].rstrip()), piece)


def test_screen(boot):
    """console=tty0: nothing is on the serial line."""
    guest = boot(initrd=INITRAMFS, append="console=tty0")
    with guest.qmp() as qmp:
        screen = Screen(guest, qmp)
        screen.wait_for("/root #")
        screen.type("echo helq")
        screen.press("backspace")
        screen.type("p\r")
        screen.wait_for("/root # echo help", "help", "/root #")
        screen.type("ps -o tty,comm\r")
        # A server that still starts its processes may have some behind the shell.
        screen.wait_until(lambda lines: "4,1    sh" in lines and lines[-2:] == ["4,1    ps", "/root #"], "4,1    sh", "4,1    ps")
        screen.type("stty size\r")
        screen.wait_for("/root # stty size", "25 80", "/root #")
        screen.type("cat /etc/hostname -\r")
        screen.wait_for("/root # cat /etc/hostname -", "pollux")
        screen.type("once\r")
        screen.wait_for("pollux", "once", "once")
        screen.press("ctrl", "c")
        screen.wait_for("once", "once", "^C", "/root #")
        screen.type("poweroff\r")
    assert guest.wait_exit() == qemu.EXIT_SUCCESS
    assert guest.log() == ""
