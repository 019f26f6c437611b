/* SPDX-License-Identifier: MIT */
#include "daemon/pool/ledger.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/base/log.h"
#include "daemon/manager/fdstore.h"
#include "daemon/pool/nodes.h"

#define HEAD "slabd."
#define TAIL ".ledger"

static char folder[192];

void ledger_place(const char *beside)
{
	const char *slash = strrchr(beside, '/');
	int len = slash != NULL ? (int)(slash - beside) : 0;
	if (len >= (int)sizeof(folder))
		len = 0;
	snprintf(folder, sizeof(folder), "%.*s", len, beside);
}

/* ---- this start of the machine -------------------------------------------- */

static bool read_boot(uint64_t boot[2])
{
	char text[40] = "";
	unsigned byte;
	int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	boot[0] = boot[1] = 0;
	for (unsigned i = 0, digits = 0; n > 0 && text[i] != '\0'; i++)
		if (sscanf((char[2]){text[i], '\0'}, "%1x", &byte) == 1) {
			boot[digits / 16 % 2] =
				boot[digits / 16 % 2] << 4 | byte;
			digits++;
		}
	return (boot[0] | boot[1]) != 0;
}

static bool is_of_boot(const struct journal *journal)
{
	uint64_t boot[2];
	return read_boot(boot) && journal->boot[0] == boot[0] &&
	       journal->boot[1] == boot[1];
}

/* ---- made and removed ----------------------------------------------------- */

static void path_of(char *path, size_t bytes, const struct journal *journal)
{
	snprintf(path, bytes, "%s/" HEAD "%.64s.%016" PRIx64 TAIL, folder,
	         journal->name, journal->instance);
}

/* A file without a name, so that nobody sees it before it is whole. */
static int begin(int fd, const char *pool, struct journal **out)
{
	int r = flock(fd, LOCK_EX | LOCK_NB) < 0
	                ? -errno
	                : -posix_fallocate(fd, 0, sizeof(**out));
	if (r == 0)
		r = journal_begin(fd, pool, out);
	if (r < 0)
		return r;
	if (read_boot((*out)->boot))
		return 0;
	journal_unmap(*out);
	return -ENOENT;
}

static int give_name(int fd, const struct journal *journal)
{
	char from[40];
	char path[320];
	snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
	path_of(path, sizeof(path), journal);
	return linkat(AT_FDCWD, from, AT_FDCWD, path, AT_SYMLINK_FOLLOW) < 0
	               ? -errno
	               : 0;
}

int ledger_make(const char *pool, struct journal **out)
{
	struct journal *journal;
	int fd;
	int r;
	if (folder[0] == '\0')
		return -ENOENT;
	fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = begin(fd, pool, &journal);
	if (r < 0) {
		close(fd);
		return r;
	}
	r = give_name(fd, journal);
	if (r == 0) {
		*out = journal;
		return fd;
	}
	journal_unmap(journal);
	close(fd);
	return r;
}

static uint64_t pages_of(const struct journal *journal)
{
	uint64_t pages = 0;
	for (unsigned i = 0; i < TOPO_NODES_MAX; i++)
		pages += journal->pages[i].reserved_pages;
	return pages;
}

void ledger_remove(const struct journal *journal)
{
	char path[320];
	if (folder[0] == '\0' || pages_of(journal) > 0)
		return;
	path_of(path, sizeof(path), journal);
	unlink(path);
}

void ledger_pay(const struct journal *journal, const struct topo *topo,
                bool in_use)
{
	struct topo *own = nodes_are_those(journal, topo)
	                           ? NULL
	                           : nodes_view(journal, topo);
	struct backing_adoption from = {
		.topo = own != NULL ? own : topo,
		.in_use = in_use,
		.journal = (struct backing_journal *)(uintptr_t)journal->pages};
	backing_abandon(&from);
	free(own);
}

/* ---- those of the dead ---------------------------------------------------- */

static bool is_linked(int fd)
{
	struct stat st;
	return fstat(fd, &st) == 0 && st.st_nlink > 0;
}

/* In /proc/PID/maps the inode stands in front of the name. */
static bool maps(const char *pid, const char *ino)
{
	char line[512];
	bool found = false;
	FILE *file;
	snprintf(line, sizeof(line), "/proc/%.20s/maps", pid);
	file = fopen(line, "re");
	while (file != NULL && !found && fgets(line, sizeof(line), file))
		found = strstr(line, ino) != NULL &&
		        strstr(line, "/memfd:slabd-") != NULL;
	if (file != NULL)
		fclose(file);
	return found;
}

bool ledger_is_mapped(const struct journal *journal)
{
	DIR *dir = opendir("/proc");
	struct dirent *entry;
	char ino[32];
	bool found = false;
	if (journal->control_ino == 0)
		return false;
	snprintf(ino, sizeof(ino), " %" PRIu64 " ", journal->control_ino);
	while (dir != NULL && !found && (entry = readdir(dir)) != NULL)
		found = entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
		        maps(entry->d_name, ino);
	if (dir != NULL)
		closedir(dir);
	return found;
}

/* Whether the manager has the pool's files, and lost its ledger. */
static bool is_kept(const struct journal *journal)
{
	char name[NAME_BYTES + 24];
	struct stat st;
	snprintf(name, sizeof(name), "slabd.pool.%s.control", journal->name);
	return fstat(fdstore_peek(name), &st) == 0 &&
	       st.st_ino == journal->control_ino;
}

/* Whether nothing is left to give back. */
static bool give_back(const struct topo *topo, struct journal *journal)
{
	unsigned long long pages = pages_of(journal);
	unsigned long long left;
	if (!is_of_boot(journal))
		return true;
	ledger_pay(journal, topo, pages > 0 && (is_kept(journal) ||
	                                        ledger_is_mapped(journal)));
	left = pages_of(journal);
	if (left > 0)
		log_warn("pool %s: %llu hugepage%s that a slabd before this one "
		         "added %s in use, and those that are free are of "
		         "others: a later start gives %s back",
		         journal->name, left, left == 1 ? "" : "s",
		         left == 1 ? "is" : "are", left == 1 ? "it" : "them");
	else if (pages > 0)
		log_info("pool %s: a slabd before this one had added %llu "
		         "hugepage%s for it, which go%s back as soon as %s "
		         "not in use",
		         journal->name, pages, pages == 1 ? "" : "s",
		         pages == 1 ? "es" : "", pages == 1 ? "it is" : "they are");
	return left == 0;
}

/* One that nobody has locked is nobody's. What another version of slabd left is
 * for that. */
static void settle(const struct topo *topo, int at, const char *name)
{
	struct journal *journal = NULL;
	struct remedy why;
	bool done = false;
	int fd = openat(at, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	int r;
	if (fd < 0)
		return;
	if (journal_is_private(fd) && flock(fd, LOCK_EX | LOCK_NB) == 0 &&
	    is_linked(fd)) {
		r = journal_map(fd, NULL, &journal, &why);
		done = r == 0 || r == -EINVAL;
		if (r == 0)
			done = give_back(topo, journal);
	}
	if (done)
		unlinkat(at, name, 0);
	journal_unmap(journal);
	close(fd);
}

void ledger_settle(const struct topo *topo)
{
	DIR *dir = folder[0] != '\0' ? opendir(folder) : NULL;
	struct dirent *entry;
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		size_t len = strlen(entry->d_name);
		if (strncmp(entry->d_name, HEAD, strlen(HEAD)) == 0 &&
		    len > strlen(HEAD) + strlen(TAIL) &&
		    strcmp(entry->d_name + len - strlen(TAIL), TAIL) == 0)
			settle(topo, dirfd(dir), entry->d_name);
	}
	if (dir != NULL)
		closedir(dir);
}
