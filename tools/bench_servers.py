# SPDX-License-Identifier: MIT
"""What tools/bench_tcp.py measures: servers, and the load on each."""

import dataclasses

REQUEST, BYTE = 1, 8 / 1e6  # what one unit of `done` is worth in the rate: requests, Mbit
SIZE = 64
TCP_SERVER = "/bench/tcp_server {} {} {}"


@dataclasses.dataclass
class Row:
    what: str
    load: tuple  # tcp_load's words: what, connections, size
    server: str = TCP_SERVER
    aims: dict = dataclasses.field(default_factory=dict)
    unit: float = REQUEST  # None: it is the memory that is measured
    idle: int = 0  # connections beside those of the load
    longer: int = 1  # than other rows: for what varies, or comes seldom


# name: (command, what it is)
SERVERS = {
    "one": ("/user/echo_one {}", "blocks, one client"),
    "fork": ("/user/echo_fork {}", "a process each"),
    "thread": ("/user/echo_thread {}", "a thread each"),
    "spin": ("/user/echo_spin {}", "asks for ever"),
    "select": ("/user/echo_select {}", "select"),
    "poll": ("/user/echo_poll {}", "poll"),
    "epoll": ("/user/echo_epoll {}", "epoll, level"),
    "edge": ("/user/echo_edge {}", "epoll, edge"),
    "workers": ("/user/echo_workers {}", "epoll and worker threads"),
    "exclusive": ("/user/echo_prefork {} exclusive", "four processes, EPOLLEXCLUSIVE"),
    "herd": ("/user/echo_prefork {} herd", "four processes, the herd"),
    "reuseport": ("/user/echo_prefork {} reuseport", "four processes, SO_REUSEPORT"),
}
CONNECTIONS = (1, 16, 256)
CONNECTS = ("one", "fork", "thread", "epoll", "exclusive", "herd", "reuseport")
ACTIVE = 16  # beside idle ones
IDLE = {"select": (1_000,), "poll": (1_000, 10_000, 50_000), "epoll": (1_000, 10_000, 50_000)}
MEMORY = {"fork": 500, "thread": 500}


def echo_rows():
    for name, (command, what) in SERVERS.items():
        for number in CONNECTIONS if name != "one" else (1,):
            yield f"echo_{name}_{number}", Row(f"{what}; {number} connection{'s' * (number > 1)}", ("echo", number, SIZE), command)


def calm_rows():
    for name, (command, what) in SERVERS.items():
        if name != "spin":
            yield f"calm_{name}", Row(f"{what}; asleep when it is asked", ("calm", 1, SIZE), command, longer=5)


def connect_rows():
    for name in CONNECTS:
        command, what = SERVERS[name]
        yield f"connect_{name}", Row(f"{what}; connect, echo, close, 16 at a time", ("connect", 16, SIZE), command)


def idle_rows():
    for name, numbers in IDLE.items():
        command, what = SERVERS[name]
        yield (f"calm_{name}_{numbers[0]}",
               Row(f"{what}; asleep, beside {numbers[0]:,} idle", ("calm", 1, SIZE), command, idle=numbers[0], longer=5))
        for number in numbers:
            yield (f"idle_{name}_{number}",
                   Row(f"{what}; {ACTIVE} connections beside {number:,} idle", ("echo", ACTIVE, SIZE), command, idle=number))


def memory_rows():
    for name, number in MEMORY.items():
        command, what = SERVERS[name]
        yield f"memory_{name}", Row(f"{what}; {number:,} idle connections", ("hold",), command, unit=None, idle=number)


SIXTEEN = {"instructions": 3_500, "rate": 90_000}
ROWS = {
    "tcp_idle": Row("10,000 idle connections, watched by epoll", ("hold",), aims={"memory": 1_024}, unit=None, idle=10_000),
    "tcp_echo_1": Row(f"echo of {SIZE} bytes, 1 connection", ("echo", 1, SIZE), aims={"p50_us": 50}),
    "tcp_echo_16": Row(f"echo of {SIZE} bytes, 16 connections", ("echo", 16, SIZE), aims=SIXTEEN),
    "tcp_echo_64": Row(f"echo of {SIZE} bytes, 64 connections", ("echo", 64, SIZE), aims=SIXTEEN),
    "tcp_echo_256": Row(f"echo of {SIZE} bytes, 256 connections", ("echo", 256, SIZE), aims=SIXTEEN),
    "tcp_connect": Row("connect, echo, close; 16 at a time", ("connect", 16, SIZE), aims={"instructions": 15_000, "rate": 18_000}),
    "tcp_receive": Row("the guest receives, a byte", ("give", 1), aims={"instructions": 0.8}, unit=BYTE, longer=5),
    "tcp_receive_16": Row("the same, 16 connections", ("give", 16), aims={"instructions": 0.8}, unit=BYTE, longer=5),
    "tcp_send": Row("the guest sends, a byte", ("take", 1), aims={"instructions": 0.6}, unit=BYTE, longer=5),
    "tcp_send_16": Row("the same, 16 connections", ("take", 16), aims={"instructions": 0.6}, unit=BYTE, longer=5),
    "http_16": Row("a web page, connections kept; 16 connections", ("http", 16, "/index.html"), "/user/web {} /www"),
    **dict(memory_rows()),
    **dict(echo_rows()),
    **dict(calm_rows()),
    **dict(connect_rows()),
    **dict(idle_rows()),
}
