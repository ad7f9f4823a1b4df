# SPDX-License-Identifier: MIT
"""Runs the first process of an initramfs on the host's own Linux: the oracle of tests/sys."""

import os
import shutil
import subprocess
import tempfile

# A root of its own on a tmpfs, as under Pollux; process 1 of its own pid namespace.
SCRIPT = """
ip link set lo up && mount -t tmpfs -o mode=755 root "$1" && cd "$1" && cpio -idm --quiet < "$2" || exit 1
shift 2
exec chroot . "$@"
"""


def is_possible():
    return os.geteuid() == 0 and shutil.which("unshare")


def run(initramfs, *command, timeout=1800):
    """What the command prints, inside the unpacked initramfs."""
    root = tempfile.mkdtemp(prefix="pollux-root-")
    isolated = ["unshare", "--mount", "--pid", "--fork", "--ipc", "--uts", "--net", "--kill-child"]
    try:
        result = subprocess.run([*isolated, "sh", "-c", SCRIPT, "sh", root, initramfs, *command], timeout=timeout,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, check=True, text=True, errors="replace")
        return result.stdout
    finally:
        os.rmdir(root)
