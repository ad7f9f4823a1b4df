/* The walk along a path, and its state: for those who do something at its end. */
#pragma once

#include <fs/dentry.h>

/* openat2()'s. */
#define RESOLVE_NO_XDEV	      0x01U
#define RESOLVE_NO_MAGICLINKS 0x02U
#define RESOLVE_NO_SYMLINKS   0x04U
#define RESOLVE_BENEATH	      0x08U
#define RESOLVE_IN_ROOT	      0x10U
#define RESOLVE_CACHED	      0x20U
#define RESOLVE_ALL	      0x3fU

enum last_kind {
	LAST_NORMAL,
	LAST_DOT,
	LAST_DOTDOT,
	LAST_ROOT, /* nothing but slashes: where the walk is */
};

struct walk {
	struct dentry *at;   /* where we are; a user's reference */
	struct dentry *root; /* "/", and the end of all ".."; a user's reference */
	const char *rest;    /* of the path, or of the symlink that we are in */
	u32 flags, resolve;

	/* after walk_to_last(): the last component, not yet stepped into */
	enum last_kind kind;
	const char *name;
	size_t length;
	bool slash; /* slashes follow it: it must be a directory */

	/* Not NULL: the end is an open file without a dentry, by way of a magic link; a reference. */
	struct file *file;

	u32 nr_links;
	u32 depth;
	struct link {
		const char *rest;      /* what follows the link, where we go on after it */
		struct dentry *dentry; /* keeps the text */
		char *text;	       /* a buffer for it, or NULL */
	} links[MAX_SYMLINKS];
};

/* Where it begins. Nothing is to be ended if it fails. */
int walk_begin(struct walk *walk, int dirfd, const char *path, u32 flags, u32 resolve);
/* To the directory of the last component. */
int walk_to_last(struct walk *walk);
/* Into the last component. 1: it was a symlink to be followed, call walk_to_last() again. */
int walk_into_last(struct walk *walk, bool follow);
/* Go on with this child of walk->at; the reference to it is taken over. The same result. */
int walk_step(struct walk *walk, struct dentry *child, bool follow);
void walk_end(struct walk *walk);

/* The named child of a directory, referenced; ERR_PTR(-ENOENT). No permission is asked for. */
struct dentry *lookup_child(struct dentry *dir, const char *name, size_t length);

/* All of it. Nothing is to be ended if it fails. */
int walk_path(struct walk *walk, int dirfd, const char *path, u32 flags, u32 resolve);

/* A symlink's text: the inode's own, or in *buffer, for link_text_free(). ERR_PTR. */
const char *link_text(struct inode *inode, char **buffer);
void link_text_free(char *buffer);
