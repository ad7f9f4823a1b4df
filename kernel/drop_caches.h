#pragma once

/* Give back what the allocators of all CPUs keep for their next use, so that what is in use can be counted: with
 * nothing else running, the same afterwards as before. Process context; sleeps. */
void drop_caches(void);
