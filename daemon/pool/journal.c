/* SPDX-License-Identifier: MIT */
#include "daemon/pool/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "numa/memfile.h"
#include "shm/atom.h"

static int map(int fd, struct ledger **out)
{
	void *at = mmap(NULL, sizeof(**out), PROT_READ | PROT_WRITE, MAP_SHARED,
	                fd, 0);
	if (at == MAP_FAILED)
		return -errno;
	*out = at;
	return 0;
}

static int fill_in(struct ledger *ledger, const char *pool)
{
	uint64_t random;
	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return -errno;
	ledger->instance = random;
	ledger->version = LEDGER_VERSION;
	snprintf(ledger->name, sizeof(ledger->name), "%s", pool);
	/* pairs: ledger_map, in a slabd that comes after this one. */
	atom_put(&ledger->magic, LEDGER_MAGIC);
	return 0;
}

int ledger_make(const char *pool, struct ledger **out)
{
	char name[160];
	int fd;
	int r;
	snprintf(name, sizeof(name), "slabd-%s-ledger", pool);
	fd = datafile_create(name, BACKING_4K, sizeof(**out));
	if (fd < 0)
		return fd;
	r = map(fd, out);
	if (r == 0) {
		r = fill_in(*out, pool);
		if (r == 0)
			return fd;
		ledger_unmap(*out);
		*out = NULL;
	}
	close(fd);
	return r;
}

static int fault(int error, const char *why, char *text, size_t text_bytes)
{
	snprintf(text, text_bytes, "the ledger that was kept %s", why);
	return error;
}

int ledger_map(int fd, const char *pool, struct ledger **out, char *text,
               size_t text_bytes)
{
	struct ledger *ledger = NULL;
	struct stat st;
	char why[80];
	int r = fstat(fd, &st) < 0 ? -errno : 0;
	if (r == 0 && (fcntl(fd, F_GET_SEALS) & F_SEAL_SHRINK) == 0)
		r = -EINVAL;
	if (r == 0 && (uint64_t)st.st_size < 2 * sizeof(uint64_t))
		r = -EINVAL;
	if (r == 0)
		r = map(fd, &ledger);
	if (r < 0)
		return fault(-EINVAL, "is no sealed memory file", text, text_bytes);
	/* pairs: fill_in */
	if (atom_get(&ledger->magic) != LEDGER_MAGIC)
		r = fault(-EINVAL, "does not begin as one", text, text_bytes);
	else if (ledger->version != LEDGER_VERSION) {
		snprintf(why, sizeof(why), "has version %u and this slabd "
		         "knows version %u", ledger->version, LEDGER_VERSION);
		r = fault(-EPROTO, why, text, text_bytes);
	} else if ((uint64_t)st.st_size != sizeof(*ledger) ||
	           strncmp(ledger->name, pool, sizeof(ledger->name)) != 0 ||
	           ledger->n_nodes > TOPO_NODES_MAX ||
	           ledger->state > LEDGER_WHOLE)
		r = fault(-EINVAL, "is damaged, or another pool's", text,
		          text_bytes);
	if (r < 0)
		ledger_unmap(ledger);
	else
		*out = ledger;
	return r;
}

void ledger_unmap(struct ledger *ledger)
{
	if (ledger != NULL)
		munmap(ledger, sizeof(*ledger));
}

void ledger_note(struct ledger *ledger, const struct backing *backing)
{
	ledger->n_nodes = backing->n_nodes;
	for (unsigned i = 0; i < backing->n_nodes; i++) {
		const struct backing_node *from = &backing->node[i];
		struct ledger_node *to = &ledger->node[i];
		to->os_id = backing->topo->node[i].os_id;
		to->kind = from->kind;
		to->bound = from->bound;
		to->file_bytes = from->file_bytes;
		to->start_pages = from->ready_pages;
		memcpy(to->note, from->note, sizeof(to->note));
		memcpy(to->reason, from->reason, sizeof(to->reason));
		memcpy(to->remedy, from->remedy, sizeof(to->remedy));
	}
}
