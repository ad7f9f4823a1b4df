/* Who called whom: return addresses, by walking the frame pointers. */
#pragma once

#include <kernel/lib/types.h>

/* Saves up to `max` return addresses above the frame; returns how many. Any context, any pointer. */
u32 backtrace_save(u64 frame_pointer, u64 *addresses, u32 max);

/* Prints `  name+0x1c/0x80` for an instruction, respectively for a return address. */
void print_instruction(u64 address);
void print_return_address(u64 address);

/* Print `instruction` (unless 0) and the return addresses above `frame_pointer`. */
void print_backtrace(u64 instruction, u64 frame_pointer);

/* The frame of the function that says this. */
#define current_frame() ((u64)__builtin_frame_address(0))
