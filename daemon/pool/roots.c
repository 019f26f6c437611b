/* SPDX-License-Identifier: MIT */
#include "daemon/pool/roots.h"

#include <errno.h>
#include <string.h>

#include "daemon/base/log.h"
#include "daemon/pool/clients.h"
#include "shm/handle.h"
#include "shm/slab.h"

typedef unsigned long long number;

/* ---- rows ---------------------------------------------------------------- */

static struct layout_root *row_at(const struct pool *pool, uint32_t ix)
{
	return (struct layout_root *)(uintptr_t)&pool->view.roots[ix];
}

static enum root_state state_of(const struct layout_root *row)
{
	return (enum root_state)atom_load(&row->state);
}

static void roots_set_state(struct layout_root *row, enum root_state state)
{
	/* pairs: root_row_find_any */
	atom_store_release(&row->state, (uint32_t)state);
}

/* Rows that were never used would take memory if they were read. */
static bool was_used(const struct pool *pool, uint32_t ix)
{
	return ix < ROOTS_MAX && state_of(row_at(pool, ix)) != ROOT_NONE;
}

uint32_t roots_n(const struct pool *pool)
{
	uint32_t n = 0;
	while (was_used(pool, n))
		n++;
	return n;
}

static struct layout_root *find(const struct pool *pool, const char *name)
{
	for (uint32_t ix = 0; was_used(pool, ix); ix++) {
		struct layout_root *row = row_at(pool, ix);
		if (state_of(row) == ROOT_LIVE &&
		    strncmp(row->name, name, NAME_BYTES) == 0)
			return row;
	}
	return NULL;
}

static struct layout_root *find_id(const struct pool *pool, uint32_t id)
{
	for (uint32_t ix = 0; was_used(pool, ix); ix++) {
		struct layout_root *row = row_at(pool, ix);
		if (state_of(row) == ROOT_LIVE && row->owner == id)
			return row;
	}
	return NULL;
}

const struct layout_root *roots_of(const struct pool *pool, uint32_t id)
{
	return find_id(pool, id);
}

/* ---- objects -------------------------------------------------------------- */

/* The tag and the generation of a handle's object. */
struct place {
	uint16_t *tag;
	uint16_t *gen;
	uint64_t off;
};

/* False: no object starts there, or it is another one by now. */
static bool locate(const struct pool *pool, uint64_t handle,
                   struct place *place)
{
	place->off = handle_off(handle);
	place->tag = slab_tag_of(&pool->view, place->off);
	if (place->tag == NULL)
		return false;
	place->gen = slab_gen_of(&pool->view, place->tag);
	return GEN_OBJECT(atom_load(place->gen)) == handle_object(handle);
}

static bool has(const struct pool *pool, uint32_t owner, uint64_t handle)
{
	struct place place;
	return locate(pool, handle, &place) &&
	       atom_load(place.tag) == (owner | TAG_KNOWN);
}

/* Whether it is a client's, as one that has a handle is, and no gift to it. */
static bool is_own(const struct place *place, uint32_t client)
{
	return atom_load(place->tag) == (client | TAG_KNOWN) &&
	       (atom_load(place->gen) & GEN_WAITING) == 0;
}

/* Whether it is a gift that the client may take. */
static bool waits_for(const struct pool *pool, uint32_t client, uint64_t handle)
{
	struct place place;
	return locate(pool, handle, &place) &&
	       atom_load(place.tag) == (client | TAG_KNOWN) &&
	       (atom_load(place.gen) & GEN_WAITING) != 0;
}

static void touch(const struct pool *pool, uint32_t id, uint64_t off)
{
	view_touch_any(&pool->view, id, slab_head_of(&pool->view, off));
}

/* What a root has is a gift to a client, which lives. */
static void release(const struct pool *pool, uint32_t owner, uint32_t client,
                    uint64_t handle)
{
	const struct view *view = &pool->view;
	struct place place;
	uint64_t word;
	if (!locate(pool, handle, &place) || !view_client_live(view, client))
		return;
	touch(pool, client, place.off);
	word = atom_load(&view->words[place.off >> UNIT_SHIFT]);
	if (tags_release_srv(place.tag, place.gen, (uint16_t)owner,
	                     (uint16_t)client))
		view_count_gifts(view, client, GIFTS_GIVEN,
		                 view->caches[WORD_CACHE(word) - 1].stride);
}

/* ---- changes -------------------------------------------------------------- */

static void note(struct layout_root *row, enum root_busy busy, uint32_t by,
                 uint64_t next, uint64_t former)
{
	row->by = by;
	row->next = next;
	row->former = former;
	/* pairs: finish, in the next slabd. */
	atom_store_release(&row->busy, (uint32_t)busy);
}

static void roots_name(struct layout_root *row, uint64_t handle)
{
	/* pairs: root_row_find_any */
	atom_store_release(&row->handle, handle);
}

/* What is noted, from wherever it had come to. */
static void finish(struct pool *pool, struct layout_root *row)
{
	switch ((enum root_busy)row->busy) {
	case ROOT_IDLE:
		return;
	case ROOT_SET:
		if (!has(pool, row->owner, row->next))
			break;
		roots_name(row, row->next);
		release(pool, row->owner, row->by, row->former);
		break;
	case ROOT_TAKE:
		roots_name(row, 0);
		release(pool, row->owner, row->by, row->former);
		break;
	case ROOT_END:
		release(pool, row->owner, row->by, row->former);
		roots_set_state(row, ROOT_OVER);
		break;
	}
	/* pairs: finish, in the next slabd. */
	atom_store_release(&row->busy, (uint32_t)ROOT_IDLE);
}

/* ---- open ------------------------------------------------------------------ */

static int check_name(const char *name, struct remedy *why)
{
	size_t len = strnlen(name, NAME_BYTES);
	if (len == 0 || len == NAME_BYTES)
		return remedy_set(why, -EINVAL, "",
		                  "a root's name has 1 to %u bytes",
		                  NAME_BYTES - 1);
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)name[i] < ' ' || name[i] == 0x7f)
			return remedy_set(why, -EINVAL, "",
			                  "a root's name has no control "
			                  "characters");
	return 0;
}

/* A row that is free, if the pool may have one more. */
static struct layout_root *free_row(const struct pool *pool)
{
	struct layout_root *row = NULL;
	uint32_t n = 0;
	uint32_t ix;
	for (ix = 0; was_used(pool, ix); ix++) {
		enum root_state state = state_of(row_at(pool, ix));
		n += state == ROOT_LIVE;
		if (state == ROOT_GONE && row == NULL)
			row = row_at(pool, ix);
	}
	if (n >= pool->config->max_roots)
		return NULL;
	return row == NULL && ix < ROOTS_MAX ? row_at(pool, ix) : row;
}

static int make(struct pool *pool, uint32_t client, const char *name,
                struct layout_root **out, struct remedy *why)
{
	struct layout_root *row = free_row(pool);
	int id;
	if (row == NULL)
		return remedy_set(why, -ENOSPC,
		                  "remove some, as slabctl roots shows them, or "
		                  "raise max_roots in slabd.conf",
		                  "pool %s has %u roots, all that it may have",
		                  pool->name, pool->config->max_roots);
	id = clients_take_root(pool, client);
	if (id < 0)
		return remedy_set(why, id, "end some clients",
		                  "pool %s has no id left for a root",
		                  pool->name);
	memset(row->name, 0, sizeof(row->name));
	memcpy(row->name, name, strnlen(name, NAME_BYTES - 1));
	atom_store(&row->owner, (uint32_t)id);
	row->busy = ROOT_IDLE;
	atom_store(&row->handle, UINT64_C(0));
	roots_set_state(row, ROOT_LIVE);
	log_info("pool %s: root %s, of client %u, is id %d", pool->name,
	         row->name, client, id);
	*out = row;
	return 0;
}

static int find_or_make(struct pool *pool, uint32_t client, const char *name,
                        struct layout_root **out, struct remedy *why)
{
	int r = check_name(name, why);
	*out = r == 0 ? find(pool, name) : NULL;
	return r == 0 && *out == NULL ? make(pool, client, name, out, why) : r;
}

int roots_open(struct pool *pool, uint32_t client, const char *name,
               struct remedy *why)
{
	struct layout_root *row;
	int r = find_or_make(pool, client, name, &row, why);
	return r < 0 ? r : (int)row->owner;
}

/* ---- set, end, take ------------------------------------------------------- */

static int is_changed(const struct layout_root *row, struct remedy *why)
{
	return remedy_set(why, -EAGAIN, "look again",
	                  "root %s was set meanwhile", row->name);
}

static int not_yours(uint32_t client, uint64_t handle, struct remedy *why)
{
	return remedy_set(why, -EPERM, "",
	                  "object 0x%llx is not client %u's to name",
	                  (number)handle_off(handle), client);
}

int roots_set(struct pool *pool, uint32_t client, const char *name,
              uint64_t handle, uint64_t former, struct remedy *why)
{
	struct layout_root *row = NULL;
	struct place place;
	int r = check_name(name, why);
	if (r < 0)
		return r;
	row = find(pool, name);
	if (row != NULL && row->handle == handle)
		return 0;
	if (row != NULL && row->handle != former)
		return is_changed(row, why);
	/* What is refused makes no root. */
	if (!locate(pool, handle, &place) ||
	    (!is_own(&place, client) &&
	     (row == NULL || !has(pool, row->owner, handle))))
		return not_yours(client, handle, why);
	if (row == NULL)
		r = make(pool, client, name, &row, why);
	if (r < 0)
		return r;
	note(row, ROOT_SET, client, handle, row->handle);
	touch(pool, row->owner, place.off);
	(void)tags_anchor_srv(place.tag, place.gen, (uint16_t)client,
	                      (uint16_t)row->owner);
	finish(pool, row);
	return row->handle == handle ? 0 : not_yours(client, handle, why);
}

int roots_end(struct pool *pool, uint32_t client, const char *name,
              uint64_t former, struct remedy *why)
{
	struct layout_root *row;
	int r = check_name(name, why);
	if (r < 0)
		return r;
	row = find(pool, name);
	/* It was asked before. */
	if (row == NULL && client != 0 && waits_for(pool, client, former))
		return 0;
	if (row == NULL)
		return remedy_set(why, -ENOENT, "slabctl roots shows which are",
		                  "pool %s has no root %.*s", pool->name,
		                  (int)NAME_BYTES - 1, name);
	if (client != 0 && row->handle != former)
		return is_changed(row, why);
	note(row, ROOT_END, client, 0, row->handle);
	finish(pool, row);
	log_info("pool %s: root %s, id %u, ended", pool->name, row->name,
	         row->owner);
	return 0;
}

int roots_take(struct pool *pool, uint32_t client, uint64_t handle,
               struct remedy *why)
{
	struct layout_root *row;
	struct place place;
	if (!locate(pool, handle, &place))
		return remedy_set(why, -EINVAL, "",
		                  "pool %s has no such object at 0x%llx",
		                  pool->name, (number)handle_off(handle));
	if (waits_for(pool, client, handle))
		return 0;
	row = find_id(pool, TAG_OWNER(atom_load(place.tag)));
	if (row == NULL)
		return remedy_set(why, -EPERM, "", "object 0x%llx is no root's",
		                  (number)place.off);
	if (row->handle == handle) {
		note(row, ROOT_TAKE, client, 0, handle);
		finish(pool, row);
	} else {
		release(pool, row->owner, client, handle);
	}
	return 0;
}

/* ---- asked again ---------------------------------------------------------- */

/* A number's low half, an errno, and a bit that there is one. */
#define ASKED(seq, error) ((seq) << 16 | (uint32_t)(error) << 1 | 1u)
#define ASKED_ERROR(asked) ((int32_t)((asked) >> 1 & 0x7fffu))

bool roots_was_asked(const struct pool *pool, uint32_t client, uint32_t seq,
                     int32_t *error)
{
	uint32_t asked = pool->view.names[client].asked;
	if (asked == 0 || (asked ^ seq << 16) >> 16 != 0)
		return false;
	*error = ASKED_ERROR(asked);
	return true;
}

void roots_note_asked(struct pool *pool, uint32_t client, uint32_t seq,
                      int error)
{
	struct layout_name *row =
		(struct layout_name *)(uintptr_t)&pool->view.names[client];
	row->asked = ASKED(seq, error);
}

/* ---- ends ------------------------------------------------------------------ */

uint32_t roots_over(const struct pool *pool)
{
	for (uint32_t ix = 0; was_used(pool, ix); ix++)
		if (state_of(row_at(pool, ix)) == ROOT_OVER)
			return row_at(pool, ix)->owner;
	return 0;
}

void roots_gone(struct pool *pool, uint32_t id)
{
	for (uint32_t ix = 0; was_used(pool, ix); ix++) {
		struct layout_root *row = row_at(pool, ix);
		if (state_of(row) == ROOT_OVER && row->owner == id)
			roots_set_state(row, ROOT_GONE);
	}
}

/* Ids of those that are over are reaped like those of the dead: see
 * death_adopt_clients. */
void roots_adopt(struct pool *pool)
{
	for (uint32_t ix = 0; was_used(pool, ix); ix++) {
		struct layout_root *row = row_at(pool, ix);
		row->name[NAME_BYTES - 1] = '\0';
		if (row->owner - 1 >= CLIENT_ID_MAX)
			roots_set_state(row, ROOT_GONE);
		if (state_of(row) == ROOT_LIVE)
			finish(pool, row);
		if (state_of(row) == ROOT_OVER)
			roots_set_state(row, ROOT_GONE);
	}
}
