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
#define BUCKETS 1024u

/* What the manager keeps, in the order in which it came. A walk goes by the
 * numbers, so that it is not led astray by what it drops. */
static struct slot {
	struct slot *next; /* in that order */
	struct slot *before;
	struct slot *beside; /* in its bucket */
	unsigned number;
	uint32_t hash; /* of the name */
	int fd;        /* passed and not taken; -1 */
	char name[];
} *slots, *last;
static struct slot *buckets[BUCKETS];
static struct slot *walked; /* that a walk has come to; NULL: none */
static unsigned n_numbers;
static int64_t patience_ns = BARRIER_NS; /* left for a silent manager */
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

static struct slot *find(const char *name)
{
	uint32_t hash = hash_of(name);
	struct slot *slot = buckets[hash % BUCKETS];
	while (slot != NULL &&
	       (slot->hash != hash || strcmp(slot->name, name) != 0))
		slot = slot->beside;
	return slot;
}

/* At the end. NULL, said in the log, where there is no room or the name is not
 * ours. */
static struct slot *add(const char *name, int fd)
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
	*slot = (struct slot){.before = last,
	                      .number = n_numbers++,
	                      .hash = hash_of(name),
	                      .fd = fd};
	memcpy(slot->name, name, bytes);
	slot->beside = buckets[slot->hash % BUCKETS];
	buckets[slot->hash % BUCKETS] = slot;
	*(last != NULL ? &last->next : &slots) = slot;
	last = slot;
	names_bytes += bytes;
	n_slots++;
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
	struct slot **link = &buckets[slot->hash % BUCKETS];
	close_passed(slot);
	names_bytes -= strlen(slot->name) + 1;
	n_slots--;
	while (*link != slot)
		link = &(*link)->beside;
	*link = slot->beside;
	*(slot->before != NULL ? &slot->before->next : &slots) = slot->next;
	*(slot->next != NULL ? &slot->next->before : &last) = slot->before;
	if (walked == slot)
		walked = slot->before;
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
		bool twice = find(name) != NULL;
		if (twice)
			log_warn("the service manager passed two descriptors "
			         "named %s: the later one is closed", name);
		if (twice || add(name, fd) == NULL)
			close(fd);
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

int fdstore_peek(const char *name)
{
	const struct slot *slot = find(name);
	return slot != NULL && slot->fd >= 0 ? slot->fd : -ENOENT;
}

int fdstore_take(const char *name)
{
	int fd = fdstore_peek(name);
	if (fd >= 0)
		find(name)->fd = -1;
	return fd;
}

bool fdstore_has(const char *name)
{
	return find(name) != NULL;
}

const char *fdstore_next(unsigned *at)
{
	struct slot *slot = slots;
	/* What stands before it has smaller numbers. */
	if (walked != NULL && walked->number < *at)
		slot = walked->next;
	while (slot != NULL && (slot->number < *at || slot->fd < 0))
		slot = slot->next;
	if (slot == NULL)
		return NULL;
	walked = slot;
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

/* One that does not answer is waited for once, not for each pool. */
bool fdstore_barrier(void)
{
	int64_t began = clock_ns();
	int r = notify_barrier(patience_ns);
	if (r >= 0) {
		patience_ns = BARRIER_NS;
		return true;
	}
	if (patience_ns == BARRIER_NS)
		log_warn("the service manager has not confirmed what it keeps: "
		         "%s; if slabd dies before it reads on, what it was "
		         "told last is lost: see what keeps it busy",
		         strerror(-r));
	patience_ns -= clock_ns() - began;
	if (patience_ns < 0)
		patience_ns = 0;
	return false;
}

/* One more at the end is kept only where all before it were: limits are counts.
 * What the manager closed is seen at the other end. */
enum fdstore_answer fdstore_confirm(void)
{
	static const char name[] = "slabd.probe";
	enum fdstore_answer answer = FDSTORE_SILENT;
	struct pollfd at = {.events = 0};
	int pair[2];
	/* What is known to be full has taken no more than it has room for. */
	if (n_slots >= max_slots)
		return fdstore_barrier() ? FDSTORE_KEPT : FDSTORE_SILENT;
	if (names_bytes + sizeof(name) > FDSTORE_NAMES_BYTES ||
	    pipe2(pair, O_CLOEXEC) < 0)
		return FDSTORE_SILENT;
	fdstore_put(name, pair[1]);
	close(pair[1]);
	at.fd = pair[0];
	if (!fdstore_has(name)) /* there is no manager */
		answer = FDSTORE_KEPT;
	else if (fdstore_barrier())
		answer = poll(&at, 1, 0) > 0 ? FDSTORE_REFUSED : FDSTORE_KEPT;
	close(pair[0]);
	fdstore_drop(name);
	return answer;
}
