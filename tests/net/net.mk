# SPDX-License-Identifier: MIT
#
# The guest of tests/net: its first process is tests/net/server.c, and there is nothing else.
#
# Included by the root Makefile after user/user.mk, which defines MUSL_GCC.

$(O)/net/server: tests/net/server.c tests/net/net.mk user/user.mk | setup
	$(call say,MUSL,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(MUSL_GCC) -o $@ $<

$(O)/net/initramfs.cpio: $(O)/net/server tests/net/net.mk tools/mkinitramfs
	$(call say,CPIO,$@)
	$(Q)tools/mkinitramfs $@ $<=/init

# One whose first process is user/tcp_echo.c.
$(O)/net/tcp_echo.cpio: $(O)/user/tcp_echo tests/net/net.mk tools/mkinitramfs
	$(call say,CPIO,$@)
	$(Q)mkdir -p $(@D)
	$(Q)tools/mkinitramfs $@ $<=/init

.PHONY: net-build
net-build: $(O)/net/initramfs.cpio $(O)/net/tcp_echo.cpio
