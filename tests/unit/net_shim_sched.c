/* See net_shim.h: one task, which never sleeps: a socket's tests ask with MSG_DONTWAIT, or for what is there by then. */
#include "net_shim.h"

#include <kernel/mutex.h>
#include <kernel/panic.h>
#include <kernel/task.h>
#include <kernel/wait.h>
#include <net/inet.h>
#include <net/inet_device.h>

static struct task task; /* root */
DEFINE_PER_CPU(struct task *, current_task) = &task;
DEFINE_PER_CPU(bool, need_resched);

void wake_up_key(struct wait_queue *wq, u32 exclusive, u32 key)
{
}

void wake_up_sync(struct wait_queue *wq, u32 key)
{
}

void prepare_to_wait(struct wait_queue *wq, struct wait_entry *entry, u32 state)
{
}

void finish_wait(struct wait_queue *wq, struct wait_entry *entry)
{
}

bool schedule_timeout(u64 deadline)
{
	panic("a test would sleep");
}

void schedule(void)
{
	panic("a test would sleep");
}

bool signal_pending(void)
{
	return false;
}

bool autoremove_wake_function(struct wait_entry *entry, u32 key)
{
	return false;
}

int mutex_lock_slow(struct mutex *mutex, u32 task_state)
{
	panic("a mutex is taken twice");
}

void mutex_unlock_slow(struct mutex *mutex)
{
	panic("a mutex that is not taken");
}

void net_shim_inet_boot(void)
{
	static bool booted;

	net_shim_ip_boot();
	if (!booted)
		inet_start();
	booted = true;
}

/* Ioctls are all about a program's memory, which is not here. */
long inet_ioctl(struct sock *sk, u32 command, u64 arg)
{
	return -ENOTTY;
}

long inet_datagram_ioctl(struct sock *sk, u32 command, u64 arg)
{
	return -ENOTTY;
}
