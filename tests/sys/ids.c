/* User and group ids, and who may change them to what. */
#include <linux/capability.h>
#include <sys/fsuid.h>
#include <tests/sys/test.h>

static void say_ids(void)
{
	uid_t r, e, s;
	gid_t rg, eg, sg;

	MUST(getresuid(&r, &e, &s));
	MUST(getresgid(&rg, &eg, &sg));
	say("uid %d %d %d fs %d gid %d %d %d fs %d", r, e, s, setfsuid(-1), rg, eg, sg,
	    setfsgid(-1));
}

/* musl's own would reach all threads by signals; here the call itself is wanted. */
#define SETUID(uid)	   syscall(SYS_setuid, uid)
#define SETREUID(r, e)	   syscall(SYS_setreuid, r, e)
#define SETRESUID(r, e, s) syscall(SYS_setresuid, r, e, s)
#define SETGID(gid)	   syscall(SYS_setgid, gid)
#define SETREGID(r, e)	   syscall(SYS_setregid, r, e)
#define SETRESGID(r, e, s) syscall(SYS_setresgid, r, e, s)

TEST(root_setuid)
{
	say_ids();
	SHOW(SETUID(-1));
	SHOW(SETUID(1000));
	say_ids();
	SHOW(SETUID(0));
	SHOW(SETUID(1000));
	SHOW(SETREUID(-1, 0));
	SHOW(SETRESUID(-1, -1, 0));
	SHOW(SETRESUID(-1, -1, -1));
}

TEST(seteuid_and_back)
{
	SHOW(SETRESUID(-1, 1000, -1));
	say_ids();
	SHOW(SETRESUID(-1, 1001, -1));
	SHOW(SETUID(0));
	say_ids();
	SHOW(SETRESUID(-1, 0, -1));
	say_ids();
}

TEST(setreuid)
{
	SHOW(SETREUID(1000, 1001));
	say_ids();
	SHOW(SETREUID(1001, 1000));
	say_ids();
	SHOW(SETREUID(-1, 1001));
	say_ids();
	SHOW(SETREUID(2000, -1));
	SHOW(SETREUID(-1, 2000));
}

TEST(setresuid)
{
	SHOW(SETRESUID(1, 2, 3));
	say_ids();
	SHOW(SETRESUID(3, 1, 2));
	say_ids();
	SHOW(SETRESUID(4, -1, -1));
	SHOW(SETUID(3));
	say_ids();
	SHOW(SETUID(9));
}

TEST(groups_of_ids)
{
	SHOW(SETGID(5));
	say_ids();
	SHOW(SETREGID(6, 7));
	say_ids();
	SHOW(SETRESGID(8, 9, 10));
	say_ids();
	SHOW(SETUID(1000));
	SHOW(SETGID(10));
	say_ids();
	SHOW(SETGID(11));
	SHOW(SETREGID(-1, 10));
	SHOW(SETRESGID(-1, 11, -1));
	say_ids();
}

TEST(fsuid)
{
	put_file("f", "");
	MUST(chmod("f", 0600));
	SHOW(setfsuid(1000));
	SHOW(setfsuid(-1));
	SHOW_OK(open("f", O_RDONLY));
	SHOW(setfsuid(0));
	SHOW_OK(open("f", O_RDONLY));
	SHOW(setfsgid(5));
	SHOW(setfsgid(-1));
	MUST(SETUID(1000));
	SHOW(setfsuid(0));
	SHOW(setfsuid(-1));
}

TEST(supplementary_groups)
{
	static gid_t groups[70000], list[10] = { 3, 1, 2 };

	SHOW(syscall(SYS_setgroups, 3, list));
	memset(list, 0, sizeof(list));
	SHOW(getgroups(0, NULL));
	SHOW(getgroups(2, list));
	SHOW(getgroups(10, list));
	say("%d %d %d", list[0], list[1], list[2]);
	SHOW(getgroups(-1, list));
	SHOW(syscall(SYS_setgroups, 65537, groups));
	SHOW(syscall(SYS_setgroups, -1, groups));
	SHOW(syscall(SYS_setgroups, 1, 16));
	SHOW(syscall(SYS_setgroups, 0, NULL));
	SHOW(getgroups(0, NULL));
	MUST(SETUID(1000));
	SHOW(syscall(SYS_setgroups, 0, NULL));
}

TEST(pointers)
{
	uid_t id;

	SHOW(syscall(SYS_getresuid, &id, &id, 16));
	SHOW(syscall(SYS_getresgid, 16, &id, &id));
}

TEST(capabilities)
{
	struct __user_cap_header_struct header = { 0x20080522, 0 };
	struct __user_cap_data_struct data[2];

	SHOW(syscall(SYS_capget, &header, data));
	say("chown: %s", yes_no(data[0].effective & 1));
	header.version = 7;
	SHOW(syscall(SYS_capget, &header, data));
	say("version %x", header.version);
	SHOW(syscall(SYS_capget, &header, NULL));
	header.pid = 99999;
	SHOW(syscall(SYS_capget, &header, data));
	header.pid = 0;
	MUST(SETUID(1000));
	SHOW(syscall(SYS_capget, &header, data));
	say("after setuid: %x %x", data[0].effective, data[0].permitted);
}
