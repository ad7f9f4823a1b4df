/* System calls about descriptors, and waiting for them. */
#pragma once

#include <fs/file.h>

struct epoll_event;
struct pollfd;
struct select_i386;
struct select_mask;
struct timespec;
struct timeval;
struct timeval_i386;

/* fs/read_write.c */
long sys_read(int fd, void __user *buffer, size_t size);
long sys_write(int fd, const void __user *buffer, size_t size);
long sys_pread64(int fd, void __user *buffer, size_t size, loff_t pos);
long sys_pwrite64(int fd, const void __user *buffer, size_t size, loff_t pos);
long sys_lseek(int fd, loff_t offset, u32 whence);

/* fs/readv_writev.c */
long sys_readv(int fd, const struct iovec __user *iov, u64 count);
long sys_writev(int fd, const struct iovec __user *iov, u64 count);
long sys_preadv(int fd, const struct iovec __user *iov, u64 count, loff_t pos);
long sys_pwritev(int fd, const struct iovec __user *iov, u64 count, loff_t pos);
long sys_preadv2(int fd, const struct iovec __user *iov, u64 count, loff_t pos, u64 high,
		 u32 flags);
long sys_pwritev2(int fd, const struct iovec __user *iov, u64 count, loff_t pos, u64 high,
		  u32 flags);

/* fs/sendfile.c */
long sys_sendfile(int out, int in, loff_t __user *offset, size_t size);
long sys_copy_file_range(int in, loff_t __user *in_offset, int out, loff_t __user *out_offset,
			 size_t size, u32 flags);

/* fs/splice.c */
long sys_splice(int in, loff_t __user *in_offset, int out, loff_t __user *out_offset, size_t size,
		u32 flags);
long sys_tee(int in, int out, size_t size, u32 flags);

/* fs/sync.c */
long sys_fsync(int fd);
long sys_fdatasync(int fd);
long sys_sync_file_range(int fd, loff_t offset, loff_t size, u32 flags);

/* fs/dup.c */
long sys_close(int fd);
long sys_close_range(u32 first, u32 last, u32 flags);
long sys_dup(int fd);
long sys_dup2(int old, int fd);
long sys_dup3(int old, int fd, u32 flags);

/* fs/fcntl.c */
long sys_fcntl(int fd, u32 command, u64 arg);
/* fs/ioctl.c */
long sys_ioctl(int fd, u32 command, u64 arg);

/* fs/pipe.c */
long sys_pipe(int __user *fds);
long sys_pipe2(int __user *fds, u32 flags);

/* fs/eventfd.c */
long sys_eventfd(u32 count);
long sys_eventfd2(u32 count, u32 flags);

/* fs/poll.c */
long sys_poll(struct pollfd __user *fds, u32 count, int timeout);
long sys_ppoll(struct pollfd __user *fds, u32 count, struct timespec __user *timeout,
	       const sigset_t __user *mask, size_t mask_size);

/* fs/eventpoll_ctl.c */
long sys_epoll_create(int size);
long sys_epoll_create1(int flags);
long sys_epoll_ctl(int epfd, int op, int fd, const struct epoll_event __user *event);
long sys_epoll_wait(int epfd, struct epoll_event __user *events, int max, int timeout);
long sys_epoll_pwait(int epfd, struct epoll_event __user *events, int max, int timeout,
		     const sigset_t __user *mask, size_t mask_size);
long sys_epoll_pwait2(int epfd, struct epoll_event __user *events, int max,
		      struct timespec __user *timeout, const sigset_t __user *mask,
		      size_t mask_size);

/* fs/select.c */
long sys_select(int n, void __user *in, void __user *out, void __user *ex,
		struct timeval __user *timeout);
long sys_pselect6(int n, void __user *in, void __user *out, void __user *ex,
		  struct timespec __user *timeout, const struct select_mask __user *mask);
long sys_i386_select(int n, void __user *in, void __user *out, void __user *ex,
		     struct timeval_i386 __user *timeout);
long sys_i386_old_select(const struct select_i386 __user *args);
