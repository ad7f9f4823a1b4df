# SPDX-License-Identifier: MIT
"""Link wrappers: how they are set, from the command line and at run time. What they do to frames:
tests/unit/test_link.c."""

import struct

import pytest
from shell import shell_of

SETTINGS = [f"{direction}_{rule}" for direction in ("rx", "tx")
            for rule in ("lose", "duplicate", "corrupt", "mark", "reorder", "delay", "jitter", "rate")]


@pytest.mark.parametrize("build", ["release", "debug"])
def test_settings(boot, build):
    sh = shell_of(boot, build=build)
    files = sh.run("cd /proc/sys/net/link/lo; echo *").split()
    assert sorted(files) == sorted([*SETTINGS, "seed", "log", "pcap"])
    assert set(sh.run("cat *").split()) == {"0"}
    assert "\nlo" not in sh.run("cat /proc/net/link")
    sh.run("echo 1% > rx_lose; echo 2.5ms > tx_delay; echo 10mbit > tx_rate")
    assert sh.run("cat rx_lose tx_delay tx_rate").split() == ["1%", "2500us", "10mbit"]
    assert sh.run("cat /proc/net/link").count("\nlo ") == 2
    for name, wrong in (("rx_lose", "101%"), ("rx_lose", "x"), ("tx_delay", "1h"), ("seed", "-1")):
        assert "write error" in sh.run(f"echo {wrong} > {name}")
    assert sh.run("cat rx_lose tx_delay tx_rate").split() == ["1%", "2500us", "10mbit"]
    sh.run("for i in rx_lose tx_delay tx_rate; do echo 0 > $i; done")
    assert "\nlo" not in sh.run("cat /proc/net/link")


def test_command_line(boot):
    sh = shell_of(boot, append="link=lo,rx-lose=3%,tx_delay=1ms,seed=9,log link=eth7,log link=lo,tx-lose=1%"
                               " link=lo,rx-lose=x link=lo")
    log = sh.guest.log()
    assert "bad value 'lo,rx-lose=x' for option 'link'" in log and "bad value 'lo' for option 'link'" in log
    assert "link: no such device: 'eth7,log'" in log
    sh.run("cd /proc/sys/net/link/lo")
    assert sh.run("cat rx_lose tx_delay seed log tx_lose").split() == ["3%", "1ms", "9", "1", "1%"]


def test_pcap_without_frames_is_a_valid_file(boot):
    sh = shell_of(boot)
    for _ in range(2):
        data = bytes.fromhex(sh.run("hexdump -v -e '1/1 \"%02x\"' /proc/net/pcap/lo"))
        assert struct.unpack("<IHHIIII", data) == (0xA1B23C4D, 2, 4, 0, 0, 65536, 1)
        sh.run("echo 64K > /proc/sys/net/link/lo/pcap")
