# SPDX-License-Identifier: MIT
#
# From `nm -n` of the image to the symbol table that kernel/ksyms.c searches: the functions of the higher
# half, by address, as offsets from its start. The assembler does the arithmetic on the addresses.

BEGIN { names_len = 0; n = 0 }

$1 ~ /^ffffffff[89a-f]/ && $2 ~ /^[tTwW]$/ && $3 !~ /^(kernel|text|rodata|data)_(start|end)$/ {
	addr[n] = substr($1, 9)
	name[n++] = $3
}

END {
	print ".section .ksyms, \"a\", @progbits"
	print ".globl ksyms_count, ksyms_addr, ksyms_name_off, ksyms_names"
	print ".balign 4"
	printf "ksyms_count: .long %d\n", n
	print "ksyms_addr:"
	for (i = 0; i < n; i++)
		printf "\t.long 0x%s - 0x80000000\n", addr[i]
	print "ksyms_name_off:"
	for (i = 0; i < n; i++) {
		printf "\t.long %d\n", names_len
		names_len += length(name[i]) + 1
	}
	print "ksyms_names:"
	for (i = 0; i < n; i++)
		printf "\t.asciz \"%s\"\n", name[i]
	print ".section .note.GNU-stack, \"\", @progbits"
}
