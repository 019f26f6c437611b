/* SPDX-License-Identifier: MIT */
#include "daemon/pool/holders.h"

#include "shm/slab.h"
#include "shm/tags.h"

#define PROBES 32u /* places that are tried for one */

/* NULL: there is no room. */
static struct holder *place_of(struct holders *holders, uint32_t client,
                               uint32_t cache, uint32_t node)
{
	uint32_t at = (client * 31 + cache) * 67 + node;
	for (uint32_t i = 0; i < PROBES; i++) {
		struct holder *one = &holders->holder[(at + i) % HOLDERS_MAX];
		if (one->client == 0)
			*one = (struct holder){client, cache, node, 0, 0};
		if (one->client == client && one->cache == cache &&
		    one->node == node)
			return one;
	}
	return NULL;
}

void holders_add(struct holders *holders, const struct pool *pool,
                 uint32_t head)
{
	uint64_t word = pool->view.words[head];
	uint32_t cache = WORD_CACHE(word);
	const struct layout_cache *row = &pool->view.caches[cache - 1];
	const uint16_t *tags = slab_tags(&pool->view, head);
	uint32_t run;
	for (uint32_t i = 0; i < row->n_objs; i += run) {
		uint16_t tag = atom_load(&tags[i]);
		struct holder *one;
		run = tags_run(tags, i, row->n_objs);
		if (tag == TAG_FREE || TAG_OWNER(tag) > CLIENT_ID_MAX)
			continue;
		one = place_of(holders, TAG_OWNER(tag), cache, WORD_HOME(word));
		if (one == NULL)
			continue;
		one->objects += run;
		one->bytes += (uint64_t)run * row->stride;
	}
}

uint32_t holders_most(const struct holders *holders, uint32_t node,
                      struct holder *out, uint32_t n)
{
	uint32_t found = 0;
	for (uint32_t i = 0; i < HOLDERS_MAX; i++) {
		struct holder one = holders->holder[i];
		if (one.client == 0 || one.node != node)
			continue;
		for (uint32_t at = 0; at < found; at++) {
			struct holder was = out[at];
			if (one.objects <= was.objects)
				continue;
			out[at] = one;
			one = was;
		}
		if (found < n)
			out[found++] = one;
	}
	return found;
}
