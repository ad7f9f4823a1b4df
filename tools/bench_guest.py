# SPDX-License-Identifier: MIT
"""The two kernels that tools/bench compares, and a guest that runs either of them.

Both get the same machine, the same initramfs of programs and the same command line; Linux gets an archive with
the modules it needs behind it. tests/bench/init.c is the first process of both."""

import contextlib
import dataclasses
import os
import re
import subprocess
import tempfile
import threading

import counts
import qemu

COUNT_INSTRUCTIONS = ("-icount", "shift=0,sleep=off", "-rtc", "base=2026-01-01,clock=vm")
# Without erms: Linux would clear pages by `rep stosb`, and QEMU counts each byte as an instruction.
CPU = "max,-erms,-fsrm"
MEMORY = "1024M"
TIMEOUT = 1800
KERNELS = ("linux", "pollux")


@dataclasses.dataclass
class Files:
    """What was built, below the build directory."""
    out: str

    @property
    def plugin(self):
        return f"{self.out}/count_plugin.so"

    @property
    def pollux(self):
        return f"{self.out}/pollux.elf"

    @property
    def linux(self):
        return f"{self.out}/linux/vmlinuz"

    def bench(self, name):
        return f"{self.out}/bench/{name}"

    def kernels(self):
        """Those that are here: Debian's may not be."""
        return [name for name in KERNELS if os.path.exists(getattr(self, name))]

    def linux_version(self):
        with open(f"{self.out}/linux/version", encoding="utf-8") as file:
            return file.read().strip()


def qemu_version():
    text = subprocess.run(["qemu-system-x86_64", "--version"], stdout=subprocess.PIPE, text=True, check=True).stdout
    return re.search(r"version ([\d.]+)", text)[1]


class Guest:
    """Either kernel, running `command` (or, without one, nothing); lines() is its console. A context manager."""

    def __init__(self, files, kernel, command="", options="", extra=(), count=None):
        self.files = files
        self.folder = tempfile.TemporaryDirectory(prefix="pollux-bench-")
        self.count_path = os.path.join(self.folder.name, "count")
        if count is not None:
            extra = (*extra, "-plugin", f"{files.plugin},count={self.count_path}{count}")
        if kernel == "linux":
            options += " nokaslr"  # functions are where they were in the last guest
        self.machine = qemu.Machine(
            kernel=getattr(files, kernel), initrd=self.initramfs(files, kernel), cpu=CPU, mem=MEMORY,
            append=f"console=ttyS0 quiet {options} -- {command}", extra=("-serial", "stdio", *extra))

    def initramfs(self, files, kernel):
        parts = [files.bench("initramfs.cpio")] + [f"{files.out}/linux/modules.cpio"] * (kernel == "linux")
        path = os.path.join(self.folder.name, "initramfs.cpio")
        with open(path, "wb") as archive:
            for part in parts:
                with open(part, "rb") as file:
                    archive.write(file.read())
        return path

    def __enter__(self):
        self.process = subprocess.Popen(self.machine.command(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        text=True, errors="replace")
        self.watchdog = threading.Timer(TIMEOUT, self.process.kill)
        self.watchdog.start()
        return self

    def __exit__(self, *exception):
        self.watchdog.cancel()
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.folder.cleanup()

    def lines(self):
        for line in self.process.stdout:
            yield line.rstrip()

    def wait_for(self, text):
        """Whether a line with this text came before the guest ended."""
        return any(text in line for line in self.lines())

    def counts(self):
        return counts.read(self.count_path)
