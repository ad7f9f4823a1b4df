# SPDX-License-Identifier: MIT
#
# Fuzzers of net/ on the host: each tests/fuzz/fuzz_*.c becomes one libFuzzer binary, with the sources that TCP's
# scripts name. tests/fuzz/corpus/NAME/ is what each begins with.
#
#	build/fuzz/fuzz_icmp DIR tests/fuzz/corpus/icmp		until it finds something; new inputs go into DIR
#	build/fuzz/fuzz_icmp FILE				one input again
#
# Included by the root Makefile after unit.mk, which defines unit_sources.

FUZZ_OUT := $(O)/fuzz
FUZZERS := $(basename $(notdir $(sort $(wildcard tests/fuzz/fuzz_*.c))))
FUZZ_CFLAGS := -std=gnu11 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer \
	       -fno-strict-aliasing -Wall -Wextra -Wno-unused-parameter -I. -DHOST_TEST $(if $(filter true,$(CI)),-Werror)
FUZZ_OBJS := $(patsubst %,$(FUZZ_OUT)/obj/%.o,tests/fuzz/fuzz.c $(filter-out tests/unit/tcp_script_%,$(call unit_sources,test_tcp_script)))

$(FUZZERS:%=$(FUZZ_OUT)/%): $(FUZZ_OUT)/%: $(FUZZ_OUT)/obj/tests/fuzz/%.c.o $(FUZZ_OBJS)
	$(call say,FUZZLD,$@)
	$(Q)clang $(FUZZ_CFLAGS) -fsanitize=fuzzer -no-pie -o $@ $^

$(FUZZ_OUT)/obj/%.c.o: %.c tests/fuzz/fuzz.mk | setup
	$(call say,FUZZCC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)clang $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<

-include $(shell find $(FUZZ_OUT)/obj -name '*.d' 2>/dev/null)

.PHONY: fuzz-build
fuzz-build: $(FUZZERS:%=$(FUZZ_OUT)/%)
