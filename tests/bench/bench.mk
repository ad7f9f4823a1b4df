# SPDX-License-Identifier: MIT
#
# What `make bench` runs: each tests/bench/*.c is a static program for the guest, whether that is Linux or Pollux,
# and all of them are in one initramfs, with the servers of user/; each tests/bench/host/*.c runs on the host.
#
# Included by the root Makefile after user/user.mk, which defines MUSL_GCC.

BENCH	:= $(O)/bench
LINUX	:= $(O)/linux
BENCH_HOST := $(patsubst tests/bench/host/%.c,$(BENCH)/host/%,$(wildcard tests/bench/host/*.c))
BENCH_PROGRAMS := $(patsubst tests/bench/%.c,$(BENCH)/%,$(sort $(wildcard tests/bench/*.c)))

$(BENCH)/%: tests/bench/%.c tests/bench/bench.mk user/user.mk | setup
	$(call say,MUSL,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(MUSL_GCC) -pthread -o $@ $<

$(BENCH)/host/%: tests/bench/host/%.c tests/bench/host/times.h tests/bench/bench.mk | setup
	$(call say,HOSTCC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)gcc -std=gnu11 -O2 -D_GNU_SOURCE -Wall -Wextra -Wno-unused-parameter -o $@ $<

$(BENCH)/initramfs.cpio: $(BENCH_PROGRAMS) $(USER_PROGRAMS) user/rootfs/www/index.html tests/bench/bench.mk tools/mkinitramfs
	$(call say,CPIO,$@)
	$(Q)tools/mkinitramfs $@ '->/bench/init=/init' user/rootfs/www/index.html=/www/index.html \
		$(foreach program,$(BENCH_PROGRAMS),$(program)=/bench/$(notdir $(program))) \
		$(foreach program,$(USER_PROGRAMS),$(program)=/user/$(notdir $(program)))

# Debian's own kernel, to compare with, and a second archive with the modules it needs. There is none where the
# package cannot be had: `make bench` then measures Pollux alone, and says so.
$(LINUX)/modules.cpio: tools/linux-kernel tools/mkinitramfs | setup
	$(call say,LINUX,$(LINUX))
	$(Q)tools/linux-kernel $(LINUX) e1000
	$(Q)tools/mkinitramfs $@ $(LINUX)/tree/

.PHONY: bench-build
bench-build: $(BENCH)/initramfs.cpio $(BENCH_HOST)
