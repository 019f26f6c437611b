/* SPDX-License-Identifier: MIT */
#include "daemon/pool/rest.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/manager/fdstore.h"
#include "daemon/pool/keep.h"
#include "daemon/pool/ledger.h"

/* The pool whose journal has that name in the descriptor store. False: it is no
 * journal's name. */
static bool is_journal(const char *name, char pool[NAME_BYTES])
{
	static const char head[] = "slabd.pool.";
	static const char tail[] = ".ledger";
	size_t len = strlen(name);
	size_t around = strlen(head) + strlen(tail);
	if (len <= around || len - around >= NAME_BYTES ||
	    strncmp(name, head, strlen(head)) != 0 ||
	    strcmp(name + len - strlen(tail), tail) != 0)
		return false;
	memcpy(pool, name + strlen(head), len - around);
	pool[len - around] = '\0';
	return true;
}

static void give_back(const struct topo *topo, const char *name, int fd)
{
	struct journal *journal;
	struct remedy why;
	if (journal_map(fd, name, &journal, &why) < 0) {
		log_warn("pool %s: hugepages that were added for it stay: %s",
		         name, why.what);
		return;
	}
	ledger_pay(journal, topo, true);
	ledger_remove(journal);
	journal_unmap(journal);
}

bool rest_next(unsigned *at, char pool[NAME_BYTES])
{
	const char *name;
	while ((name = fdstore_next(at)) != NULL)
		if (is_journal(name, pool))
			return true;
	return false;
}

bool rest_may(const char *pool)
{
	struct layout_head head = {.magic = 0};
	struct journal *journal = NULL;
	struct remedy why;
	bool may;
	if (journal_look(keep_peek(pool, KEEP_JOURNAL), pool, &journal, &why) <
	    0)
		return false;
	/* pairs: create_pool, in the slabd before this one. */
	may = atom_load_acquire(&journal->state) == JOURNAL_WHOLE &&
	      pread(keep_peek(pool, KEEP_CONTROL), &head, sizeof(head), 0) ==
	              sizeof(head) &&
	      head.magic == LAYOUT_MAGIC && head.version == LAYOUT_VERSION;
	journal_unmap(journal);
	return may;
}

void rest_leave(const char *pool)
{
	char head[NAME_BYTES + 16];
	const char *name;
	unsigned at = 0;
	snprintf(head, sizeof(head), "slabd.pool.%s.", pool);
	while ((name = fdstore_next(&at)) != NULL)
		if (strncmp(name, head, strlen(head)) == 0)
			close(fdstore_take(name));
}

int rest_journal(const char *pool)
{
	int fd = keep_peek(pool, KEEP_JOURNAL);
	return fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 0);
}

void rest_pay(const char *pool, int fd, const struct topo *topo)
{
	if (fd < 0)
		return;
	give_back(topo, pool, fd);
	close(fd);
}

void rest_close(const struct topo *topo)
{
	char pool[NAME_BYTES];
	const char *name;
	unsigned at = 0;
	while ((name = fdstore_next(&at)) != NULL) {
		int fd = is_journal(name, pool) ? fdstore_take(name) : -1;
		if (fd < 0)
			continue;
		log_info("pool %s was kept and is not configured any longer: "
		         "hugepages that were added for it go back",
		         pool);
		give_back(topo, pool, fd);
		close(fd);
		fdstore_drop(name);
	}
	fdstore_close_rest();
}
