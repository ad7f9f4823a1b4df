/*
 * What `int 0x80` reaches, by Linux's i386 numbers: the calls of our reading, and enough to write a small
 * program with. All arguments are 32 bits wide, pointers too.
 */
CALL(1, sys_exit)
CALL(3, sys_read)
CALL(4, sys_write)
CALL(5, sys_open)
CALL(6, sys_close)
CALL(20, sys_getpid)
CALL(41, sys_dup)
CALL(42, sys_pipe)
CALL(63, sys_dup2)
CALL(82, sys_i386_old_select)
CALL(142, sys_i386_select)
CALL(168, sys_poll)
CALL(224, sys_gettid)
CALL(252, sys_exit_group)
CALL(254, sys_epoll_create)
CALL(255, sys_epoll_ctl)
CALL(256, sys_epoll_wait)
CALL(328, sys_eventfd2)
CALL(329, sys_epoll_create1)
CALL(331, sys_pipe2)
