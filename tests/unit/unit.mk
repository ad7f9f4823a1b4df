# SPDX-License-Identifier: MIT
#
# Unit tests on the host, under ASan and UBSan: each tests/unit/test_*.c becomes one binary, linked
# with unit.c and the sources that the test's first line names: /* sources: kernel/lib/rbtree.c ... */
#
#	make unit			all of them; prints what failed
#	make unit T=rotate		only tests with "rotate" in their name
#	make unit HOSTCC=clang		with the other compiler
#
# Included by the root Makefile, which defines O, Q, T, say, write_if_changed, setup and FORCE.

HOSTCC	?= gcc
UNIT	:= $(O)/unit
UNIT_TESTS := $(basename $(notdir $(sort $(wildcard tests/unit/test_*.c))))
UNIT_BINS := $(UNIT_TESTS:%=$(UNIT)/%)

UNIT_CFLAGS := -std=gnu11 -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all \
	       -fno-omit-frame-pointer -fno-strict-aliasing -Wall -Wextra -Wno-unused-parameter \
	       -I. -DHOST_TEST $(if $(filter true,$(CI)),-Werror)

unit_sources = $(wildcard $(shell sed -n '1s,^/\* *sources: *\(.*\) \*/.*,\1,p' tests/unit/$(1).c))

define unit_rule
$(UNIT)/$(1): $(patsubst %,$(UNIT)/obj/%.o,tests/unit/$(1).c tests/unit/unit.c $(call unit_sources,$(1)))
endef
$(foreach test,$(UNIT_TESTS),$(eval $(call unit_rule,$(test))))

$(UNIT_BINS):
	$(call say,HOSTLD,$@)
	$(Q)$(HOSTCC) $(UNIT_CFLAGS) -no-pie -o $@ $^

$(UNIT)/obj/%.c.o: %.c $(UNIT)/.flags
	$(call say,HOSTCC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(HOSTCC) $(UNIT_CFLAGS) -MMD -MP -c -o $@ $<

$(UNIT)/.flags: FORCE | setup
	$(Q)mkdir -p $(@D)
	$(Q)echo '$(HOSTCC) $(UNIT_CFLAGS)' $(write_if_changed)

-include $(shell find $(UNIT)/obj -name '*.d' 2>/dev/null)

# A run writes its log beside the binary and leaves its verdict as the last line.
$(UNIT_TESTS:%=unit-run-%): unit-run-%: $(UNIT)/%
	$(Q)if $< $(T) > $<.log 2>&1; then \
		printf '  %-7s %s: %s\n' UNIT $* "$$(tail -n 1 $<.log)"; \
	else \
		grep -v '^ok ' $<.log; printf '  %-7s %s: see %s\n' FAILED $* $<.log; exit 1; \
	fi

.PHONY: unit unit-build $(UNIT_TESTS:%=unit-run-%)
unit-build: $(UNIT_BINS)
unit: $(UNIT_TESTS:%=unit-run-%) ## run the unit tests on the host (T=part-of-a-name)
