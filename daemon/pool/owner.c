/* SPDX-License-Identifier: MIT */
#include "daemon/pool/owner.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/base/proc.h"
#include "daemon/pool/keep.h"

void owner_note(struct pool *pool)
{
	struct journal *journal = pool->journal;
	uint64_t began = 0;
	(void)proc_ticks(getpid(), &began);
	journal->owner_began = began;
	journal->owner_pid = (uint64_t)getpid();
}

/* One that has ended, and that nobody has waited for yet, serves nothing. */
static bool lives(int32_t pid, uint64_t began)
{
	struct pollfd ended = {.events = POLLIN};
	bool r;
	ended.fd = proc_open(pid, began);
	if (ended.fd < 0)
		return false;
	r = poll(&ended, 1, 0) == 0;
	close(ended.fd);
	return r;
}

int owner_look(const char *pool)
{
	struct journal *journal = NULL;
	struct remedy why;
	int32_t pid;
	int fd = keep_peek(pool, KEEP_JOURNAL);
	int r = 0;
	if (fd < 0 || journal_map(fd, pool, &journal, &why) < 0)
		return 0;
	pid = (int32_t)journal->owner_pid;
	if (pid > 0 && pid != getpid() && journal->owner_began != 0 &&
	    lives(pid, journal->owner_began))
		r = -EBUSY;
	journal_unmap(journal);
	if (r < 0)
		log_error("pool %s: another slabd, pid %d, serves it: stop that "
		          "one before another starts", pool, pid);
	return r;
}
