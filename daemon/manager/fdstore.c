/* SPDX-License-Identifier: MIT */
#include "daemon/manager/fdstore.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"
#include "daemon/manager/notify.h"

#define NAME_MAX_BYTES 255u /* of a descriptor, for systemd */
#define BARRIER_NS (5 * CLOCK_S)

/* What the manager keeps, in the order in which it came. A walk goes by the
 * numbers, so that it is not led astray by what it drops. */
static struct slot {
	struct slot *next;
	unsigned number;
	uint32_t hash; /* of the name */
	int fd;        /* passed and not taken; -1 */
	char name[];
} *slots;
static unsigned n_numbers;
static size_t names_bytes;
static unsigned n_slots;
static unsigned max_slots = UINT_MAX; /* that the manager has room for */

static uint32_t hash_of(const char *name)
{
	uint32_t hash = 2166136261u;
	while (*name != '\0')
		hash = (hash ^ (unsigned char)*name++) * 16777619u;
	return hash;
}

static bool is_valid(const char *name)
{
	return strncmp(name, NOTIFY_KEPT, strlen(NOTIFY_KEPT)) == 0 &&
	       strlen(name) <= NAME_MAX_BYTES &&
	       name[strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	                   "abcdefghijklmnopqrstuvwxyz0123456789._-")] == '\0';
}

/* The link to the slot of that name, or the one at the end. */
static struct slot **find(const char *name)
{
	uint32_t hash = hash_of(name);
	struct slot **link = &slots;
	while (*link != NULL && ((*link)->hash != hash ||
	                         strcmp((*link)->name, name) != 0))
		link = &(*link)->next;
	return link;
}

/* At the end. NULL, said in the log, where there is no room or the name is not
 * ours. */
static struct slot *add(struct slot **end, const char *name, int fd)
{
	size_t bytes = strlen(name) + 1;
	struct slot *slot;
	if (!is_valid(name)) {
		log_error("\"%s\" is no name for a descriptor of slabd", name);
		return NULL;
	}
	if (names_bytes + bytes > FDSTORE_NAMES_BYTES) {
		log_warn("%s will not outlive slabd: the names of what does "
		         "have %u bytes at most", name, FDSTORE_NAMES_BYTES);
		return NULL;
	}
	if (n_slots >= max_slots) {
		log_warn("%s will not outlive slabd: the service manager keeps "
		         "%u descriptors at most; raise its LimitNOFILE, or "
		         "FileDescriptorStoreMax", name, max_slots);
		return NULL;
	}
	slot = malloc(sizeof(*slot) + bytes);
	if (slot == NULL) {
		log_warn("%s will not outlive slabd: no memory", name);
		return NULL;
	}
	*slot = (struct slot){NULL, n_numbers++, hash_of(name), fd};
	memcpy(slot->name, name, bytes);
	names_bytes += bytes;
	n_slots++;
	*end = slot;
	return slot;
}

static void close_passed(struct slot *slot)
{
	if (slot->fd >= 0)
		close(slot->fd);
	slot->fd = -1;
}

static void forget(struct slot **link)
{
	struct slot *slot = *link;
	close_passed(slot);
	names_bytes -= strlen(slot->name) + 1;
	n_slots--;
	*link = slot->next;
	free(slot);
}

/* What a manager of old does not say is not known. */
static void read_max(void)
{
	const char *max = getenv(FDSTORE_MAX);
	unsigned long n = max != NULL ? strtoul(max, NULL, 10) : 0;
	if (n > 0 && n < UINT_MAX)
		max_slots = (unsigned)n;
}

int fdstore_open(void)
{
	char *name;
	int fd;
	read_max();
	while ((fd = notify_passed(true, &name)) >= 0) {
		struct slot **link = find(name);
		if (*link != NULL)
			log_warn("the service manager passed two descriptors "
			         "named %s: the later one is closed", name);
		if (*link != NULL || add(link, name, fd) == NULL)
			close(fd);
		free(name);
	}
	return fd == -ENOENT ? 0 : fd;
}

void fdstore_put(const char *name, int fd)
{
	char fields[NAME_MAX_BYTES + 64];
	struct slot **link;
	int r;
	fdstore_drop(name);
	link = find(name);
	/* Of two by one name the next slabd would take the older. */
	if (*link != NULL || add(link, name, -1) == NULL)
		return;
	snprintf(fields, sizeof(fields), "FDSTORE=1\nFDNAME=%s\nFDPOLL=0",
	         name);
	r = notify_tell(fields, &fd, 1);
	if (r < 0)
		log_warn("%s will not outlive slabd, the service manager can't "
		         "be told: %s", name, strerror(-r));
	if (r <= 0)
		forget(link);
}

bool fdstore_put_spare(const char *name, int fd)
{
	if (names_bytes + strlen(name) + 1 > FDSTORE_NAMES_BYTES / 3 * 2 ||
	    n_slots >= max_slots / 3 * 2)
		return false;
	fdstore_put(name, fd);
	return fdstore_has(name);
}

void fdstore_drop(const char *name)
{
	char fields[NAME_MAX_BYTES + 64];
	struct slot **link = find(name);
	int r;
	if (*link == NULL)
		return;
	snprintf(fields, sizeof(fields), "FDSTOREREMOVE=1\nFDNAME=%s", name);
	r = notify_tell(fields, NULL, 0);
	if (r < 0) {
		log_warn("the service manager still has %s, it can't be told: "
		         "%s", name, strerror(-r));
		close_passed(*link);
		return;
	}
	/* Last: the name may be the slot's own. */
	forget(link);
}

int fdstore_peek(const char *name)
{
	const struct slot *slot = *find(name);
	return slot != NULL && slot->fd >= 0 ? slot->fd : -ENOENT;
}

int fdstore_take(const char *name)
{
	int fd = fdstore_peek(name);
	if (fd >= 0)
		(*find(name))->fd = -1;
	return fd;
}

bool fdstore_has(const char *name)
{
	return *find(name) != NULL;
}

const char *fdstore_next(unsigned *at)
{
	const struct slot *slot = slots;
	while (slot != NULL && (slot->number < *at || slot->fd < 0))
		slot = slot->next;
	if (slot == NULL)
		return NULL;
	*at = slot->number + 1;
	return slot->name;
}

void fdstore_close_rest(void)
{
	unsigned at = 0;
	const char *name;
	while ((name = fdstore_next(&at)) != NULL) {
		log_info("%s was kept and is of no use now: closed", name);
		fdstore_drop(name);
	}
}

void fdstore_barrier(void)
{
	int r = notify_barrier(BARRIER_NS);
	if (r < 0)
		log_warn("the service manager has not confirmed what it keeps: "
		         "%s", strerror(-r));
}

/* One more at the end is kept only where all before it were: limits are counts.
 * What the manager closed is seen at the other end. */
bool fdstore_confirm(void)
{
	static const char name[] = "slabd.probe";
	struct pollfd at = {.events = 0};
	bool full = false;
	int pair[2];
	/* What is known to be full has taken no more than it has room for. */
	if (n_slots >= max_slots ||
	    names_bytes + sizeof(name) > FDSTORE_NAMES_BYTES ||
	    pipe2(pair, O_CLOEXEC) < 0) {
		fdstore_barrier();
		return true;
	}
	fdstore_put(name, pair[1]);
	close(pair[1]);
	fdstore_barrier();
	at.fd = pair[0];
	if (fdstore_has(name) && poll(&at, 1, 0) > 0)
		full = (at.revents & POLLHUP) != 0;
	close(pair[0]);
	fdstore_drop(name);
	return !full;
}
