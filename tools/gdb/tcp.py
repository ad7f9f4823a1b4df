# SPDX-License-Identifier: MIT
"""px-tcp: TCP's sockets, to their sequence numbers. tools/gdb/pollux.py sources this file and has the names used here."""

TICK_NS, LOW_BITS = 1 << 16, 1 << 32  # of tcp_sock.due, as in net/tcp_timer.c
SACKED = {0: "sacked", 1: "lost", 2: "sent again"}  # enum tcp_sacked, by bit


def enum_name(type_name, prefix, number):
    """ESTABLISHED for 1 of enum tcp_state."""
    names = {each.enumval: each.name for each in gdb.lookup_type(f"enum {type_name}").fields()}
    return names.get(int(number), f"{prefix}{int(number)}").removeprefix(prefix)


def segments(queue):
    """(segment, its tcp_cb) of each that is on a queue."""
    control = gdb.lookup_type("struct tcp_cb").pointer()
    for skb in list_entries(queue["list"], "struct sk_buff", "link"):
        yield skb, skb["cb"].address.cast(control).dereference()


def print_segments(what, queue, say=lambda skb, cb: ""):
    for skb, cb in segments(queue):
        print(f"    {what:13} {int(cb['seq'])} to {int(cb['end_seq'])}{say(skb, cb)}")


def sending_state(send_head):
    """What print_segments() says of those on a write queue: up to send_head they were sent."""
    unsent = False

    def say(skb, cb):
        nonlocal unsent
        unsent = unsent or int(skb.address) == int(send_head)
        marks = ["not sent yet"] if unsent else ["sent"]
        marks += [name for bit, name in SACKED.items() if int(cb["sacked"]) >> bit & 1]
        return "".join(f", {mark}" for mark in marks)

    return say


def print_timers(tp):
    """`due` has the low bits; the high ones are those of the one timer that stands for all, at the first of them or soon after."""
    near = int(tp["timer"]["expires"]) // TICK_NS
    for index, due in ((n, int(tp["due"][n])) for n in range(3) if tp["due"][n]):
        ticks = near + (due - near + LOW_BITS // 2) % LOW_BITS - LOW_BITS // 2
        name = enum_name("tcp_timer", "TCP_TIMER_", index).lower()
        mode = f" ({enum_name('tcp_timer_mode', 'TCP_MODE_', tp['timer_mode']).lower()})" if index == 0 else ""
        print(f"    timer {name}{mode} at {ticks * TICK_NS / 1e9:.3f} s")


def print_listener(tp):
    listen = tp["listen"].dereference()
    print(f"  {int(listen['nr_requests'])} SYNs half done, {int(listen['nr_children'])} wait for accept(), backlog"
          f" {int(listen['backlog'])}")
    for level in range(listen["requests"].type.range()[1] + 1):
        for request in list_entries(listen["requests"][level], "struct tcp_request", "link"):
            theirs = request["hashed"]
            print(f"    half done     {host(theirs['daddr'], theirs['dport'])}, {int(request['retries'])} SYN-ACKs sent again")
    child = listen["first_child"]
    while int(child):
        print(f"    for accept()  {host(child['hashed']['daddr'], child['hashed']['dport'])}, struct tcp_sock * {int(child):#x}")
        child = child["accept_next"]


def print_connection(tp):
    sk = tp["inet"]["sk"]
    print(f"  receives: next {int(tp['rcv_nxt'])}, program at {int(tp['copied_seq'])},"
          f" window {int(tp['rcv_wnd'])}, rmem {int(sk['rmem'])} of {int(sk['rcvbuf'])}")
    print_segments("to be read", sk["receive_queue"])
    print_segments("out of order", tp["ooo"])
    print(f"  sends: unacknowledged {int(tp['snd_una'])}, next {int(tp['snd_nxt'])}, program at {int(tp['write_seq'])},"
          f" window {int(tp['snd_wnd'])}, wmem {int(sk['wmem'])} of {int(sk['sndbuf'])}")
    print_segments("to be acked", tp["write_queue"], sending_state(tp["send_head"]))
    print(f"  {text_of(tp['cong']['name'])} in {enum_name('tcp_ca_state', 'TCP_CA_', tp['ca_state'])}: cwnd {int(tp['cwnd'])}, mss"
          f" {int(tp['mss'])}, srtt {int(tp['srtt']) / 8000:.3f} ms, rto {int(tp['rto']) / 1000:.0f} ms;"
          f" {int(tp['packets_out'])} segments out, {int(tp['lost_out'])} lost, {int(tp['total_retrans'])} ever sent again")
    print_timers(tp)


@command
def px_tcp(argument):
    """TCP's sockets: states, sequence numbers, queues, timers. Usage: px-tcp [PORT]
    Those that a descriptor leads to; PORT: of them, those that have this local port."""
    for task, number, file in open_files("socket_file_ops"):
        sk = private_data(file, "struct sock")
        if int(sk["ops"]) != address_of("tcp_sock_ops"):
            continue
        tp = at(sk.address, "struct tcp_sock")
        inet, hashed = tp["inet"], tp["hashed"]
        if argument and int(inet["port"]) != int(argument):
            continue
        state = enum_name("tcp_state", "TCP_", hashed["state"])
        ours = f"{ipaddress.ip_address(int(inet['rcv_saddr']).to_bytes(4, 'little'))}:{int(inet['port'])}"
        theirs = f" to {host(hashed['daddr'], hashed['dport'])}" if int(hashed["dport"]) else ""
        print(f"{ours}{theirs} {state}, fd {number} of {task_name(task)}, struct tcp_sock * {int(tp.address):#x}")
        if state == "LISTEN":
            print_listener(tp)
        elif state != "CLOSE":
            print_connection(tp)
