/* SPDX-License-Identifier: MIT */
#include "daemon/serve/kept.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/base/proc.h"
#include "daemon/manager/fdstore.h"
#include "daemon/pool/clients.h"
#include "daemon/serve/door.h"

#define NAME 128

/* Short, as all names together are bounded: see FDSTORE_NAMES_BYTES. */
static void name_of(char name[NAME], const struct pool *pool, uint32_t id,
                    char which)
{
	snprintf(name, NAME, "slabd.%s.%u.%u.%c", pool->name, id,
	         clients_epoch(pool, id), which);
}

bool kept_put(const struct pool *pool, uint32_t id,
              const struct kept_pair *pair)
{
	char sock[NAME];
	char events[NAME];
	name_of(sock, pool, id, 's');
	name_of(events, pool, id, 'e');
	/* The next slabd finds one without the other where this is cut short,
	 * and drops it. */
	if (fdstore_put_spare(sock, pair->sock) &&
	    fdstore_put_spare(events, pair->events))
		return true;
	fdstore_drop(sock);
	return false;
}

void kept_drop(const struct pool *pool, uint32_t id,
               const struct kept_pair *pair)
{
	char name[NAME];
	name_of(name, pool, id, 's');
	door_close(pair->sock, name);
	name_of(name, pool, id, 'e');
	door_close(pair->events, name);
}

static int take_one(const struct pool *pool, uint32_t id, char which)
{
	char name[NAME];
	name_of(name, pool, id, which);
	return fdstore_take(name);
}

/* A packet socket of the kernel's own family, not some other file. */
static bool is_socket(int fd)
{
	int type = 0;
	socklen_t bytes = sizeof(type);
	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &bytes) == 0 &&
	       type == SOCK_SEQPACKET;
}

/* Whoever connected it is the process; where the kernel can't tell, the name
 * says so. */
static bool is_of(int sock, int pidfd)
{
	int fd = proc_of_peer(sock);
	int same = fd < 0 ? fd : proc_is_same(fd, pidfd);
	if (fd >= 0)
		close(fd);
	return same != 0 && same != -ESRCH;
}

int kept_take(const struct pool *pool, uint32_t id, int pidfd,
              struct kept_pair *pair)
{
	pair->sock = take_one(pool, id, 's');
	pair->events = take_one(pool, id, 'e');
	if (pair->sock < 0 && pair->events < 0)
		return -ENOENT;
	if (pair->sock >= 0 && pair->events >= 0 && pidfd >= 0 &&
	    is_socket(pair->sock) && is_socket(pair->events) &&
	    is_of(pair->sock, pidfd))
		return 0;
	kept_drop(pool, id, pair);
	return -ENOENT;
}
