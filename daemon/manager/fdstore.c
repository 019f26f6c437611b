/* SPDX-License-Identifier: MIT */
#include "daemon/manager/fdstore.h"

#include <errno.h>
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

/* What the manager keeps. Slots stay where they are, so that a walk over them
 * is not led astray by what it drops. */
static struct slot {
	char *name;    /* NULL: free */
	uint32_t hash; /* of the name */
	int fd;        /* passed and not taken; -1 */
} *slots;
static unsigned n_slots;
static size_t names_bytes;

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

static struct slot *find(const char *name)
{
	uint32_t hash = hash_of(name);
	for (unsigned i = 0; i < n_slots; i++)
		if (slots[i].name != NULL && slots[i].hash == hash &&
		    strcmp(slots[i].name, name) == 0)
			return &slots[i];
	return NULL;
}

static struct slot *free_slot(void)
{
	struct slot *more;
	for (unsigned i = 0; i < n_slots; i++)
		if (slots[i].name == NULL)
			return &slots[i];
	more = realloc(slots, (n_slots + 64) * sizeof(*slots));
	if (more == NULL)
		return NULL;
	slots = more;
	memset(slots + n_slots, 0, 64 * sizeof(*slots));
	n_slots += 64;
	return &slots[n_slots - 64];
}

/* NULL, said in the log, where there is no room or the name is not ours. */
static struct slot *add(const char *name, int fd)
{
	struct slot *slot;
	char *copy;
	if (!is_valid(name)) {
		log_error("\"%s\" is no name for a descriptor of slabd", name);
		return NULL;
	}
	if (names_bytes + strlen(name) + 1 > FDSTORE_NAMES_BYTES) {
		log_warn("%s will not outlive slabd: the names of what does "
		         "have %u bytes at most", name, FDSTORE_NAMES_BYTES);
		return NULL;
	}
	slot = free_slot();
	copy = slot != NULL ? strdup(name) : NULL;
	if (copy == NULL) {
		log_warn("%s will not outlive slabd: no memory", name);
		return NULL;
	}
	*slot = (struct slot){ copy, hash_of(name), fd };
	names_bytes += strlen(name) + 1;
	return slot;
}

static void close_passed(struct slot *slot)
{
	if (slot->fd >= 0)
		close(slot->fd);
	slot->fd = -1;
}

static void forget(struct slot *slot)
{
	close_passed(slot);
	names_bytes -= strlen(slot->name) + 1;
	free(slot->name);
	slot->name = NULL;
}

int fdstore_open(void)
{
	char *name;
	int fd;
	while ((fd = notify_passed(true, &name)) >= 0) {
		if (find(name) != NULL) {
			log_warn("the service manager passed two descriptors "
			         "named %s: the later one is closed", name);
			close(fd);
		} else if (add(name, fd) == NULL) {
			close(fd);
		}
		free(name);
	}
	return fd == -ENOENT ? 0 : fd;
}

void fdstore_put(const char *name, int fd)
{
	char fields[NAME_MAX_BYTES + 64];
	struct slot *slot;
	int r;
	fdstore_drop(name);
	/* Of two by one name the next slabd would take the older. */
	slot = find(name) == NULL ? add(name, -1) : NULL;
	if (slot == NULL)
		return;
	snprintf(fields, sizeof(fields), "FDSTORE=1\nFDNAME=%s\nFDPOLL=0",
	         name);
	r = notify_tell(fields, &fd, 1);
	if (r < 0)
		log_warn("%s will not outlive slabd, the service manager can't "
		         "be told: %s", name, strerror(-r));
	if (r <= 0)
		forget(slot);
}

void fdstore_drop(const char *name)
{
	char fields[NAME_MAX_BYTES + 64];
	struct slot *slot = find(name);
	int r;
	if (slot == NULL)
		return;
	snprintf(fields, sizeof(fields), "FDSTOREREMOVE=1\nFDNAME=%s", name);
	r = notify_tell(fields, NULL, 0);
	if (r < 0) {
		log_warn("the service manager still has %s, it can't be told: "
		         "%s", name, strerror(-r));
		close_passed(slot);
		return;
	}
	/* Last: the name may be the slot's own. */
	forget(slot);
}

int fdstore_take(const char *name)
{
	struct slot *slot = find(name);
	int fd;
	if (slot == NULL || slot->fd < 0)
		return -ENOENT;
	fd = slot->fd;
	slot->fd = -1;
	return fd;
}

bool fdstore_has(const char *name)
{
	return find(name) != NULL;
}

const char *fdstore_next(unsigned *at)
{
	for (; *at < n_slots; (*at)++)
		if (slots[*at].name != NULL && slots[*at].fd >= 0)
			return slots[(*at)++].name;
	return NULL;
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
