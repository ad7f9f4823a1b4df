/*
 * The names of unix sockets: a path, which is an inode that knows its socket; or an abstract name, which is in a
 * table. Whoever looks for a name gets the socket with a reference.
 *
 * Context: process. Locks: user_lock of the socket that gets a name; unix_names_lock (plain): both kinds of names,
 * and the list of all sockets.
 */
#include <net/unix.h>

#include <fs/remove.h>
#include <fs/vfs.h>
#include <kernel/lib/errno.h>
#include <kernel/lib/hash.h>
#include <kernel/lib/printf.h>
#include <kernel/lib/string.h>
#include <kernel/mm/slab.h>
#include <kernel/random.h>

#define NAME_BUCKETS 256
#define PATH_OFFSET  offsetof(struct sockaddr_un, path)
#define AUTO_NAMES   (1U << 20) /* five hexadecimal digits */

DEFINE_SPINLOCK(unix_names_lock);
LIST_HEAD(unix_socks);
static struct hlist_head buckets[NAME_BUCKETS];
static struct siphash_key hash_key; /* constant after start-up */

void unix_name_init(void)
{
	random_fill(&hash_key, sizeof(hash_key));
}

void unix_list_add(struct unix_sock *u)
{
	spin_lock(&unix_names_lock);
	list_add_tail(&u->all, &unix_socks);
	spin_unlock(&unix_names_lock);
}

/* ---- addresses ----------------------------------------------------------------------------------------- */

int unix_check_addr(const struct sockaddr_storage *addr, u32 length)
{
	if (length <= PATH_OFFSET || length > sizeof(addr->un) || addr->family != AF_UNIX)
		return -EINVAL;
	return 0;
}

static bool is_abstract(const struct sockaddr_un *name)
{
	return !name->path[0];
}

/* A path ends with a zero that counts, whether the program gave it or not. */
static struct unix_address *address_create(const struct sockaddr_un *name, u32 length)
{
	struct unix_address *address = kzalloc(sizeof(*address), GFP_KERNEL);

	if (!address)
		return NULL;
	address->refcount = 1;
	memcpy(&address->name, name, length);
	address->length = is_abstract(name) ? length : PATH_OFFSET + strlen(address->name.path) + 1;
	return address;
}

void unix_address_put(struct unix_address *address)
{
	if (__atomic_sub_fetch(&address->refcount, 1, __ATOMIC_ACQ_REL) == 0)
		kfree(address);
}

static struct unix_address *address_of(const struct unix_sock *u)
{
	return __atomic_load_n(&u->address, __ATOMIC_ACQUIRE);
}

static u32 copy_address(struct sockaddr_storage *addr, const struct unix_sock *u)
{
	const struct unix_address *address = address_of(u);

	if (!address) {
		addr->family = AF_UNIX;
		return PATH_OFFSET;
	}
	memcpy(addr, &address->name, address->length);
	return address->length;
}

int unix_getname(struct sock *sk, struct sockaddr_storage *addr, bool peer)
{
	struct unix_sock *u = unix_sk(sk);
	u32 length;

	if (!peer)
		return copy_address(addr, u);
	u = unix_peer_get(u);
	if (!u)
		return -ENOTCONN;
	length = copy_address(addr, u);
	sock_put(&u->sk);
	return length;
}

void unix_copy_name(struct msg *msg, const struct unix_sock *sender)
{
	if (address_of(sender))
		msg->name_length = copy_address(&msg->name, sender);
}

/* ---- finding ------------------------------------------------------------------------------------------- */

static struct hlist_head *bucket_of(const struct sockaddr_un *name, u32 length)
{
	return &buckets[siphash(name->path, length - PATH_OFFSET, &hash_key) % NAME_BUCKETS];
}

/* Streams, datagrams and sequenced packets have names of their own each. unix_names_lock held. */
static struct unix_sock *lookup_abstract(const struct sockaddr_un *name, u32 length, u8 type)
{
	struct unix_sock *u;

	hlist_for_each_entry(u, bucket_of(name, length), by_name)
		if (u->sk.type == type && u->address->length == length &&
		    !memcmp(&u->address->name, name, length))
			return u;
	return NULL;
}

static struct unix_sock *find_abstract(const struct sockaddr_un *name, u32 length, u8 type)
{
	struct unix_sock *u;

	spin_lock(&unix_names_lock);
	u = lookup_abstract(name, length, type);
	if (u)
		sock_get(&u->sk);
	spin_unlock(&unix_names_lock);
	return u ?: ERR_PTR(-ECONNREFUSED);
}

static struct unix_sock *bound_to(const struct inode *inode)
{
	struct unix_sock *u;

	spin_lock(&unix_names_lock);
	u = inode->bound;
	if (u)
		sock_get(&u->sk);
	spin_unlock(&unix_names_lock);
	return u ?: ERR_PTR(-ECONNREFUSED);
}

static struct unix_sock *find_path(const char *path, u8 type)
{
	struct dentry *dentry = path_walk(AT_FDCWD, path, WALK_FOLLOW);
	struct unix_sock *u;
	int error;

	if (IS_ERR(dentry))
		return (void *)dentry;
	error = inode_permission(dentry->inode, MAY_WRITE);
	if (!error && !S_ISSOCK(dentry->inode->mode))
		error = -ECONNREFUSED;
	u = error ? ERR_PTR(error) : bound_to(dentry->inode);
	dentry_put(dentry);
	if (IS_ERR(u) || u->sk.type == type)
		return u;
	sock_put(&u->sk);
	return ERR_PTR(-EPROTOTYPE);
}

struct unix_sock *unix_find(const struct sockaddr_storage *addr, u32 length, u8 type)
{
	char path[UNIX_PATH_MAX + 1];

	if (is_abstract(&addr->un))
		return find_abstract(&addr->un, length, type);
	memcpy(path, addr->un.path, length - PATH_OFFSET);
	path[length - PATH_OFFSET] = 0;
	return find_path(path, type);
}

/* ---- binding: user_lock held --------------------------------------------------------------------------- */

static void publish(struct unix_sock *u, struct unix_address *address)
{
	__atomic_store_n(&u->address, address, __ATOMIC_RELEASE);
}

/* The name is made first and given back if the socket turns out to have one: that is the order of Linux's errors. */
static int bind_path(struct unix_sock *u, struct unix_address *address)
{
	const char *path = address->name.path;
	struct dentry *dentry = path_mknod(AT_FDCWD, path, S_IFSOCK | 0777, 0);

	if (IS_ERR(dentry))
		return PTR_ERR(dentry) == -EEXIST ? -EADDRINUSE : PTR_ERR(dentry);
	if (u->address) {
		remove_at(AT_FDCWD, path, false);
		dentry_put(dentry);
		return -EINVAL;
	}
	spin_lock(&unix_names_lock);
	u->dentry = dentry;
	dentry->inode->bound = u;
	publish(u, address);
	spin_unlock(&unix_names_lock);
	return 0;
}

static int bind_abstract(struct unix_sock *u, struct unix_address *address)
{
	int error = 0;

	if (u->address)
		return -EINVAL;
	spin_lock(&unix_names_lock);
	if (lookup_abstract(&address->name, address->length, u->sk.type)) {
		error = -EADDRINUSE;
	} else {
		publish(u, address);
		hlist_add_head(&u->by_name, bucket_of(&address->name, address->length));
	}
	spin_unlock(&unix_names_lock);
	return error;
}

/* An abstract name of five digits, the first that is free from somewhere on. */
static int bind_auto(struct unix_sock *u, struct unix_address *address)
{
	u32 first = random_below(AUTO_NAMES), i;
	int error = -EADDRINUSE;

	for (i = 0; i < AUTO_NAMES && error == -EADDRINUSE; i++) {
		snprintf(address->name.path + 1, 6, "%05x", (first + i) % AUTO_NAMES);
		error = bind_abstract(u, address);
		cond_resched();
	}
	return error == -EADDRINUSE ? -ENOSPC : error;
}

int unix_autobind(struct unix_sock *u)
{
	const struct sockaddr_un empty = { .family = AF_UNIX };
	struct unix_address *address;
	int error = 0;

	mutex_lock(&u->sk.user_lock);
	if (!u->address) {
		address = address_create(&empty, PATH_OFFSET + 6);
		error = address ? bind_auto(u, address) : -ENOMEM;
		if (error && address)
			unix_address_put(address);
	}
	mutex_unlock(&u->sk.user_lock);
	return error;
}

int unix_bind(struct sock *sk, const struct sockaddr_storage *addr, u32 length)
{
	struct unix_sock *u = unix_sk(sk);
	struct unix_address *address;
	int error;

	if (length == PATH_OFFSET && addr->family == AF_UNIX)
		return unix_autobind(u);
	error = unix_check_addr(addr, length);
	if (error)
		return error;
	address = address_create(&addr->un, length);
	if (!address)
		return -ENOMEM;
	mutex_lock(&sk->user_lock);
	error = is_abstract(&addr->un) ? bind_abstract(u, address) : bind_path(u, address);
	mutex_unlock(&sk->user_lock);
	if (error)
		unix_address_put(address);
	return error;
}

/* The name itself stays: its peers may still ask. */
void unix_unname(struct unix_sock *u)
{
	struct dentry *dentry;

	spin_lock(&unix_names_lock);
	hlist_del_init(&u->by_name);
	list_del_init(&u->all);
	dentry = u->dentry;
	u->dentry = NULL;
	if (dentry)
		dentry->inode->bound = NULL;
	spin_unlock(&unix_names_lock);
	if (dentry)
		dentry_put(dentry);
}
