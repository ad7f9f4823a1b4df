# SPDX-License-Identifier: MIT
#
# The programs that compare Pollux with Linux: each tests/sys/*.c is one, run.c starts the others.
# All of them are in one initramfs.
#
# Included by the root Makefile after user/user.mk, which defines MUSL_GCC.

SYS	:= $(O)/sys
# They give NULL and ignore results on purpose.
SYS_WARN := -Wno-nonnull -Wno-unused-result -Wno-stringop-overflow -Wno-stringop-overread -Wno-array-bounds -Wno-infinite-recursion \
	    -Wno-missing-field-initializers

SYS_PROGRAMS := $(patsubst tests/sys/%.c,$(SYS)/%,$(sort $(wildcard tests/sys/*.c)))

$(SYS)/%: tests/sys/%.c tests/sys/sys.mk user/user.mk | setup
	$(call say,MUSL,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(MUSL_GCC) $(SYS_WARN) -pthread -MMD -MP -MF $@.d -o $@ $<

-include $(SYS_PROGRAMS:=.d)

$(SYS)/initramfs.cpio: $(SYS_PROGRAMS) tests/sys/sys.mk tools/mkinitramfs
	$(call say,CPIO,$@)
	$(Q)tools/mkinitramfs $@ '->/tests/run=/init' \
		$(foreach program,$(SYS_PROGRAMS),$(program)=/tests/$(notdir $(program)))

.PHONY: sys-build
sys-build: $(SYS)/initramfs.cpio
