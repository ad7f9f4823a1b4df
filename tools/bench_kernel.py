# SPDX-License-Identifier: MIT
"""What Pollux's own operations cost, its boot, and doing nothing. How to read the tables:

operations
    instructions  what one operation costs. QEMU counts one guest instruction as one nanosecond and
                  as one tick of the TSC (-icount), so these figures repeat to the digit.
    time          how much real time one of its instructions takes, the median of all operations being
                  1: what is far above makes TCG leave its translated code. Varies from run to run.
                  Events that were timed once, from here to there, have none.

boot
    instructions  in thousands, since the line before: what the kernel did until it printed this
                  line. The clock starts at the kernel's entry but has no rate until it is calibrated
                  (which waits for 4 ms, and the LAPIC's timer for 1 ms), so earlier lines have no stamp.
    us            the same in real time, median of a few boots.

idle
    instructions  that the guest executed while nobody used it, all in all.
"""

import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time

import counts
import qemu
from bench_guest import COUNT_INSTRUCTIONS

BOOTS = 5
SETTLE_SECONDS = 2  # after boot, before the guest counts as idle
IDLE_SECONDS = 10
TIMEOUT = 600
READY = r"boot: ready in (\d+) us"


def guest_lines(kernel, append="", extra=()):
    """What the guest prints, line by line; it is killed when the caller has heard enough."""
    extra = ("-nic", "none", "-serial", "stdio", *extra)
    machine = qemu.Machine(kernel=kernel, append=append, debug_exit=True, extra=extra)
    guest = subprocess.Popen(machine.command(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             text=True, errors="replace")
    watchdog = threading.Timer(TIMEOUT, guest.kill)
    watchdog.start()
    try:
        for line in guest.stdout:
            yield line.rstrip()
    finally:
        watchdog.cancel()
        guest.kill()
        guest.wait()


def ticks(kernel, extra=()):
    """{name: (ticks, "once" or "each", what it is)} as the kernel prints them."""
    lines = guest_lines(kernel, "bench", extra)
    found = (re.search(r"bench: (\w+) ([\d.]+) ticks (once|each): (.*)", line) for line in lines)
    return {match[1]: (float(match[2]), match[3], match[4]) for match in found if match}


def operations(kernel):
    """{name: {instructions, what, time}}"""
    counted, timed = ticks(kernel, COUNT_INSTRUCTIONS), ticks(kernel)
    if not counted or counted.keys() != timed.keys():
        sys.exit("bench: the kernel did not print its figures")
    figures = {name: {"instructions": count, "what": what}
               for name, (count, _, what) in sorted(counted.items(), key=lambda item: by_number(item[0]))}
    per_instruction = {name: timed[name][0] / count for name, (count, how, _) in counted.items() if how == "each"}
    unit = statistics.median(per_instruction.values())
    for name, time_taken in per_instruction.items():
        figures[name]["time"] = round(time_taken / unit, 1)
    return figures


def by_number(name):
    """Sorts kmalloc_64 before kmalloc_256."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def boot_log(kernel, extra=()):
    """([(microseconds, text)] of each line until the end of boot, seconds since QEMU was started)"""
    start, log = time.monotonic(), []
    for line in guest_lines(kernel, extra=extra):
        if match := re.match(r"\[ *(\d+)\.(\d{6})\] (.*)", line):
            log.append((int(match[1] + match[2]), match[3]))
            if re.match(READY, match[3]):
                return log, time.monotonic() - start
    sys.exit("bench: the kernel did not boot")


def steps(log):
    """How much later each stamped line came than the one before."""
    stamps = [0] + [stamp for stamp, _ in log if stamp]
    return [after - before for before, after in zip(stamps, stamps[1:])]


def boot(kernel):
    counted, _ = boot_log(kernel, COUNT_INSTRUCTIONS)
    timed = [boot_log(kernel) for _ in range(BOOTS)]
    texts = [text for stamp, text in counted if stamp]
    times = zip(*(steps(log) for log, _ in timed))
    return {
        "steps": [{"instructions": 1000 * count, "us": statistics.median(us), "line": text}
                  for count, us, text in zip(steps(counted), times, texts)],
        "kernel_entry_to_ready": {"instructions": 1000 * counted[-1][0],
                                  "us": statistics.median(log[-1][0] for log, _ in timed)},
        "qemu_start_to_ready_ms": round(1e3 * statistics.median(seconds for _, seconds in timed)),
    }


def idle(kernel, plugin):
    with tempfile.NamedTemporaryFile() as count:
        for line in guest_lines(kernel, extra=("-plugin", f"{plugin},count={count.name}")):
            if re.search(READY, line):
                time.sleep(SETTLE_SECONDS)
                before = counts.read(count.name).instructions
                time.sleep(IDLE_SECONDS)
                return {"seconds": IDLE_SECONDS, "instructions": counts.read(count.name).instructions - before}
    sys.exit("bench: the kernel did not boot")


def print_operations(figures):
    print(f"{'operation':22}{'instructions':>12}{'time':>7}")
    for name, figure in figures.items():
        print(f"{name:22}{figure['instructions']:12.1f}{figure.get('time', ''):>7}  {figure['what']}")


def print_boot(figures):
    print(f"{'boot':14}{'instructions':>20}{'us':>7}")
    total = dict(figures["kernel_entry_to_ready"], line="from the kernel's entry to the end of boot")
    for step in [*figures["steps"], total]:
        print(f"{step['instructions'] // 1000:32} k{step['us']:7.0f}  {step['line'][:60]}")
    print(f"{figures['qemu_start_to_ready_ms']:38} ms  from the start of QEMU to the end of boot")


def print_idle(figures):
    print(f"{'idle':22}{figures['instructions']:12}  instructions in {figures['seconds']} s")
