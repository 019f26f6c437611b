/* SPDX-License-Identifier: MIT */
#include "client/arena_parts.h"

#include <errno.h>
#include <string.h>

#include "client/error.h"
#include "client/handle.h"
#include "client/tools.h"
#include "client/turn.h"
#include "shm/atom.h"
#include "shm/heir.h"

bool arena_parts_begin(struct arena_parts *parts)
{
	struct arena *arena = parts->arena;
	if (arena->used == 0 &&
	    !arena_chunk_next(arena, arena_chunk_class(arena), 0))
		return false;
	arena_chunk_trim(arena);
	parts->n = arena->chunks.n + arena->blocks.n;
	return true;
}

struct arena_chunk *arena_parts_chunk(const struct arena_parts *parts, uint32_t i)
{
	struct arena *arena = parts->arena;
	return i < arena->chunks.n ? &arena->chunks.at[i]
	                           : &arena->blocks.at[i - arena->chunks.n];
}

uint64_t arena_parts_off(const struct arena_parts *parts, uint32_t i)
{
	return (uint64_t)(arena_parts_chunk(parts, i)->start - parts->pool->user.data);
}

uint16_t *arena_parts_tag(const struct arena_parts *parts, uint32_t i)
{
	return slab_tag_of(&parts->pool->view, arena_parts_off(parts, i));
}

static uint16_t *gen_of(const struct arena_parts *parts, const uint16_t *tag)
{
	return slab_gen_of(&parts->pool->view, tag);
}

slabd_handle arena_parts_handle(const struct arena_parts *parts, uint32_t i)
{
	if (i == parts->n)
		return SLABD_NO_HANDLE;
	return handle_make(arena_parts_off(parts, i),
	                   atom_load(gen_of(parts, arena_parts_tag(parts, i))));
}

void arena_parts_write(const struct arena_parts *parts, uint32_t root)
{
	const struct arena *arena = parts->arena;
	struct arena_record *record = (void *)arena->chunks.at[0].start;
	const char *last = arena->chunks.at[arena->chunks.n - 1].start;
	uint32_t classes = 0;
	for (uint32_t i = 0; i < parts->n; i++) {
		struct arena_part *part = (void *)arena_parts_chunk(parts, i)->start;
		classes |= 1u << arena_parts_chunk(parts, i)->class;
		if (i > 0)
			*part = (struct arena_part){ARENA_PART_MAGIC,
			                            arena_parts_handle(parts, i + 1)};
	}
	*record = (struct arena_record){
		.magic = ARENA_MAGIC,
		.used = (uint64_t)(arena->head->at.at_ - last),
		.next = arena_parts_handle(parts, 1),
		.n_chunks = arena->chunks.n,
		.n_blocks = arena->blocks.n,
		.classes = classes,
		.root = root};
	memcpy(record->name, arena->name, sizeof(record->name));
}

bool arena_parts_check(const struct arena_parts *parts)
{
	const struct view *view = &parts->pool->view;
	for (uint32_t i = 0; i < parts->n; i++) {
		uint64_t off = arena_parts_off(parts, i);
		uint16_t *tag = slab_tag_of(view, off);
		if (tag == NULL ||
		    !tags_has_own(tag, slab_gen_of(view, tag),
		                  (uint16_t)parts->pool->user.id)) {
			error_set(EPERM, "chunk 0x%llx of the arena was given "
			          "or freed by itself: it is not this client's "
			          "any more", (unsigned long long)off);
			return false;
		}
		view_touch_any(view, parts->heir_id, slab_head_of(view, off));
	}
	return true;
}

void arena_parts_withdraw(const struct arena_parts *parts, uint32_t first, uint32_t end)
{
	for (uint32_t i = first; i < end; i++) {
		uint16_t *tag = arena_parts_tag(parts, i);
		if (tag != NULL)
			heir_withdraw_own(tag, gen_of(parts, tag),
			                  (uint16_t)parts->pool->user.id);
	}
}

/* In turns, as a thread may be about to take what was a gift before. */
bool arena_parts_offer(const struct arena_parts *parts, uint32_t first)
{
	for (uint32_t i = first; i < parts->n; i++) {
		uint16_t *tag = arena_parts_tag(parts, i);
		uint32_t *turn = turn_take(parts->pool, arena_parts_off(parts, i));
		if (turn == NULL) {
			arena_parts_withdraw(parts, first, i);
			return false;
		}
		heir_offer_own(tag, gen_of(parts, tag),
		               (uint16_t)parts->pool->user.id);
		turn_end(turn);
	}
	return true;
}

/* What somebody makes handles of meanwhile, and this process takes, is not given:
 * who takes the arena finds it broken then. */
static void hand_known(const struct arena_parts *parts, uint32_t i)
{
	uint16_t *tag = arena_parts_tag(parts, i);
	uint32_t *turn = turn_take(parts->pool, arena_parts_off(parts, i));
	if (turn == NULL)
		return;
	heir_hand_known_own(tag, gen_of(parts, tag),
	                    (uint16_t)parts->pool->user.id,
	                    (uint16_t)parts->heir_id);
	turn_end(turn);
}

/* It may come back by way of others' hands, which the thread sanitizer does not see. */
void arena_parts_leave(const struct arena_parts *parts, uint32_t i)
{
	const struct arena_chunk *chunk = arena_parts_chunk(parts, i);
	if (atom_load(&tools_on))
		tools_give(chunk->start);
	if (tools_miss_slabd())
		tools_home(chunk->start, arena_bytes_of(chunk->class));
}

void arena_parts_hand(const struct arena_parts *parts, uint32_t first)
{
	for (uint32_t i = parts->n; i-- > first;) {
		arena_parts_leave(parts, i);
		if (!heir_hand_own(arena_parts_tag(parts, i),
		                   (uint16_t)parts->pool->user.id,
		                   (uint16_t)parts->heir_id))
			hand_known(parts, i);
	}
}
