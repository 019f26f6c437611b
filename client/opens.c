/* SPDX-License-Identifier: MIT */
#include "client/opens.h"

#include <sys/socket.h>

#include "client/process.h"

enum told { NONE, DUE, TOLD };

/* True when slabd's socket took it. */
static bool send_close(struct link *link, uint32_t id, uint32_t up)
{
	struct wire_close msg = {
	        .head = {.type = WIRE_CLOSE, .bytes = sizeof(msg)},
	        .cache = id};
	ssize_t n;
	if (!link_is_own(link))
		return false;
	n = send(link->sock, &msg, sizeof(msg), MSG_NOSIGNAL | MSG_DONTWAIT);
	if (n < 0 && link_is_cut(n))
		link_cut(link, up);
	return n > 0;
}

/* All that the connection before this one was told. */
static void tell_anew(struct slabd_pool *pool, uint32_t up)
{
	for (uint32_t ix = 0; ix < pool->view.geo.n_caches; ix++)
		if (pool->told[ix] == TOLD)
			pool->told[ix] = DUE;
	atom_store(&pool->told_up, up);
	atom_store(&pool->tell_due, true);
}

static void tell(struct slabd_pool *pool)
{
	uint32_t up = atom_load(&pool->link.up);
	if (pool->opening > 0 || (up & 1) == 0)
		return;
	if (up != pool->told_up)
		tell_anew(pool, up);
	if (!pool->tell_due)
		return;
	for (uint32_t ix = 0; ix < pool->view.geo.n_caches; ix++) {
		if (pool->told[ix] != DUE)
			continue;
		if (pool->caches[ix] != NULL)
			pool->told[ix] = NONE;
		else if (send_close(&pool->link, ix + 1, up))
			pool->told[ix] = TOLD;
		else
			return;
	}
	atom_store(&pool->tell_due, false);
}

void opens_begin(struct slabd_pool *pool)
{
	pool->opening++;
}

void opens_end(struct slabd_pool *pool, int id)
{
	pool->opening--;
	if (id > 0 && pool->caches[id - 1] == NULL)
		opens_closed(pool, (uint32_t)id);
	else
		tell(pool);
}

void opens_closed(struct slabd_pool *pool, uint32_t id)
{
	pool->told[id - 1] = DUE;
	atom_store(&pool->tell_due, true);
	tell(pool);
}

void opens_tell(struct slabd_pool *pool)
{
	int held;
	if (!atom_load(&pool->tell_due) &&
	    atom_load(&pool->link.up) == atom_load(&pool->told_up))
		return;
	held = link_hold();
	process_lock();
	tell(pool);
	process_unlock();
	link_let_go(held);
}
