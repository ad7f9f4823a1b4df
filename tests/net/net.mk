# SPDX-License-Identifier: MIT
#
# The guests of tests/net. One has tests/net/server.c as its first process, which starts tests/net/tcp.c; nothing else is
# there.
#
# Included by the root Makefile after user/user.mk, which defines MUSL_GCC.

$(O)/net/%: tests/net/%.c tests/net/net.mk user/user.mk | setup
	$(call say,MUSL,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(MUSL_GCC) -o $@ $<

$(O)/net/initramfs.cpio: $(O)/net/server $(O)/net/tcp tests/net/net.mk tools/mkinitramfs
	$(call say,CPIO,$@)
	$(Q)tools/mkinitramfs $@ $<=/init $(O)/net/tcp=/bin/tcp

# One with a shell, for TCP with real peers.
$(O)/net/peer.cpio: $(O)/net/tcp $(shell find user/rootfs -type f) tests/net/net.mk tools/mkinitramfs
	$(call say,CPIO,$@)
	$(Q)tools/mkinitramfs $@ user/rootfs/ busybox=/bin/busybox '->sbin/init=/init' $<=/bin/tcp

# One whose first process is user/echo_epoll.c.
$(O)/net/echo_epoll.cpio: $(O)/user/echo_epoll tests/net/net.mk tools/mkinitramfs
	$(call say,CPIO,$@)
	$(Q)mkdir -p $(@D)
	$(Q)tools/mkinitramfs $@ $<=/init

# One whose first process is tests/net/cost.c.
$(O)/net/cost.cpio: $(O)/net/cost tests/net/net.mk tools/mkinitramfs
	$(call say,CPIO,$@)
	$(Q)tools/mkinitramfs $@ $<=/init

# On the host.
$(O)/net/crowd: tests/net/crowd.c tests/net/net.mk | setup
	$(call say,HOSTCC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)gcc -std=gnu11 -O2 -D_GNU_SOURCE -Wall -Wextra -o $@ $<

.PHONY: net-build
net-build: $(O)/net/initramfs.cpio $(O)/net/echo_epoll.cpio $(O)/net/cost.cpio $(O)/net/peer.cpio $(O)/net/crowd
