# SPDX-License-Identifier: MIT
"""The QEMU command line of a Pollux guest, in one place for `make run`, `make gdb` and the tests."""

import dataclasses
import os
import shutil
import socket
import sys

DEBUG_EXIT_PORT = 0xF4
MAX_PORT = 65535
# What QEMU's exit status is when the kernel writes 0x10 or 0x11 to the debug-exit port: (code << 1) | 1.
EXIT_POWEROFF, EXIT_SUCCESS, EXIT_FAILURE = 0, 33, 35


# The guest's address, gateway and name server, as the command line's ip= wants them: those of QEMU's user network, and a
# neighbour of the host on tools/run's tap.
GUEST_IP = {
    "user": "10.0.2.15::10.0.2.2:255.255.255.0::eth0:off:10.0.2.3",
    "tap": "10.0.3.2::10.0.3.1:255.255.255.0::eth0:off",
}


def with_address(append, net):
    """The command line with an ip= for this network, if it has none yet."""
    address = GUEST_IP.get(net)
    if not address or any(word.startswith("ip=") for word in append.split()):
        return append
    return f"ip={address} {append}".strip()


class Unusable(Exception):
    """This machine cannot do what was asked; the text says what to do about it, in one line."""


def front_door(name, main):
    """What keeps the user's command from being done is said in one line, and is a failure."""
    try:
        return main()
    except BrokenPipeError:  # who reads us has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        sys.exit(1)
    except OSError as error:
        sys.exit(f"{name}: {error.filename + ': ' if error.filename else ''}{error.strerror or error}")
    except Unusable as error:
        sys.exit(f"{name}: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


def find_program(name):
    path = shutil.which(name)
    if not path:
        raise Unusable(f"{name} is not installed: run `make setup`")
    return path


@dataclasses.dataclass
class Machine:
    kernel: str = None
    initrd: str = None
    append: str = ""
    smp: int = 1
    mem: str = "256M"
    accel: str = "tcg"
    cpu: str = "max"
    debug_exit: bool = False
    extra: tuple = ()

    def command(self):
        """QEMU's argument vector, without the serial line: that is its user's business."""
        qemu = find_program("qemu-system-x86_64")
        if self.accel == "kvm" and not os.access("/dev/kvm", os.R_OK | os.W_OK):
            raise Unusable("/dev/kvm cannot be opened here: leave out ACCEL=kvm")
        for path in filter(None, (self.kernel, self.initrd)):
            if not os.path.exists(path):
                raise Unusable(f"{path} does not exist: run `make`")
            if not os.path.isfile(path) or not os.access(path, os.R_OK):
                raise Unusable(f"{path} is no file that can be read")
        words = [qemu, "-accel", self.accel, "-cpu", self.cpu, "-smp", str(self.smp), "-m", str(self.mem)]
        words += ["-display", "none", "-no-reboot"]
        append = self.append
        if self.debug_exit:
            words += ["-device", f"isa-debug-exit,iobase={DEBUG_EXIT_PORT:#x},iosize=0x04"]
            append = f"debug-exit={DEBUG_EXIT_PORT:#x} {append}".strip()
        if self.kernel:
            words += ["-kernel", self.kernel, "-append", append]
        if self.initrd:
            words += ["-initrd", self.initrd]
        return words + list(self.extra)


def port_is_free(port):
    """Whether both a TCP and a UDP listener could have this port of 127.0.0.1."""
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as probe:
            if kind == socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return False
    return True


def free_port(wanted):
    """`wanted`, or the next port that is free."""
    for port in range(wanted, min(wanted + 100, MAX_PORT + 1)):
        if port_is_free(port):
            return port
    raise Unusable(f"of 127.0.0.1's ports from {wanted} none can be had, they are busy or not for us: name others by FWD=")
