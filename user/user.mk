# SPDX-License-Identifier: MIT
#
# Programs that run on Pollux, and on Linux: static, built by musl-gcc. `make run` boots $(INITRD), which
# is BusyBox, what user/rootfs/ holds, and each user/*.c as /usr/bin/NAME.
#
# Included by the root Makefile, which defines O, Q, say and setup.

INITRD	?= $(O)/initramfs.cpio
USER_PROGRAMS := $(patsubst user/%.c,$(O)/user/%,$(wildcard user/*.c))

# The kernel's headers, which musl leaves to the system, come after its own.
MUSL_GCC := musl-gcc -std=gnu11 -O2 -g -static -D_GNU_SOURCE -I. -Wall -Wextra -Wno-unused-parameter \
	   $(if $(filter true,$(CI)),-Werror) \
	   -idirafter /usr/include -idirafter /usr/include/x86_64-linux-gnu

$(O)/user/%: user/%.c user/user.mk | setup
	$(call say,MUSL,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(MUSL_GCC) -MMD -MP -MF $@.d -o $@ $<

$(O)/initramfs.cpio: $(USER_PROGRAMS) $(shell find user/rootfs -type f) user/user.mk tools/mkinitramfs | setup
	$(call say,CPIO,$@)
	$(Q)mkdir -p $(@D)
	$(Q)tools/mkinitramfs $@ user/rootfs/ busybox=/bin/busybox '->sbin/init=/init' \
		$(foreach program,$(USER_PROGRAMS),$(program)=/usr/bin/$(notdir $(program)))

-include $(USER_PROGRAMS:=.d)
