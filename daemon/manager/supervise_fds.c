/* SPDX-License-Identifier: MIT */
#include "daemon/manager/supervise_fds.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#define HEAD "LISTEN_FDNAMES"
#define HEAD_BYTES (sizeof(HEAD) - 1)
#define FIRST_FD 3 /* that a program is passed */

void supervise_fds_init(struct supervise_fds *store, unsigned max)
{
	store->n = 0;
	store->max = max < SUPERVISE_FDS_MAX ? max : SUPERVISE_FDS_MAX;
	store->used = HEAD_BYTES;
	memcpy(store->list, HEAD, sizeof(HEAD));
}

static bool is_valid(const char *name)
{
	size_t len = strlen(name);
	for (size_t i = 0; i < len; i++)
		if (name[i] < ' ' || name[i] > '~' || name[i] == ':')
			return false;
	return len > 0 && len <= SUPERVISE_FDS_NAME_BYTES;
}

int supervise_fds_add(struct supervise_fds *store, const char *name, int fd)
{
	size_t len = strlen(name);
	int r = 0;
	if (!is_valid(name))
		r = -EINVAL;
	else if (store->n == store->max ||
	         store->used + 1 + len + 1 > SUPERVISE_FDS_LIST_BYTES)
		r = -ENOSPC;
	if (r < 0) {
		close(fd);
		return r;
	}
	store->list[store->used] = store->n == 0 ? '=' : ':';
	memcpy(store->list + store->used + 1, name, len + 1);
	store->used += 1 + len;
	store->fds[store->n++] = fd;
	return 0;
}

/* Number i, whose name has len bytes after the sign at "at". */
static void remove_one(struct supervise_fds *store, unsigned i, char *at,
                       size_t len)
{
	char *end = store->list + store->used + 1;
	close(store->fds[i]);
	memmove(store->fds + i, store->fds + i + 1,
	        (store->n - i - 1) * sizeof(store->fds[0]));
	memmove(at, at + 1 + len, (size_t)(end - (at + 1 + len)));
	store->used -= 1 + len;
	store->n--;
}

unsigned supervise_fds_remove(struct supervise_fds *store, const char *name)
{
	char *at = store->list + HEAD_BYTES;
	size_t len = strlen(name);
	unsigned removed = 0;
	unsigned i = 0;
	while (i < store->n) {
		size_t here = strcspn(at + 1, ":");
		if (here == len && memcmp(at + 1, name, len) == 0) {
			remove_one(store, i, at, len);
			removed++;
		} else {
			at += 1 + here;
			i++;
		}
	}
	if (store->n > 0)
		store->list[HEAD_BYTES] = '=';
	return removed;
}

int supervise_fds_place(struct supervise_fds *store)
{
	int end = FIRST_FD + (int)store->n;
	/* Out of the way first: each place may be another one's. */
	for (unsigned i = 0; i < store->n; i++) {
		if (store->fds[i] < end)
			store->fds[i] = fcntl(store->fds[i], F_DUPFD_CLOEXEC,
			                      end);
		if (store->fds[i] < 0)
			return -errno;
	}
	for (unsigned i = 0; i < store->n; i++)
		if (dup2(store->fds[i], FIRST_FD + (int)i) < 0)
			return -errno;
	/* Also what was inherited. */
	return close_range((unsigned)end, UINT_MAX, 0) < 0 ? -errno : 0;
}
