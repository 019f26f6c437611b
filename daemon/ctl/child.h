/* SPDX-License-Identifier: MIT */
/* Another program, run to its end or for so long, with descriptors passed as a
 * service manager passes them. */
#ifndef DAEMON_CTL_CHILD_H
#define DAEMON_CTL_CHILD_H

#include <stddef.h>

#define CTL_CHILD_OUT_MAX ((size_t)1 << 20)
#define CTL_CHILD_SAID 2048

enum ctl_child_end {
	CTL_CHILD_ENDED,    /* number: its exit status */
	CTL_CHILD_KILLED,   /* its signal */
	CTL_CHILD_LATE,     /* and was killed for it */
	CTL_CHILD_LONG,     /* it wrote more than there is room for, likewise */
	CTL_CHILD_NO_START, /* errno */
};

struct ctl_child {
	char *const *argv; /* argv[0] is its path */
	/* LISTEN_FDS and their names, with ':' between. */
	int *fds;
	unsigned n_fds;
	const char *names;
	unsigned limit_ms;
	/* What came of it. */
	enum ctl_child_end end;
	int number;
	char *out; /* standard output, the caller's to free; never NULL after 0 */
	char said[CTL_CHILD_SAID]; /* standard error, its first bytes */
};

/* Its process group ends with it. 0, or -errno where it could not even be tried. */
int ctl_child_run(struct ctl_child *child);

#endif
