/* The system calls that take a path, or that are about what a path leads to. */
#pragma once

#include <fs/vfs.h>

/* path_from_user() and path_walk() in one. WALK_EMPTY: an empty path is fine. */
struct dentry *user_walk(int dirfd, const char __user *user, u32 flags);
void paths_init(void);

struct dirent64;
struct open_how;
struct stat64;
struct statfs64;
struct statx;
struct timeval64;
struct utimbuf64;

/* fs/open.c */
long sys_open(const char __user *path, int flags, u32 mode);
long sys_openat(int dirfd, const char __user *path, int flags, u32 mode);
long sys_openat2(int dirfd, const char __user *path, const struct open_how __user *how, u64 size);
long sys_creat(const char __user *path, u32 mode);

/* fs/stat.c, fs/statx.c, fs/statfs.c */
long sys_stat(const char __user *path, struct stat64 __user *out);
long sys_lstat(const char __user *path, struct stat64 __user *out);
long sys_fstat(int fd, struct stat64 __user *out);
long sys_newfstatat(int dirfd, const char __user *path, struct stat64 __user *out, int flags);
long sys_statx(int dirfd, const char __user *path, u32 flags, u32 mask, struct statx __user *out);
long sys_readlink(const char __user *path, char __user *buf, int size);
long sys_readlinkat(int dirfd, const char __user *path, char __user *buf, int size);
long sys_statfs(const char __user *path, struct statfs64 __user *out);
long sys_fstatfs(int fd, struct statfs64 __user *out);

/* fs/access.c, fs/attributes.c, fs/utimes.c */
long sys_access(const char __user *path, int mode);
long sys_faccessat(int dirfd, const char __user *path, int mode);
long sys_faccessat2(int dirfd, const char __user *path, int mode, int flags);
long sys_chmod(const char __user *path, u32 mode);
long sys_fchmod(int fd, u32 mode);
long sys_fchmodat(int dirfd, const char __user *path, u32 mode);
long sys_fchmodat2(int dirfd, const char __user *path, u32 mode, u32 flags);
long sys_chown(const char __user *path, u32 uid, u32 gid);
long sys_lchown(const char __user *path, u32 uid, u32 gid);
long sys_fchown(int fd, u32 uid, u32 gid);
long sys_fchownat(int dirfd, const char __user *path, u32 uid, u32 gid, int flags);
long sys_utime(const char __user *path, const struct utimbuf64 __user *times);
long sys_utimes(const char __user *path, const struct timeval64 __user *times);
long sys_futimesat(int dirfd, const char __user *path, const struct timeval64 __user *times);
long sys_utimensat(int dirfd, const char __user *path, const struct timespec64 __user *times,
		   int flags);

/* fs/truncate.c */
long sys_truncate(const char __user *path, s64 size);
long sys_ftruncate(int fd, s64 size);
long sys_fallocate(int fd, int mode, s64 offset, s64 length);

/* fs/make.c, fs/remove.c, fs/rename.c */
long sys_mkdir(const char __user *path, u32 mode);
long sys_mkdirat(int dirfd, const char __user *path, u32 mode);
long sys_mknod(const char __user *path, u32 mode, u32 dev);
long sys_mknodat(int dirfd, const char __user *path, u32 mode, u32 dev);
long sys_symlink(const char __user *target, const char __user *path);
long sys_symlinkat(const char __user *target, int dirfd, const char __user *path);
long sys_link(const char __user *old_path, const char __user *new_path);
long sys_linkat(int old_dirfd, const char __user *old_path, int new_dirfd,
		const char __user *new_path, int flags);
long sys_unlink(const char __user *path);
long sys_unlinkat(int dirfd, const char __user *path, int flags);
long sys_rmdir(const char __user *path);
long sys_rename(const char __user *old_path, const char __user *new_path);
long sys_renameat(int old_dirfd, const char __user *old_path, int new_dirfd,
		  const char __user *new_path);
long sys_renameat2(int old_dirfd, const char __user *old_path, int new_dirfd,
		   const char __user *new_path, u32 flags);

/* fs/fs_context.c */
long sys_chdir(const char __user *path);
long sys_fchdir(int fd);
long sys_chroot(const char __user *path);
long sys_getcwd(char __user *buf, u64 size);
long sys_umask(u32 mask);

/* fs/mount.c */
long sys_mount(const char __user *source, const char __user *path, const char __user *type,
	       u64 flags, const void __user *data);
long sys_umount2(const char __user *path, int flags);

/* fs/getdents.c */
long sys_getdents(u32 fd, void __user *buf, u32 size);
long sys_getdents64(u32 fd, void __user *buf, u32 size);

/* fs/advice.c: about data that is in memory anyway */
long sys_sync(void);
long sys_syncfs(int fd);
long sys_readahead(int fd, s64 offset, u64 count);
long sys_fadvise64(int fd, s64 offset, s64 length, int advice);

/* fs/memfd.c, fs/flock.c */
long sys_memfd_create(const char __user *name, u32 flags);
long sys_flock(int fd, int operation);
