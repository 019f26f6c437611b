/* SPDX-License-Identifier: MIT */
/* Who waits is told how far it is. */
#ifndef DAEMON_ADVICE_PROGRESS_H
#define DAEMON_ADVICE_PROGRESS_H

#include <stddef.h>
#include <stdint.h>

struct progress {
	/* all: 0 where nobody knows how much there is. */
	void (*say)(void *arg, const char *what, uint64_t done, uint64_t all);
	void *arg;
};

/* Of NULL nobody hears. */
static inline void progress_say(const struct progress *progress,
                                const char *what, uint64_t done, uint64_t all)
{
	if (progress != NULL)
		progress->say(progress->arg, what, done, all);
}

#endif
