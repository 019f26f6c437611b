/* SPDX-License-Identifier: MIT */
/* Clients of a pool: which live, what they are called, and whose end is to be
 * heard of. */
#include "client/others.h"

#include <errno.h>
#include <string.h>

#include "client/error.h"
#include "client/request.h"
#include "client/silent.h"
#include "client/tools.h"
#include "shm/names.h"

#define WORD_EPOCH(word) ((uint32_t)((word) >> 8))

static int no_client(const struct slabd_pool *pool, unsigned client_id)
{
	return error_set(ESRCH, "pool %s has no client %u",
	                 pool->view.head->name, client_id);
}

unsigned slabd_client_epoch(slabd_pool *pool, unsigned client_id)
{
	uint64_t word;
	if (!pool_alive(pool))
		return 0;
	word = view_client_word(&pool->view, client_id);
	return word != 0 ? WORD_EPOCH(word) : (no_client(pool, client_id), 0);
}

int slabd_client_check(slabd_pool *pool, unsigned client_id, unsigned epoch)
{
	uint64_t word;
	if (!pool_alive(pool))
		return -1;
	word = view_client_word(&pool->view, client_id);
	if (word == 0)
		return no_client(pool, client_id);
	if (epoch != 0 && WORD_EPOCH(word) != epoch)
		return error_set(ESRCH,
		                 "client %u of pool %s has ended: another one "
		                 "has its number",
		                 client_id, pool->view.head->name);
	return 0;
}

/* ---- names --------------------------------------------------------------- */

int others_check_name(const char *name)
{
	if (name != NULL && strlen(name) > SLABD_NAME_MAX)
		return error_set(ENAMETOOLONG, "client name over %d bytes",
		                 SLABD_NAME_MAX);
	return 0;
}

/* The call was not answered, or with an error. */
static int fail(struct slabd_pool *pool, int r, const struct wire_reply *reply,
                const char *what)
{
	char why[LINK_WHY];
	if (r < 0)
		return error_set(-r, "%s: %s", what,
		                 silent_why(&pool->link, r, why));
	return error_set(reply->error > 0 ? reply->error : EPROTO, "%s",
	                 reply->text);
}

int others_tell_name(struct slabd_pool *pool, const char *name)
{
	struct wire_name msg = {.head = {.type = WIRE_NAME}};
	struct wire_reply reply;
	int r;
	strcpy(msg.name, name != NULL ? name : "");
	r = request_call(&pool->link, &msg.head, sizeof(msg), &reply);
	return r < 0 || reply.error != 0
	               ? fail(pool, r, &reply, "a client's name")
	               : 0;
}

int slabd_client_set_name(slabd_pool *pool, const char *name)
{
	if (!pool_alive(pool) || others_check_name(name) < 0)
		return -1;
	return others_tell_name(pool, name);
}

/* What a living client is called; false: none lives. */
static bool read_name(const struct view *view, unsigned client_id,
                      char name[NAME_BYTES])
{
	uint64_t word;
	do {
		word = view_client_word(view, client_id);
		if (word == 0)
			return false;
		names_read_any(&view->names[client_id], name);
		if (name[0] == '\0') {
			const char *comm = view->clients[client_id].comm;
			memset(name, 0, NAME_BYTES);
			memcpy(name, comm, sizeof(view->clients[0].comm) - 1);
		}
		/* pairs: clients_set; what was read is no later client's. */
		atom_fence();
	} while (view_client_word(view, client_id) != word);
	return true;
}

int slabd_client_name(slabd_pool *pool, unsigned client_id, char *name,
                      size_t bytes)
{
	char text[NAME_BYTES];
	if (!pool_alive(pool))
		return -1;
	if (name == NULL)
		return error_set(EINVAL, "slabd_client_name has no room");
	if (!read_name(&pool->view, client_id, text))
		return no_client(pool, client_id);
	if (strlen(text) >= bytes)
		return error_set(ERANGE,
		                 "a client's name of %zu bytes and its end does "
		                 "not fit into %zu", strlen(text), bytes);
	strcpy(name, text);
	tools_wrote(name, strlen(text) + 1);
	return 0;
}

/* ---- an end to be heard of ------------------------------------------------ */

int slabd_client_descriptor(slabd_pool *pool, unsigned client_id,
                            unsigned epoch)
{
	struct wire_watch msg = {.head = {.type = WIRE_WATCH},
	                         .id = client_id,
	                         .epoch = epoch};
	struct wire_reply reply;
	int fd = -1;
	int r;
	if (!pool_alive(pool))
		return -1;
	r = request_descriptor(&pool->link, &msg.head, sizeof(msg), &reply,
	                       &fd);
	if (r < 0 || reply.error != 0)
		return fail(pool, r, &reply, "a client's end");
	if (fd < 0)
		return error_set(EMFILE, "this process has no room for the "
		                         "descriptor that slabd sent: raise "
		                         "RLIMIT_NOFILE (ulimit -n)");
	return fd;
}
