/* SPDX-License-Identifier: MIT */
/*
 * What "slabd --supervise" keeps for the slabd that it started: descriptors by
 * name, as systemd keeps them. A name may be there twice.
 *
 *   fds    7   9   8
 *   list   LISTEN_FDNAMES=slabd.a:slabd.b:slabd.a
 *
 * The names are kept as the variable in which they are passed, so that what
 * fits is what can be passed. Nothing is allocated.
 */
#ifndef DAEMON_MANAGER_SUPERVISE_FDS_H
#define DAEMON_MANAGER_SUPERVISE_FDS_H

#include <stddef.h>

#define SUPERVISE_FDS_MAX 65536u
#define SUPERVISE_FDS_NAME_BYTES 255u /* of one, as systemd has it */
/* Of one variable, as Linux has it. */
#define SUPERVISE_FDS_LIST_BYTES (128u << 10)

struct supervise_fds {
	unsigned n;
	unsigned max;
	size_t used; /* of list, without the zero at its end */
	int fds[SUPERVISE_FDS_MAX]; /* close-on-exec */
	char list[SUPERVISE_FDS_LIST_BYTES]; /* for putenv; no name unsets it */
};

/* At most so many descriptors, and no more than SUPERVISE_FDS_MAX. */
void supervise_fds_init(struct supervise_fds *store, unsigned max);

/* fd is the store's from now on, and closed where this fails. 0; -EINVAL the
 * name is empty, too long, or has a colon or what is not printable ASCII;
 * -ENOSPC the store is full. */
int supervise_fds_add(struct supervise_fds *store, const char *name, int fd);

/* Closes all of that name. How many there were. */
unsigned supervise_fds_remove(struct supervise_fds *store, const char *name);

/*
 * In a process that is about to start another program: puts the descriptors at
 * 3 and the following numbers, to be inherited, and closes all others from 3
 * on. The store is then good for nothing but its list. 0 or -errno.
 */
int supervise_fds_place(struct supervise_fds *store);

#endif
