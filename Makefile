# SPDX-License-Identifier: MIT
#
# The one front door of Pollux: `make help` lists what it does.
#
# Everything that is made goes below $(O); nothing is written beside the sources. Each rule that needs
# a tool waits for `setup`, which installs the Debian packages that are missing, so that `make run` and
# `make test` work in a fresh clone on a fresh machine.

VERSION := 0.1

O	?= build
B	:= $(O)$(if $(DEBUG),/debug)

ifeq ($(origin CC),default)
CC	:= $(CROSS_COMPILE)gcc
endif
ifeq ($(origin LD),default)
LD	:= $(CROSS_COMPILE)ld
endif
NM	:= $(CROSS_COMPILE)nm

# All processors, unless the user or the make above us has said otherwise.
ifeq ($(MAKELEVEL)$(filter -j%,$(shell tr '\0' ' ' < /proc/$$PPID/cmdline)),0)
MAKEFLAGS += -j$(shell nproc)
endif
MAKEFLAGS += --no-builtin-rules --no-print-directory
export PYTHONDONTWRITEBYTECODE := 1

Q	:= $(if $(V),,@)
say	= $(if $(V),,@printf '  %-7s %s\n' '$(1)' '$(2)')

# ---- the kernel ----------------------------------------------------------------------------------

KERNEL	:= $(B)/pollux.elf
PLUGIN	:= $(O)/count_plugin.so
SRCS	:= $(sort $(shell find boot kernel drivers fs net -name '*.[cS]' 2>/dev/null))
OBJS	:= $(SRCS:%=$(B)/%.o)

WARN	:= -Wall -Wextra -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wno-unused-parameter
WARN	+= $(if $(filter true,$(CI)),-Werror)

# No red zone and no vector registers: interrupts run on the kernel's stacks and save neither.
# Frame pointers: the backtrace of a panic walks them.
CODE	:= -mcmodel=kernel -mno-red-zone -mgeneral-regs-only -fno-pic -fno-pie -fcf-protection=none \
	   -fno-stack-protector -fno-asynchronous-unwind-tables -fno-omit-frame-pointer \
	   -fno-strict-aliasing -fno-common
CPPFLAGS := -I. -DPOLLUX_VERSION='"$(VERSION)"' $(if $(DEBUG),-DCONFIG_DEBUG=1)
CFLAGS	= -std=gnu11 -O2 -g -ffreestanding $(CODE) $(WARN)
ASFLAGS	:= -g
LDFLAGS	= -n -z max-page-size=4096 -z noexecstack \
	  $(shell $(LD) --help 2>/dev/null | grep -o -m1 -e --no-warn-rwx-segments) -T linker.ld

# Only vector registers would need a stack aligned to 16 bytes; to keep it so costs two instructions in many functions.
ifneq ($(findstring clang,$(CC)),)
CODE	+= -mstack-alignment=8 --target=x86_64-unknown-linux-gnu
ASFLAGS	+= --target=x86_64-unknown-linux-gnu
else
CODE	+= -mpreferred-stack-boundary=3
endif

.DEFAULT_GOAL := all
.PHONY: all
all: $(KERNEL) ## build the kernel: build/pollux.elf, with DEBUG=1 build/debug/pollux.elf

$(B)/%.c.o: %.c $(B)/.flags
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c -o $@ $<

$(B)/%.S.o: %.S $(B)/.flags
	$(call say,AS,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(ASFLAGS) -MMD -MP -c -o $@ $<

# Written only when it changes, so that another flag, compiler or set of sources rebuilds what it must. Another
# make may do the same at the same time.
write_if_changed = > $@.$$$$ && if cmp -s $@.$$$$ $@; then rm $@.$$$$; else mv $@.$$$$ $@; fi

$(B)/.flags: FORCE | setup
	$(Q)mkdir -p $(@D)
	$(Q){ printf '%s\n' '$(subst ','\'',$(CC) $(CPPFLAGS) $(CFLAGS) $(ASFLAGS) $(LD) $(LDFLAGS))'; \
		$(CC) --version | head -n 1; } $(write_if_changed)

$(B)/.objs: FORCE | setup
	$(Q)mkdir -p $(@D)
	$(Q)printf '%s\n' $(OBJS) $(write_if_changed)

# The image carries its own symbol table, for backtraces. It is linked with an empty table to learn the
# addresses, then with the real one. linker.ld puts the table behind everything it lists, so that the
# second link moves none of it; the last line of the rule holds that true.
$(B)/ksyms.empty.S: tools/ksyms.awk | $(B)/.flags
	$(Q)awk -f tools/ksyms.awk /dev/null > $@

$(B)/ksyms.full.S: $(B)/pollux.nosyms.elf tools/ksyms.awk
	$(call say,KSYMS,$@)
	$(Q)$(NM) -n $< | awk -f tools/ksyms.awk > $@

$(B)/ksyms.%.o: $(B)/ksyms.%.S
	$(Q)$(CC) $(ASFLAGS) -c -o $@ $<

$(B)/pollux.nosyms.elf: $(OBJS) $(B)/ksyms.empty.o linker.ld $(B)/.flags $(B)/.objs
	$(Q)$(LD) $(LDFLAGS) -o $@ $(filter %.o,$^)

$(KERNEL): $(OBJS) $(B)/ksyms.full.o linker.ld $(B)/.flags $(B)/.objs
	$(call say,LD,$@)
	$(Q)$(LD) $(LDFLAGS) -o $@.new $(filter %.o,$^)
	$(Q)$(NM) -n $@.new | awk -f tools/ksyms.awk | cmp -s - $(B)/ksyms.full.S || \
		{ echo 'error: the symbol table moved the code: .ksyms must come last in linker.ld' >&2; exit 1; }
	$(Q)mv $@.new $@

-include $(OBJS:.o=.d)

include user/user.mk

# ---- running it ----------------------------------------------------------------------------------

.PHONY: run iso gdb bench trace demo record replay
run: $(KERNEL) $(filter $(O)/%,$(INITRD)) ## boot it in QEMU to a shell, the serial line on the terminal; Ctrl-A X leaves
	$(Q)INITRD='$(INITRD)' tools/run $(KERNEL)

gdb: $(KERNEL) $(filter $(O)/%,$(INITRD)) ## boot it stopped at its first instruction and attach gdb
	$(Q)INITRD='$(INITRD)' tools/run --gdb tools/gdb/pollux.py $(KERNEL) $(GDB_ARGS)

trace: $(KERNEL) $(O)/initramfs.cpio ## record a packet's journey, and make build/trace.html of it, to step through
	$(Q)tools/trace $(KERNEL) $(O)/initramfs.cpio $(O)/trace.html

record: $(KERNEL) $(O)/initramfs.cpio ## record a whole run, with a datagram and a segment from outside
	$(Q)tools/replay --record $^ $(O)/replay

replay: $(KERNEL) $(O)/initramfs.cpio ## play the recorded run again, instruction by instruction, with gdb attached
	$(Q)tools/replay $^ $(O)/replay $(GDB_ARGS)

demo: $(KERNEL) $(O)/initramfs.cpio ## a guided tour in the terminal: a real packet's journey, each line explained
	$(Q)tools/demo $(KERNEL) $(O)/initramfs.cpio

iso: $(B)/pollux.iso ## make build/pollux.iso, for a CD or a USB stick

$(B)/pollux.iso: $(KERNEL) $(O)/initramfs.cpio iso/grub.cfg
	$(call say,ISO,$@)
	$(Q)rm -rf $(B)/iso && mkdir -p $(B)/iso/boot/grub
	$(Q)cp $(KERNEL) $(O)/initramfs.cpio $(B)/iso/boot/ && cp iso/grub.cfg $(B)/iso/boot/grub/
	$(Q)grub-mkrescue -o $@ $(B)/iso 2> $(B)/iso.log || { cat $(B)/iso.log >&2; rm -f $@; exit 1; }

bench: $(KERNEL) $(PLUGIN) bench-build $(O)/linux/modules.cpio ## measure it beside Debian's Linux and print the figures; T=REGEX: only these rows
	$(Q)tools/bench --out $(O) --filter '$(T)'

# Counts the instructions that a guest executes.
$(PLUGIN): tools/count_plugin.c | setup
	$(call say,HOSTCC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)gcc -std=gnu11 -O2 -Wall -Wextra -fPIC -shared -o $@ $<

# ---- testing it ----------------------------------------------------------------------------------

.PHONY: test check format soak fuzz
run_tests = tools/run-tests --out $(O) --filter '$(T)'

test: setup ## run every test; T=REGEX: only those whose name matches
	$(Q)$(MAKE) -s all iso $(PLUGIN) $(O)/initramfs.cpio unit-build sys-build net-build fuzz-build bench-build DEBUG=
	$(Q)$(MAKE) -s all DEBUG=1
	$(Q)$(run_tests) check unit pytest

check: setup ## the fast part of the tests: format, layering, lengths, unit tests
	$(Q)$(MAKE) -s unit-build
	$(Q)$(run_tests) check unit

soak_tests = tests/boot/test_soak.py tests/sys/test_stress.py tests/net/test_udp.py tests/net/test_storm.py \
	tests/net/test_flood.py tests/net/test_tcp_peers.py tests/net/test_tcp_soak.py
fuzz_tests = tests/boot/test_fuzz.py tests/sys/test_random_calls.py tests/sys/test_without_memory.py \
	tests/net/test_storm.py tests/fuzz/test_fuzzers.py

soak: setup ## boot it SOAK=100 times, run the programs with many threads as often; MINUTES=10 of mixed load on TCP
	$(Q)$(MAKE) -s all sys-build net-build bench-build DEBUG=
	$(Q)$(MAKE) -s all DEBUG=1
	$(Q)SOAK=$(or $(SOAK),100) MINUTES=$(or $(MINUTES),10) $(run_tests) --only '$(soak_tests)' pytest

fuzz: setup ## FUZZ=200 random command lines, initramfs, system calls; allocations that fail; frames
	$(Q)$(MAKE) -s all sys-build net-build fuzz-build DEBUG=
	$(Q)$(MAKE) -s all DEBUG=1
	$(Q)FUZZ=$(or $(FUZZ),200) $(run_tests) --only '$(fuzz_tests)' pytest

format: setup ## let clang-format lay out every C file
	$(Q)tools/check-format --fix

include tests/unit/unit.mk
include tests/sys/sys.mk
include tests/net/net.mk
include tests/fuzz/fuzz.mk
include tests/bench/bench.mk

# ---- setup, help, clean --------------------------------------------------------------------------

# What a goal needs on this machine: tools/setup has the lists.
needs_test := setup test check unit% format soak fuzz
needs_run := run gdb iso trace demo record replay
needs := $(if $(filter $(needs_test),$(MAKECMDGOALS)),test,$(if $(filter bench,$(MAKECMDGOALS)),bench,$(if \
	$(filter $(needs_run),$(MAKECMDGOALS)),run,build)))

.PHONY: setup help clean FORCE
setup: ## install the Debian packages that are missing; the other targets do it by themselves
	$(Q)tools/setup $(needs)

clean: ## remove everything that was built
	rm -rf $(O)

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(filter Makefile %.mk,$(MAKEFILE_LIST))
	@sed -n 's/^## //p' Makefile

## Settings, on the command line of make:
##   DEBUG=1 V=1 O=DIR CC=clang CROSS_COMPILE=PREFIX      how to build
##   SMP=4 MEM=1G APPEND='selftest' INITRD=FILE           the machine that run and gdb boot
##   NET=user|tap|none FWD='8080:80 5007:7'               its network; FWD: from 127.0.0.1's port to the guest's
##   APP='echo_poll 7006' APP='./my-program 1 2'          what it runs instead of its servers and its shell
##   ACCEL=tcg|kvm CPU=max GDB_ARGS='-batch ...'
##   T=REGEX SOAK=N MINUTES=N FUZZ=N                      which tests, and how many rounds
