# SPDX-License-Identifier: MIT
"""A Pollux guest under test: QEMU with its serial line on pexpect."""

import contextlib
import json
import os
import pathlib
import re
import shlex
import shutil
import signal
import socket
import sys
import tempfile
import termios
import time

import pexpect

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import counts  # noqa: E402
import qemu  # noqa: E402

OUT = pathlib.Path(os.environ.get("POLLUX_OUT", ROOT / "build")).resolve()
COUNT_PLUGIN = OUT / "count_plugin.so"
KERNELS = {"release": OUT / "pollux.elf", "debug": OUT / "debug" / "pollux.elf"}

# The machine is shared and slow at times: a guest that is well never comes near this.
TIMEOUT = 300
LOG_TAIL_LINES = 60
SETTLED_LOOKS = 3
PROMPT = r"pollux> "


class Qmp:
    """A client of QEMU's control socket: one command, one answer; events are passed over."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(TIMEOUT)
        self.connect(path)
        self.stream = self.socket.makefile("rw", encoding="utf-8")
        json.loads(self.stream.readline())  # the greeting
        self.execute("qmp_capabilities")

    def connect(self, path):
        """QEMU may not be there yet."""
        deadline = time.monotonic() + TIMEOUT
        while True:
            try:
                return self.socket.connect(path)
            except (FileNotFoundError, ConnectionRefusedError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def execute(self, command, **arguments):
        self.stream.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self.stream.flush()
        while True:
            answer = json.loads(self.stream.readline())
            if "error" in answer:
                raise RuntimeError(f"QMP {command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def close(self):
        self.stream.close()
        self.socket.close()


def keep_line_ends():
    """In the child: what the guest sends as \\r\\n must not become \\r\\r\\n on the terminal."""
    attributes = termios.tcgetattr(1)
    attributes[1] &= ~termios.ONLCR
    termios.tcsetattr(1, termios.TCSANOW, attributes)


class Guest:
    """Starts at once. `options` are those of qemu.Machine; the logs go to `log_dir`."""

    def __init__(self, log_dir, build="release", count_instructions=False, **options):
        options.setdefault("kernel", str(KERNELS[build]))
        options.setdefault("debug_exit", True)
        options.setdefault("extra", ("-nic", "none"))
        command = qemu.Machine(**options).command()
        command += ["-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"]
        log_dir.mkdir(parents=True, exist_ok=True)
        (log_dir / "command").write_text(shlex.join(command) + "\n")
        self.sockets = tempfile.mkdtemp(prefix="pollux-")
        self.qmp_path = os.path.join(self.sockets, "qmp")
        self.count_path = os.path.join(self.sockets, "count")
        if count_instructions:
            command += ["-plugin", f"{COUNT_PLUGIN},count={self.count_path}"]
        command += ["-qmp", f"unix:{self.qmp_path},server=on,wait=off"]

        self.log_path = log_dir / "serial.log"
        self.log_file = open(self.log_path, "w", encoding="utf-8")
        self.child = pexpect.spawn(command[0], command[1:], encoding="utf-8", codec_errors="replace",
                                   echo=False, timeout=TIMEOUT, preexec_fn=keep_line_ends)
        self.child.logfile_read = self.log_file
        self.child.delaybeforesend = None

    def expect(self, pattern, timeout=TIMEOUT):
        """Waits for a regular expression (or one of a list) on the serial line; returns the match.
        Lines end in \\r\\n there."""
        try:
            self.child.expect(pattern, timeout=timeout)
        except pexpect.TIMEOUT:
            raise AssertionError(f"the guest did not print {pattern!r} within {timeout} s") from None
        except pexpect.EOF:
            raise AssertionError(f"the guest ended and had not printed {pattern!r}") from None
        return self.child.match

    def settle(self):
        """Until all processors have halted, and stay so: nothing is left to do but what waits for its time, or for us."""
        deadline = time.monotonic() + TIMEOUT
        halted = 0
        with self.qmp() as qmp:
            while halted < SETTLED_LOOKS:
                assert time.monotonic() < deadline, "the guest does not come to rest"
                text = qmp.execute("human-monitor-command", **{"command-line": "info registers -a"})
                halted = 0 if "HLT=0" in text else halted + 1
                time.sleep(0.01)

    def send(self, text):
        self.child.send(text)

    def run(self, command):
        """Gives a command at the kernel's prompt, which must be there; returns what it printed."""
        self.send(command + "\r")
        self.expect(PROMPT)
        return self.child.before.replace("\r\n", "\n").split("\n", 1)[-1]

    def instructions(self):
        """How many instructions the guest has executed, if it was started with count_instructions."""
        return counts.read(self.count_path).instructions

    def wait_exit(self, timeout=TIMEOUT):
        """Waits until QEMU ends by itself; returns its exit status (qemu.EXIT_*)."""
        try:
            self.child.expect(pexpect.EOF, timeout=timeout)
        except pexpect.TIMEOUT:
            raise AssertionError(f"the guest did not end within {timeout} s") from None
        return self.child.wait()  # the terminal goes a moment before the process does

    @contextlib.contextmanager
    def qmp(self):
        client = Qmp(self.qmp_path)
        try:
            yield client
        finally:
            client.close()

    def log(self):
        """Everything that was read from the serial line so far."""
        self.log_file.flush()
        return self.log_path.read_text(encoding="utf-8").replace("\r\n", "\n")

    def report(self):
        """What a failed test shows: the first panic if there is one, and the end of the log."""
        log = self.log().rstrip().split("\n")
        start = max(0, len(log) - LOG_TAIL_LINES)
        panic = next((n for n, line in enumerate(log) if re.search(r"\bpanic:", line)), start)
        shown = log[panic:panic + LOG_TAIL_LINES] + ["..."] if panic < start else []
        where = f"whole log: {self.log_path}; the guest again: sh {self.log_path.parent / 'command'}"
        return "\n".join([where, *shown, *log[start:]])

    def close(self):
        if self.child.isalive():
            with contextlib.suppress(pexpect.TIMEOUT, pexpect.EOF):
                self.child.expect(pexpect.EOF, timeout=0.1)  # what is left goes into the log
            self.child.kill(signal.SIGKILL)
            self.child.wait()
        self.child.ptyproc.delayafterclose = 0  # nobody is left to be waited for
        self.child.close()
        self.log_file.close()
        shutil.rmtree(self.sockets, ignore_errors=True)
