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

#define KEPT "the ledger that was kept "

static int map(int fd, int protection, struct journal **out)
{
	void *at = mmap(NULL, sizeof(**out), protection, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		return -errno;
	*out = at;
	return 0;
}

int journal_begin(int fd, const char *pool, struct journal **out)
{
	struct journal *journal = NULL;
	uint64_t random;
	int r;
	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return -errno;
	r = map(fd, PROT_READ | PROT_WRITE, &journal);
	if (r < 0)
		return r;
	journal->instance = random;
	journal->version = JOURNAL_VERSION;
	snprintf(journal->name, sizeof(journal->name), "%s", pool);
	/* pairs: journal_map, in a slabd that comes after this one. */
	atom_store_release(&journal->magic, JOURNAL_MAGIC);
	*out = journal;
	return 0;
}

int journal_make(const char *pool, struct journal **out)
{
	char name[160];
	int fd;
	int r;
	snprintf(name, sizeof(name), "slabd-%s-ledger", pool);
	fd = memfile_create(name, BACKING_4K, sizeof(**out));
	if (fd < 0)
		return fd;
	r = journal_begin(fd, pool, out);
	if (r == 0)
		return fd;
	close(fd);
	return r;
}

static int check(const struct journal *journal, uint64_t bytes,
                 const char *pool, struct remedy *why)
{
	/* pairs: journal_begin */
	if (atom_load_acquire(&journal->magic) != JOURNAL_MAGIC)
		return remedy_set(why, -EINVAL, "",
		                  KEPT "does not begin as one");
	if (journal->version != JOURNAL_VERSION)
		return remedy_set(why, -EPROTO, "",
		                  KEPT "has version %u and this slabd "
		                       "knows version %u",
		                  journal->version, JOURNAL_VERSION);
	if (bytes != sizeof(*journal) ||
	    memchr(journal->name, '\0', sizeof(journal->name)) == NULL ||
	    (pool != NULL && strcmp(journal->name, pool) != 0) ||
	    journal->n_nodes > TOPO_NODES_MAX || journal->state > JOURNAL_WHOLE)
		return remedy_set(why, -EINVAL, "",
		                  KEPT "is damaged, or another pool's");
	return 0;
}

bool journal_is_private(int fd)
{
	int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;
	if (seals >= 0 && (seals & F_SEAL_SHRINK) != 0)
		return true;
	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	       st.st_uid == geteuid() && (st.st_mode & 077) == 0;
}

static int map_checked(int fd, int protection, const char *pool,
                       struct journal **out, struct remedy *why)
{
	struct journal *journal = NULL;
	struct stat st;
	int r;
	r = fstat(fd, &st) < 0 ||
	                    (fcntl(fd, F_GET_SEALS) < 0 && errno != EINVAL)
	            ? -errno
	            : 0;
	if (r == 0 && (!journal_is_private(fd) ||
	               (uint64_t)st.st_size < 2 * sizeof(uint64_t)))
		return remedy_set(why, -EINVAL, "",
		                  KEPT "is no sealed memory file");
	if (r == 0)
		r = map(fd, protection, &journal);
	if (r < 0)
		return remedy_set(why, r, "", KEPT "can't be read: %s",
		                  strerror(-r));
	r = check(journal, (uint64_t)st.st_size, pool, why);
	if (r < 0)
		journal_unmap(journal);
	else
		*out = journal;
	return r;
}

int journal_map(int fd, const char *pool, struct journal **out,
                struct remedy *why)
{
	return map_checked(fd, PROT_READ | PROT_WRITE, pool, out, why);
}

int journal_look(int fd, const char *pool, struct journal **out,
                 struct remedy *why)
{
	return map_checked(fd, PROT_READ, pool, out, why);
}

void journal_unmap(struct journal *journal)
{
	if (journal != NULL)
		munmap(journal, sizeof(*journal));
}

void journal_note_control(struct journal *journal, int fd)
{
	struct stat st;
	journal->control_ino = fstat(fd, &st) == 0 ? st.st_ino : 0;
}

void journal_note(struct journal *journal, const struct backing *backing)
{
	journal->n_nodes = backing->n_nodes;
	for (unsigned i = 0; i < backing->n_nodes; i++) {
		const struct backing_node *from = &backing->node[i];
		struct journal_node *to = &journal->node[i];
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
