/* What the keys of a US keyboard mean: scancodes of the PC's first set. */
#pragma once

#include <kernel/lib/types.h>

#define KEYMAP_SIZE 128

/* 0: no character. */
extern const char keymap_plain[KEYMAP_SIZE];
extern const char keymap_shifted[KEYMAP_SIZE];

/* What a terminal sends for an arrow, a function key and the like; NULL: it is none. */
const char *keymap_sequence(u8 key, bool extended);

/* Keys that are there twice and mean the same: Enter and / of the keypad. */
bool keymap_same_when_extended(u8 key);
