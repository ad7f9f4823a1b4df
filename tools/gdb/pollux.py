# SPDX-License-Identifier: MIT
"""gdb commands that show what the kernel holds: `help user-defined` lists them, all begin with px- but
`journey`, which stops at a step of a packet's.

They only read the guest's memory and take no lock: what is being changed at the moment when the guest
was stopped may look broken. `make gdb` loads this file; by hand: (gdb) source tools/gdb/pollux.py

Below: how to read the kernel's structures, then names for addresses, stacks, and the commands.
"""

import ipaddress
import pathlib
import sys

import gdb
import gdb.unwinder

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
from journey import STEPS  # noqa: E402: found by the line above

# As in kernel/mm/layout.h, paging.h and vmalloc.h: macros leave no trace in the debug information.
LOW_MEMORY_END = 1 << 20
USER_END = 0x00007FFFFFFFF000
PAGE_OFFSET = 0xFFFF888000000000
STACKS = range(0xFFFFC97000000000, 0xFFFFC98000000000)
KERNEL_STACK_SIZE = 16 << 10
PTE_PRESENT, PTE_WRITE, PTE_USER, PTE_CACHE_DISABLE, PTE_HUGE, PTE_NX = (
    1 << bit for bit in (0, 1, 2, 4, 7, 63))
PTE_ADDRESS = 0x000FFFFFFFFFF000

# ---- the kernel's structures -----------------------------------------------------------------------


def is_pointer(value):
    return value.type.strip_typedefs().code == gdb.TYPE_CODE_PTR


def at(address, kind):
    """The object of a type, or of a type's name, at an address; sums of addresses wrap, as the CPU's do."""
    kind = gdb.lookup_type(kind) if isinstance(kind, str) else kind
    return gdb.Value(int(address) % (1 << 64)).cast(kind.pointer()).dereference()


def word(address):
    return int(at(address, "unsigned long"))


def address_of(label):
    return int(gdb.parse_and_eval(f"(unsigned long)&{label}"))


def static(file, name):
    """A static variable of one file; others may have one of the same name."""
    return gdb.parse_and_eval(f"'{file}'::{name}")


def container(member, type_name, field):
    """The structure of which `member`, an object or a pointer to it, is a field."""
    address = int(member) if is_pointer(member) else int(member.address)
    return at(address - int(at(0, type_name)[field].address), type_name)  # also of a member of a union without a name


def list_entries(head, type_name, field):
    node = head["next"]
    while int(node) != int(head.address):
        yield container(node, type_name, field)
        node = node["next"]


def tree_entries(node, type_name, field):
    """In order, from the top node of a red-black tree."""
    if int(node):
        yield from tree_entries(node["rb_left"], type_name, field)
        yield container(node, type_name, field)
        yield from tree_entries(node["rb_right"], type_name, field)


def cpus():
    return range(int(gdb.parse_and_eval("nr_cpus")))


def per_cpu_offset(cpu):
    return int(gdb.parse_and_eval(f"percpu_offset[{cpu}]"))


def per_cpu(master, cpu):
    """A CPU's copy of per-CPU data."""
    return at(int(master.address) + per_cpu_offset(cpu), master.type)


def selected_cpu():
    """The CPU that gdb looks at: QEMU shows them as threads, the first as 1."""
    return gdb.selected_thread().num - 1


def run_queue(cpu):
    return per_cpu(static("kernel/sched.c", "run_queue"), cpu)


def current_task(cpu):
    return per_cpu(gdb.parse_and_eval("current_task"), cpu).dereference()


def tasks():
    """All of them; the idle tasks, which are on no list, come last."""
    yield from list_entries(gdb.parse_and_eval("task_list"), "struct task", "all_tasks")
    for cpu in cpus():
        yield run_queue(cpu)["idle"].dereference()


def runs_on(task):
    """The CPU that the task is on just now, or None."""
    return next((cpu for cpu in cpus() if current_task(cpu).address == task.address), None)


# ---- names -----------------------------------------------------------------------------------------


def doing(task):
    """What the task does, in a word: TASK_INTERRUPTIBLE is "interruptible"."""
    cpu = runs_on(task)
    if cpu is not None:
        return f"on CPU {cpu}"
    states = {state.enumval: state.name for state in gdb.lookup_type("enum task_state").fields()}
    name = states.get(int(task["state"]), f"state {int(task['state'])}")
    return "runnable" if name == "TASK_RUNNING" else name.replace("TASK_", "").lower()


def text_of(characters):
    return characters.string("ascii", "replace")


def task_name(task):
    task = at(task, "struct task") if is_pointer(task) else task
    return f"{int(task['pid'])} ({text_of(task['name'])})"


def symbol_name(address):
    """symbol or symbol+offset, or the bare number."""
    text = gdb.execute(f"info symbol {int(address):#x}", to_string=True)
    if text.startswith("No symbol"):
        return f"{int(address):#x}"
    return text.partition(" in section ")[0].strip().replace(" + ", "+")


def place_name(address):
    """What lies there: a symbol, perhaps one CPU's copy of it, or a place on a task's stack."""
    address = int(address)
    for cpu in cpus():
        master = (address - per_cpu_offset(cpu)) % (1 << 64)
        if address_of("percpu_start") <= master < address_of("percpu_end"):
            return f"{symbol_name(master)} of CPU {cpu}"
    for task in tasks() if address in STACKS else ():
        if 0 <= address - int(task["stack"]) < KERNEL_STACK_SIZE:
            return f"{address:#x}, on the stack of {task_name(task)}"
    return symbol_name(address)


def queue_names():
    """The wait queues of what descriptors lead to, by their addresses."""
    names = {}
    for _, _, file in open_files("socket_file_ops"):
        sk = private_data(file, "struct sock")
        names[int(sk["wq"].address)] = f"socket {int(sk['ino'])} ({text_of(sk['ops']['name'])})"
    for _, _, file in open_files("eventpoll_file_ops"):
        ep = private_data(file, "struct eventpoll")
        names[int(ep["wq"].address)] = f"eventpoll {int(ep.address):#x}"
    return names


# What a wait queue's entry or a timer does, by its function.
PURPOSES = {
    "wake_for_events": lambda entry: f"wakes {task_name(entry['private'])}",
    "default_wake_function": lambda entry: f"wakes {task_name(entry['private'])}",
    "autoremove_wake_function": lambda entry: f"wakes {task_name(entry['private'])}",
    "sleep_over": lambda timer: f"wakes {task_name(container(timer, 'struct sleep_timer', 'timer')['task'])}",
    "ep_poll_callback": lambda entry: "makes ready " + item_name(
        entry["private"].cast(gdb.lookup_type("struct epitem").pointer()).dereference()),
    "slice_expired": lambda timer: place_name(container(timer, "struct run_queue", "slice_timer").address),
}


# Poll masks, by bit number; epoll's own at the end.
EVENTS = {0: "IN", 1: "PRI", 2: "OUT", 3: "ERR", 4: "HUP", 6: "RDNORM", 7: "RDBAND", 8: "WRNORM", 9: "WRBAND",
          10: "MSG", 13: "RDHUP", 28: "EXCLUSIVE", 29: "WAKEUP", 30: "ONESHOT", 31: "ET"}


def event_names(mask):
    return "|".join(EVENTS.get(bit, f"{1 << bit:#x}") for bit in range(32) if int(mask) >> bit & 1) or "0"


def item_name(item):
    return f"fd {int(item['fd'])} of eventpoll {int(item['ep']):#x}"


def purpose(function, owner):
    """Name of the function, and what it does for its owner."""
    name = symbol_name(function)
    return f"{name:24} {PURPOSES[name](owner) if name in PURPOSES else place_name(owner.address)}"


# ---- open files ------------------------------------------------------------------------------------


def open_files(ops):
    """(task, descriptor, file) of each descriptor whose file has these file_ops; once for those who share a table."""
    seen = set()
    for task in tasks():
        table = task["files"]
        if not int(table) or int(table) in seen:
            continue
        seen.add(int(table))
        for number in range(int(table["size"])):
            file = table["slots"][number]
            if int(file) and int(file["ops"]) == address_of(ops):
                yield task, number, file.dereference()


def private_data(file, type_name):
    return file["private_data"].cast(gdb.lookup_type(type_name).pointer()).dereference()


# ---- stacks ----------------------------------------------------------------------------------------


class KernelUnwinder(gdb.unwinder.Unwinder):
    """Tells gdb's own `backtrace` what our assembler does. trap_entry.S has pushed a struct trap_frame,
    which lies at the stack pointer when trap_dispatch() has returned; and rbp is 0 in the code that
    calls the first function of a stack."""

    def __init__(self):
        super().__init__("pollux")

    def __call__(self, pending):
        pc, sp, rbp = (pending.read_register(name) for name in ("rip", "rsp", "rbp"))
        if int(pc) == address_of("trap_return"):
            frame = at(sp, "struct trap_frame")
            registers = {name: frame[name] for name in ("rip", "rsp", "rbp", "rbx", "r12", "r13", "r14", "r15")}
        elif int(rbp) == 0 and not LOW_MEMORY_END <= int(pc) % (1 << 64) < USER_END:
            registers = {"rip": gdb.Value(0).cast(pc.type), "rsp": sp + 8, "rbp": rbp}  # gdb ends at address 0
        else:
            return None
        info = pending.create_unwind_info(FrameId(sp, pc))
        for name, value in registers.items():
            info.add_saved_register(name, value)
        return info


class FrameId:
    def __init__(self, sp, pc):
        self.sp, self.pc = sp, pc


def saved_calls(task):
    """(code address, whether it is a return address) of each call on the stack of a task that is not
    running, innermost first. switch_to() left six registers, rbp the last, and its return address."""
    rsp = int(task["kernel_rsp"])
    rbp, pc, is_return = word(rsp + 5 * 8), word(rsp + 6 * 8), True
    yield pc, is_return
    while rbp:
        pc, trap_frame = word(rbp + 8), rbp + 16
        yield pc, True
        if pc == address_of("trap_return"):
            yield int(at(trap_frame, "struct trap_frame")["rip"]), False
        caller = word(rbp)
        if caller <= rbp:
            break
        rbp = caller


def functions_at(pc):
    """The functions that the code belongs to: where one was inlined, it comes before its caller."""
    block, names = gdb.block_for_pc(pc), []
    while block and not block.is_static and not block.is_global:
        if block.function:
            names.append(str(block.function))
        block = block.superblock
    return names or [symbol_name(pc)]


def print_saved_backtrace(task):
    level = 0
    for pc, is_return in saved_calls(task):
        inside = pc - 1 if is_return else pc  # a call may be the last instruction of its line
        line = gdb.find_pc_line(inside)
        where = f" at {line.symtab.filename}:{line.line}" if line.symtab else ""
        for name in functions_at(inside):
            print(f"#{level:<3} {pc:#x} in {name}{where}")
            where = ", which inlined it"
            level += 1


def print_backtrace(task):
    cpu = runs_on(task)
    print(f"{task_name(task)}, {doing(task)}")
    if cpu is None:
        print_saved_backtrace(task)
        return
    selected = gdb.selected_thread()
    thread = next(thread for thread in gdb.selected_inferior().threads() if thread.num == cpu + 1)
    thread.switch()
    gdb.execute("backtrace")
    selected.switch()


# ---- the commands ----------------------------------------------------------------------------------


def command(function):
    """Makes px_some_name(argument) the gdb command px-some-name, documented by its docstring."""

    class Command(gdb.Command):
        __doc__ = function.__doc__

        def invoke(self, argument, from_tty):
            try:
                function(argument.strip())
            except gdb.MemoryError as error:
                raise gdb.GdbError(f"{error}: has the kernel come that far?")
            except gdb.error as error:
                raise gdb.GdbError(str(error))

    Command(function.__name__.replace("_", "-"), gdb.COMMAND_USER, gdb.COMPLETE_EXPRESSION)
    return function


def milliseconds(ns):
    return f"{int(ns) / 1e6:.3f}"


@command
def px_tasks(argument):
    """Every task, what it does, and the wait queue that it sleeps on. Usage: px-tasks"""
    print(f"{'pid':>5} cpu {'state':16}{'name':17}{'struct task *':20}waits on")
    names = queue_names()
    for task in tasks():
        address = int(task["waits_on"])
        queue = names.get(address) or (place_name(address) if address else "")
        print(f"{int(task['pid']):5} {int(task['cpu']):3} {doing(task):16}{text_of(task['name']):17}"
              f"{int(task.address):#x}  {queue}".rstrip())


@command
def px_runq(argument):
    """The run queue of each CPU: who runs, and who waits for it, the next one first. Usage: px-runq"""
    for cpu in cpus():
        queue = run_queue(cpu)
        due = ", a switch is due" if per_cpu(gdb.parse_and_eval("need_resched"), cpu) else ""
        print(f"CPU {cpu}: {task_name(queue['curr'])} runs{due}; {int(queue['nr_running'])} runnable,"
              f" {int(queue['switches'])} switches, {int(queue['steals'])} stolen,"
              f" min_vruntime {milliseconds(queue['min_vruntime'])} ms")
        for task in tree_entries(queue["tasks"]["rb_root"]["rb_node"], "struct task", "run_node"):
            print(f"  vruntime {milliseconds(task['vruntime'])} ms, had {milliseconds(task['runtime'])} ms:"
                  f" {task_name(task)}")


def print_wait_queue(queue):
    name = queue_names().get(int(queue.address)) or place_name(queue.address)
    print(f"wait queue {name}{', locked' if queue['lock']['locked'] else ''}")
    for entry in list_entries(queue["entries"], "struct wait_entry", "link"):
        kind = "exclusive" if int(entry["flags"]) & 1 else ""
        print(f"  {kind:10}{purpose(entry['func'], entry)}")


@command
def px_waitq(argument):
    """The entries of a wait queue: their functions and what these wake. Usage: px-waitq EXPRESSION
    The expression is a struct wait_queue or a pointer to one: px-waitq typed.wq"""
    queue = gdb.parse_and_eval(argument)
    queue = queue.dereference() if is_pointer(queue) else queue
    if queue.type.strip_typedefs().name != "wait_queue":
        raise gdb.GdbError(f"{argument} is no struct wait_queue")
    print_wait_queue(queue)


@command
def px_bt(argument):
    """The backtrace of any task, running or not. Usage: px-bt [PID | NAME | EXPRESSION | all]
    Without an argument: the task of the CPU that gdb looks at. An expression is a struct task *."""
    if not argument:
        found = [current_task(selected_cpu())]
    else:
        found = [task for task in tasks() if argument in ("all", text_of(task["name"]), str(int(task["pid"])))]
    if not found:
        address = int(gdb.parse_and_eval(argument)) % (1 << 64)
        found = [task for task in tasks() if int(task.address) == address]
    if not found:
        raise gdb.GdbError(f"{argument} is no task")
    for task in found:
        print_backtrace(task)


@command
def px_timers(argument):
    """The pending timers of each CPU, the next one first, in seconds since boot. Usage: px-timers"""
    for cpu in cpus():
        queue = per_cpu(static("kernel/timer.c", "timer_queue"), cpu)
        programmed = int(queue["programmed"])
        silent = programmed == (1 << 64) - 1
        print(f"CPU {cpu}: " + ("the APIC's timer is off" if silent else f"next interrupt at {programmed / 1e9:.9f}"))
        timers = [*tree_entries(queue["sorted"]["rb_root"]["rb_node"], "struct timer", "node"),
                  *list_entries(queue["started"], "struct timer", "link")]
        for timer in sorted(timers, key=lambda timer: int(timer["expires"])):
            print(f"  {int(timer['expires']) / 1e9:.9f} {purpose(timer['function'], timer)}")


@command
def px_slabs(argument):
    """The slab caches; objects in a CPU's magazine are free, but not in their slab. Usage: px-slabs"""
    print(f"{'cache':20}{'bytes':>7}{'in use':>9}{'magazines':>11}{'in all':>9}{'slabs':>7}")
    for cache in list_entries(static("kernel/mm/slab.c", "caches"), "struct kmem_cache", "link"):
        cached = sum(int(cache["magazine"][cpu]["count"]) for cpu in cpus())
        slabs = int(cache["nr_slabs"])
        print(f"{text_of(cache['name']):20}{int(cache['object_size']):7}{int(cache['nr_taken']) - cached:9}{cached:11}"
              f"{slabs * int(cache['objects_per_slab']):9}{slabs:7}")


@command
def px_free(argument):
    """The buddy allocator's free blocks of each size, and each CPU's own pages. Usage: px-free"""
    buddy = static("kernel/mm/page_alloc.c", "buddy")
    low, high = buddy["count"].type.range()
    for order in range(low, high + 1):
        count = int(buddy["count"][order])
        print(f"order {order:2}: {count:7} blocks of {4 << order:5} KiB = {count * (4 << order):9} KiB")
    own = static("kernel/mm/page_alloc.c", "cpu_pages")
    for cpu in cpus():
        print(f"CPU {cpu}: {int(per_cpu(own, cpu)['count'])} pages of its own")


@command
def px_pt(argument):
    """How the page tables in force (CR3) map an address, level by level. Usage: px-pt EXPRESSION
    A number, a pointer, or something whose address is meant: a function, a structure."""
    value = gdb.parse_and_eval(argument)
    is_place = value.type.strip_typedefs().code in (gdb.TYPE_CODE_FUNC, gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_ARRAY)
    address = int(value.address if is_place else value) % (1 << 64)
    table, allowed = int(gdb.parse_and_eval("(unsigned long)$cr3")) & PTE_ADDRESS, PTE_WRITE | PTE_USER
    execute = True
    for level, shift in enumerate((39, 30, 21, 12)):
        index = address >> shift & 511
        entry = word(PAGE_OFFSET + table + 8 * index)
        print(f"level {4 - level} [{index:3}] {entry:#018x}")
        if not entry & PTE_PRESENT:
            print(f"{address:#x} is not mapped")
            return
        allowed, execute, table = allowed & entry, execute and not entry & PTE_NX, entry & PTE_ADDRESS
        if shift == 12 or (shift < 39 and entry & PTE_HUGE):
            break
    size = 1 << shift
    rights = "r" + "-w"[bool(allowed & PTE_WRITE)] + "-x"[execute]
    print(f"{address:#x} -> {(table & -size) + address % size:#x}, page of {size >> 10} KiB, {rights},"
          f" {'user' if allowed & PTE_USER else 'kernel'}{', uncached' if entry & PTE_CACHE_DISABLE else ''}")


@command
def px_percpu(argument):
    """Each CPU's copy of a per-CPU variable, or one CPU's. Usage: px-percpu VARIABLE [CPU]"""
    name, _, cpu = argument.partition(" ")
    for number in [int(cpu)] if cpu else cpus():
        print(f"CPU {number}: {per_cpu(gdb.parse_and_eval(name), number).format_string(symbols=True)}")


# ---- the network -----------------------------------------------------------------------------------


@command
def px_sockets(argument):
    """Every socket that a descriptor leads to, its queues, and how many wait on it. Usage: px-sockets
    px-waitq ((struct sock *)ADDRESS)->wq shows who does."""
    print(f"{'pid':>5} {'fd':>4} {'number':>7} {'kind':10}{'received':>9}{'rmem':>9}{'wmem':>9} waiters  struct sock *")
    for task, number, file in open_files("socket_file_ops"):
        sk = private_data(file, "struct sock")
        waiters = sum(1 for _ in list_entries(sk["wq"]["entries"], "struct wait_entry", "link"))
        print(f"{int(task['pid']):5} {number:4} {int(sk['ino']):7} {text_of(sk['ops']['name']):10}"
              f"{int(sk['receive_queue']['count']):9}{int(sk['rmem']):9}{int(sk['wmem']):9} {waiters:7}"
              f"  {int(sk.address):#x}")


@command
def px_epoll(argument):
    """Every eventpoll: what it watches (its tree), what is ready (its list), who waits. Usage: px-epoll"""
    for task, number, file in open_files("eventpoll_file_ops"):
        ep = private_data(file, "struct eventpoll")
        ready = [int(item.address) for item in list_entries(ep["rdllist"], "struct epitem", "rdllink")]
        print(f"eventpoll {int(ep.address):#x}, fd {number} of {task_name(task)}:"
              f" {len(ready)} ready{', being scanned' if ep['scanning'] else ''}")
        for item in tree_entries(ep["rbr"]["rb_node"], "struct epitem", "rbn"):
            place = f"ready, number {ready.index(int(item.address)) + 1}" if int(item.address) in ready else ""
            print(f"  fd {int(item['fd']):4} {event_names(item['events']):24}"
                  f" {symbol_name(item['file']['ops'])[:-9]:12} {place}".rstrip())
        for entry in list_entries(ep["wq"]["entries"], "struct wait_entry", "link"):
            print(f"  waits: {purpose(entry['func'], entry)}")


def runs_of(descriptions):
    """(first, last, description) of each run of equal ones."""
    first = 0
    for index, description in enumerate(descriptions):
        if index + 1 == len(descriptions) or descriptions[index + 1] != description:
            yield first, index, description
            first = index + 1


@command
def px_rings(argument):
    """The e1000's rings: where card and kernel are, and what their descriptors say. Usage: px-rings"""
    for dev in list_entries(gdb.parse_and_eval("netdevs"), "struct netdev", "link"):
        if not text_of(dev["name"]).startswith("eth"):
            continue
        nic = container(dev, "struct e1000", "dev")
        rx, tx = nic["rx"], nic["tx"]
        if not int(rx["descs"]):
            print(f"{text_of(dev['name'])}: down, no rings")
            continue
        print(f"{text_of(dev['name'])} receives: next {int(rx['next'])}, told {int(rx['told'])}")
        frames = [f"a frame of {int(rx['descs'][n]['length'])} bytes" if int(rx["descs"][n]["status"]) & 1 else
                  "the card's to fill" for n in range(int(rx["mask"]) + 1)]
        for first, last, text in runs_of(frames):
            print(f"  [{first:4} ...{last:4}] {text}")
        head, clean, size = int(tx["head"]), int(tx["clean"]), int(tx["mask"]) + 1
        print(f"{text_of(dev['name'])} sends: head {head}, clean {clean},"
              f" {(head - clean) % size} descriptors not yet taken back, {int(dev['tx_queue']['count'])} frames wait")
        for step in range((head - clean) % size):
            index = (clean + step) % size
            data = tx["descs"][index]["data"]
            print(f"  [{index:4}] {int(data['command']) & 0xfffff} bytes{', done' if int(data['status']) & 1 else ''}")


@command
def px_trace(argument):
    """The last events that were recorded, of all CPUs, the newest last. Usage: px-trace [HOW-MANY]"""
    entries = []
    for cpu in cpus():
        ring = per_cpu(static("kernel/trace.c", "trace_ring"), cpu)
        if not int(ring["entries"]):
            continue
        size = (1 << 20) // ring["entries"].dereference().type.sizeof
        end = int(ring["sequence"]) // 2
        wanted = min(int(argument or 20), size - 1)
        entries += [ring["entries"][n % size] for n in range(max(int(ring["start"]), end - wanted), end)]
    entries.sort(key=lambda entry: int(entry["time"]))
    formats = gdb.parse_and_eval("trace_formats")
    for entry in entries[-int(argument or 20):]:
        form = formats[int(entry["event"])]
        names = [word.partition("=%") for word in text_of(form["arguments"]).split()]
        values = [symbol_name(entry["args"][n]) if kind == "f" else
                  f"{int(entry['args'][n]):#x}" if kind == "x" else str(int(entry["args"][n]))
                  for n, (_, _, kind) in enumerate(names)]
        context = ("process", "softirq", "hardirq")[int(entry["context"])]
        print(f"[{int(entry['time']) / 1e9:15.9f}] {int(entry['cpu']):2} {context}"
              f" {text_of(entry['task'])}:{int(entry['pid'])} {text_of(form['name'])}"
              f" {' '.join(f'{name}={value}' for (name, _, _), value in zip(names, values))}")


# ---- the journey of a packet -----------------------------------------------------------------------


def tracepoints(event):
    """FILE:LINE of each place in the kernel that tells of an event: a step may be UDP's or TCP's."""
    found = []
    for top in ("kernel", "drivers", "fs", "net"):
        for source in sorted((ROOT / top).rglob("*.[ch]")):
            lines = source.read_text(encoding="utf-8").splitlines() if "selftest" not in source.name else []
            found += [f"{source.relative_to(ROOT)}:{number}" for number, line in enumerate(lines, 1)
                      if f"trace({event.upper()}," in line]
    return found


# The compiler leaves nothing at the tracepoint's own line that is always passed, or not what tells one softirq from another.
FUNCTIONS = {4: "net_rx_action", 11: "wake_up_state"}


def variable(name):
    """Of the selected frame's function, or what it points to; None if it has none of the name, the compiler kept
    no value there, or it is NULL."""
    frame = gdb.selected_frame()
    block = frame.block()
    while not any(symbol.name == name for symbol in block):
        if block.function or block.is_static or block.is_global:
            return None
        block = block.superblock
    value = frame.read_var(name, block)
    if value.is_optimized_out or (is_pointer(value) and not int(value)):
        return None
    return value.dereference() if is_pointer(value) else value


def host(address, port):
    address, port = (int(number).to_bytes(size, "little") for number, size in ((address, 4), (port, 2)))
    return f"{ipaddress.ip_address(address)}:{int.from_bytes(port, 'big')}"


# As in drivers/e1000_regs.h.
CAUSES = {0: "sent", 1: "nothing more to send", 2: "link", 4: "few buffers left", 6: "no buffer was left", 7: "received"}


def causes(icr):
    return ", ".join(what for bit, what in CAUSES.items() if int(icr) >> bit & 1) or "nothing"


def show_socket(sk):
    print(f"  socket {int(sk['ino'])} ({text_of(sk['ops']['name'])}), struct sock * {int(sk.address):#x}:"
          f" {int(sk['receive_queue']['count'])} on its receive queue, rmem {int(sk['rmem'])}")


# What a step works on, by the names that variables have everywhere in the kernel, and their types.
SHOW = {
    ("frame", "trap_frame"): lambda frame: print(
        f"  vector {int(frame['vector'])}; {task_name(current_task(selected_cpu()))} was interrupted at"
        f" {symbol_name(frame['rip'])}"),
    ("icr", "unsigned int"): lambda icr: print(f"  the card's ICR says {int(icr):#x}: {causes(icr)}"),
    ("napi", "napi"): lambda napi: print(f"  struct napi * {int(napi.address):#x}, polled by {symbol_name(napi['poll'])}"),
    ("skb", "sk_buff"): lambda skb: print(
        f"  struct sk_buff * {int(skb.address):#x}: {int(skb['len'])} bytes at {int(skb['data']):#x}"),
    ("four", "tcp_four"): lambda four: print(
        f"  from {host(four['daddr'], four['dport'])} to {host(four['saddr'], four['sport'])}"),
    ("key", "udp_key"): lambda key: print(
        f"  from {host(key['saddr'], key['sport'])} to {host(key['daddr'], key['dport'])}"),
    ("sk", "sock"): show_socket,
    ("wq", "wait_queue"): print_wait_queue,
    ("entry", "wait_entry"): lambda entry: print(f"  now: {purpose(entry['func'], entry)}"),
    ("epi", "epitem"): lambda item: print(f"  {item_name(item)}, wants {event_names(item['events'])}"),
    ("ep", "eventpoll"): lambda ep: print(f"  struct eventpoll * {int(ep.address):#x}"),
    ("key", "unsigned int"): lambda key: print(f"  key: {event_names(key)}"),
    ("count", "long"): lambda count: print(f"  {int(count)} events for the program"),
    ("task", "task"): lambda task: print(f"  task {task_name(task)}"),
    ("prev", "task"): lambda task: print(f"  from {task_name(task)}"),
    ("next", "task"): lambda task: print(f"  to {task_name(task)}"),
    ("received", "long"): lambda size: print(f"  {int(size)} bytes for {task_name(current_task(selected_cpu()))}"),
}
def is_card(vector):
    """Whether the interrupt is a network card's: the timer has one, too."""
    action = static("kernel/irq.c", "vectors")[vector]["actions"]
    return int(action) != 0 and int(action["handler"]) == address_of("e1000_interrupt")


# Where an event tells of more than the step.
IS_STEP = {
    2: lambda: is_card(int(variable("frame")["vector"])),
    12: lambda: int(variable("next")["pid"]) != 0,
}


class StepBreakpoint(gdb.Breakpoint):
    """Says, when it is hit, which step it is and what it works on."""

    def __init__(self, step, place):
        super().__init__(place)
        self.step = step

    def stop(self):
        if not IS_STEP.get(self.step.number, lambda: True)():
            return False
        print(f"\nstep {self.step.number}: {self.step.what}")
        for (name, kind), show in SHOW.items():
            value = variable(name)
            if value is not None and value.type.strip_typedefs().name == kind:
                show(value)
        return True


@command
def journey(argument):
    """Stops at a step of a packet's journey, and says what it means and works on. Usage: journey [STEP | all]
    Without an argument: lists the steps. `delete` takes the breakpoints away."""
    if not argument:
        for step in STEPS:
            print(f"{step.number:3} {step.function:18} {step.file:22} {step.what}")
        return
    steps = [step for step in STEPS if argument in ("all", str(step.number)) and step.event]
    if not steps:
        raise gdb.GdbError(f"{argument}: must be all, or from 2 to {STEPS[-1].number}; the card does step 1 alone")
    for step in steps:
        for place in [FUNCTIONS[step.number]] if step.number in FUNCTIONS else tracepoints(step.event):
            StepBreakpoint(step, place)


gdb.execute(f"source {ROOT / 'tools/gdb/tcp.py'}")
gdb.unwinder.register_unwinder(None, KernelUnwinder(), replace=True)
