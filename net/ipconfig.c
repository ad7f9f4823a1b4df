/*
 * `ip=` on the command line, as Linux reads it:
 *
 *	ip=CLIENT:SERVER:GATEWAY:NETMASK:HOSTNAME:DEVICE:AUTOCONF:DNS0:DNS1
 *	ip=off
 *
 * Whatever is missing at the end may be left out. Without a netmask, the address's class gives one; without a
 * device, it is the first that is not lo. Asking somebody (dhcp, bootp, rarp) is not built.
 *
 * Context: process, at start-up.
 */
#include <net/ipconfig.h>

#include <fs/proc/proc.h>
#include <kernel/cmdline.h>
#include <kernel/lib/string.h>
#include <kernel/printk.h>
#include <kernel/process/misc.h>
#include <net/inet_device.h>
#include <net/inet_option.h>
#include <net/ip.h>
#include <net/route.h>

#define FIELD_SIZE 64
#define NR_DNS	   2

/* Constant once the command line was read. */
static struct {
	bool ask; /* for what is not built */
	be32 client, server, gateway, netmask;
	char hostname[FIELD_SIZE];
	char device[FIELD_SIZE];
	be32 dns[NR_DNS];
} config;

/* ---- the command line ------------------------------------------------------------------------------------- */

/* "10.0.2.15", and nothing behind it. */
static bool parse_address(const char *text, be32 *address)
{
	u32 result = 0;

	for (int i = 0; i < 4; i++) {
		u32 byte = 0;
		const char *start = text;

		while (isdigit_ascii(*text) && byte <= 255)
			byte = byte * 10 + (*text++ - '0');
		if (text == start || byte > 255 || *text++ != (i < 3 ? '.' : '\0'))
			return false;
		result = result << 8 | byte;
	}
	*address = htonl(result);
	return true;
}

static bool parse_mode(const char *text)
{
	static const char *const ask[] = { "on", "any", "dhcp", "bootp", "rarp", "both" };

	if (!strcmp(text, "off") || !strcmp(text, "none"))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(ask); i++)
		if (!strcmp(text, ask[i]))
			return config.ask = true;
	return false;
}

static bool parse_field(int number, const char *text)
{
	static be32 *const addresses[] = {
		&config.client, &config.server, &config.gateway, &config.netmask, NULL,
		NULL,		NULL,		&config.dns[0],	 &config.dns[1]
	};

	if (!*text)
		return true;
	switch (number) {
	case 4:
		return strlcpy(config.hostname, text, FIELD_SIZE) < FIELD_SIZE;
	case 5:
		return strlcpy(config.device, text, FIELD_SIZE) < IFNAMSIZ;
	case 6:
		return parse_mode(text);
	}
	return (size_t)number >= ARRAY_SIZE(addresses) || parse_address(text, addresses[number]);
}

static bool parse_ip(const char *value)
{
	char field[FIELD_SIZE];
	bool good = true;

	if (parse_mode(value))
		return true;
	for (int number = 0; value; number++) {
		const char *colon = strchr(value, ':');
		size_t length = colon ? (size_t)(colon - value) : strlen(value);

		good &= length < sizeof(field);
		strlcpy(field, value, min(length + 1, sizeof(field)));
		good &= parse_field(number, field);
		value = colon ? colon + 1 : NULL;
	}
	return good;
}
BOOT_OPTION(ip, "ip",
	    "the address: CLIENT:SERVER:GATEWAY:NETMASK:HOSTNAME:DEVICE:AUTOCONF:DNS0:DNS1, or off",
	    parse_ip);

/* ---- /proc/net/pnp: a resolv.conf ----------------------------------------------------------------------------- */

static void show_pnp(struct seq_buf *out, const struct proc_entry *entry)
{
	seq_printf(out, "#MANUAL\n");
	for (u32 i = 0; i < NR_DNS; i++)
		if (config.dns[i])
			seq_printf(out, "nameserver %pI4\n", &config.dns[i]);
	if (config.server)
		seq_printf(out, "bootserver %pI4\n", &config.server);
}

static const struct proc_entry net_files[] = {
	{ "pnp", 0444, .show = show_pnp },
};

/* ---- at start-up ----------------------------------------------------------------------------------------------- */

static int bring_up(struct netdev *dev, be32 address, be32 netmask, be32 broadcast)
{
	int error = inet_device_set(dev, address, netmask, broadcast);

	if (!error)
		error = netdev_change_flags(dev, dev->flags | IFF_UP);
	return error ?: route_device_update(dev);
}

static struct netdev *find_device(void)
{
	struct netdev *dev;

	if (config.device[0])
		return netdev_by_name(config.device);
	for_each_netdev(dev)
		if (!(dev->flags & IFF_LOOPBACK))
			return dev;
	return NULL;
}

static int configure(struct netdev *dev)
{
	be32 netmask = config.netmask ?: inet_class_mask(config.client);
	int error = bring_up(dev, config.client, netmask, config.client | ~netmask);

	if (!error && config.gateway)
		error = route_add(&(struct route_entry){
			.gateway = config.gateway, .dev = dev, .flags = RTF_UP | RTF_GATEWAY });
	if (!error)
		pr_info("net: %s is %pI4, netmask %pI4, gateway %pI4\n", dev->name, &config.client,
			&netmask, &config.gateway);
	return error;
}

void ipconfig_init(void)
{
	struct netdev *dev = find_device();
	int error = bring_up(loopback_dev, htonl(INADDR_LOOPBACK), htonl(0xff000000), 0);

	PROC_REGISTER("net", net_files);
	if (config.hostname[0])
		uts_set("hostname", config.hostname);
	if (config.ask && !config.client)
		pr_warn("net: ip= asks for DHCP, BOOTP or RARP, which are not here: give an "
			"address\n");
	else if (config.client && !dev)
		pr_warn("net: ip=: there is no device %s\n", config.device);
	else if (config.client)
		error = error ?: configure(dev);
	if (error)
		pr_err("net: ip=: error %d\n", error);
}
