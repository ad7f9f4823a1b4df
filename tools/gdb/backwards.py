# SPDX-License-Identifier: MIT
"""gdb's commands to go backwards, for `make replay`: reverse-continue, reverse-stepi, reverse-step, reverse-next,
reverse-nexti, reverse-finish; and px-when, px-go.

A replay does the same each time, so a place in it is a number: how many instructions were executed before. To go back
is to play the recording again from its beginning, as far as a smaller number; and the stop before this one is found by
playing it once with the same breakpoints, noting the number at each. That takes seconds, and needs no snapshot.

gdb starts QEMU as the other end of a pipe, by the command in the environment's REPLAY; tools/replay puts it there.
"""

import contextlib
import os
import re

import gdb

# The stop before is mostly near: breakpoints that were hit often since boot cost no time then.
NEAR = 1 << 17
# Seconds that QEMU may take for an answer, on a busy machine: gdb's own 2 may be over before it has begun.
PATIENCE = 60


def run(text):
    """What gdb says to it, but of a stop."""
    return gdb.execute(text, to_string=True)


@contextlib.contextmanager
def silence():
    """gdb says nothing, also not of the stops."""
    pagination = gdb.parameter("pagination")
    run("set pagination off")
    gdb.flush()
    terminal, nowhere = os.dup(1), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    try:
        yield
    finally:
        gdb.flush()
        os.dup2(terminal, 1)
        os.close(terminal)
        os.close(nowhere)
        run(f"set pagination {'on' if pagination else 'off'}")


@contextlib.contextmanager
def breakpoints(enabled):
    """Those that the user has: they all rest, or those that are enabled stop, but do not do their commands."""
    kept = [(each, each.enabled, each.commands) for each in gdb.breakpoints()]
    for each, was_enabled, commands in kept:
        each.enabled = enabled and was_enabled and not each.temporary
        if commands:
            each.commands = ""
    try:
        yield
    finally:
        for each, was_enabled, commands in kept:
            each.enabled = was_enabled
            if commands:
                each.commands = commands


class Replay:
    def __init__(self, command):
        self.command = command
        self.signal = None
        gdb.events.stop.connect(self.note_stop)
        gdb.events.gdb_exiting.connect(lambda event: self.end())

    def note_stop(self, event):
        self.signal = event.stop_signal if isinstance(event, gdb.SignalEvent) else None

    def at_end(self):
        return self.signal == "SIGQUIT"  # QEMU's word for it

    def end(self):
        if gdb.selected_inferior().pid:
            with contextlib.suppress(gdb.error):  # QEMU may be gone before it has answered
                run("with confirm off -- kill")

    def begin(self):
        self.end()
        run(f"set remotetimeout {PATIENCE}")
        run(f"target remote | {self.command}")

    def position(self):
        """How many instructions were executed."""
        if not gdb.selected_inferior().pid:
            raise gdb.GdbError("The replay is not there any more: `px-go 0` begins it again.")
        return int(re.search(r"count = (\d+)", run("monitor info replay"))[1])

    def resume(self, limit, how="continue"):
        """It runs no further than there. Whether it stopped before."""
        run(f"monitor replay_break {limit}")
        try:
            gdb.execute(how)
        finally:
            run("monitor replay_delete_break")
        return self.position() < limit and not self.at_end()

    def go(self, position):
        """Stands there, nothing being said."""
        with silence(), breakpoints(False):
            self.begin()
            if position:
                self.resume(position)

    def last(self, start, end, how="continue"):
        """The last position before `end` at which it stops when it is resumed again and again from `start`; or None."""
        self.go(start)
        found = None
        with silence():
            while self.resume(end, how):
                found = self.position()
                if self.signal == "SIGINT":
                    raise gdb.GdbError(f"Interrupted. You came from instruction {end}.")
        return found

    def last_hit(self, end):
        """Of the breakpoints that are enabled."""
        near = self.last(end - NEAR, end) if end > NEAR else None
        return self.last(0, end) if near is None else near


replay = Replay(os.environ["REPLAY"])


def entry_of_function(end):
    """The position at which the selected frame's function was called."""
    frame = gdb.selected_frame()
    while frame.type() == gdb.INLINE_FRAME:
        frame = frame.older()
    function, caller = frame.function(), frame.older()
    if not function or not caller:
        raise gdb.GdbError("Here is no function that was called: use reverse-stepi.")
    with breakpoints(False):
        entry = gdb.Breakpoint(f"*{int(function.value().address):#x}", internal=True)
        entry.condition = f"$rsp == {int(caller.read_register('rsp')) - 8:#x}"
        try:
            found = replay.last_hit(end + 1)
        finally:
            entry.delete()
    if found is None:
        raise gdb.GdbError(f"The call of {function} is not found: use reverse-stepi.")
    return found


def show():
    gdb.execute("frame")


# ---- the commands ----------------------------------------------------------------------------------------


def command(name, kind=gdb.COMMAND_RUNNING):
    """Makes the function the gdb command `name`, documented by its docstring."""

    def make(function):
        class Command(gdb.Command):
            __doc__ = function.__doc__

            def invoke(self, argument, from_tty):
                try:
                    function(int(gdb.parse_and_eval(argument)) if argument else 1)
                except gdb.error as error:
                    raise gdb.GdbError(str(error))

        Command(name, kind)
        return function

    return make


@command("reverse-continue")
def reverse_continue(count):
    """Goes back to the breakpoint that was hit before. Usage: reverse-continue [TIMES]"""
    for _ in range(count):
        end = replay.position()
        for each in gdb.breakpoints():
            each.ignore_count = 0
        with breakpoints(True):
            found = replay.last_hit(end)
        if found is None:
            replay.go(0)
            print("\nNo more reverse-execution history: the replay's beginning.")
            show()
            return
        replay.go(found - 1)
        replay.resume(end)


@command("reverse-stepi")
def reverse_stepi(count):
    """Goes back by one instruction, or by some. Usage: reverse-stepi [HOW-MANY]"""
    replay.go(max(replay.position() - count, 0))
    show()


@command("reverse-finish")
def reverse_finish(_):
    """Goes back to the call of the function. Usage: reverse-finish"""
    replay.go(entry_of_function(replay.position()) - 1)
    show()


def back_by(how):
    """To where the forward command last stopped since the function's call; from its first line, to the call."""
    end = replay.position()
    entry = entry_of_function(end)
    if entry == end:
        replay.go(entry - 1)
        return
    with breakpoints(False):
        found = replay.last(entry, end, how)
    replay.go(entry if found is None else found)


for how, what in (("step", "line"), ("next", "line, over what it calls"), ("nexti", "instruction, over what it calls")):

    def back(count, how=how):
        for _ in range(count):
            back_by(how)
        show()

    back.__doc__ = f"Goes back by one {what}. Usage: reverse-{how} [HOW-MANY]"
    command(f"reverse-{how}")(back)


@command("px-may-go-on", gdb.COMMAND_SUPPORT)
def px_may_go_on(_):
    """An error at the recording's end, where QEMU would not answer; gdb's forward commands begin with it."""
    if replay.at_end():
        raise gdb.GdbError("The recording ends here: use reverse-continue, or px-go.")


for forwards in ("continue", "step", "next", "stepi", "nexti", "finish", "until", "advance"):
    gdb.execute(f"define hook-{forwards}\npx-may-go-on\nend")


@command("px-when", gdb.COMMAND_USER)
def px_when(_):
    """Where the replay stands: how many instructions were executed. Usage: px-when"""
    print(f"instruction {replay.position()}")


@command("px-go", gdb.COMMAND_USER)
def px_go(position):
    """Goes to a place in the replay, back or forth, as px-when has named it. Usage: px-go INSTRUCTION"""
    replay.go(position)
    show()


try:
    replay.begin()
except gdb.error:
    print("replay: QEMU does not play this recording, record another by `make record`; what QEMU said:")
    gdb.execute("shell tail -n 1 \"$REPLAY_ERRORS\"")
    gdb.execute("quit 1")
