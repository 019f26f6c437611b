/* SPDX-License-Identifier: MIT */
/* Where the objects of a channel's entry lie, for clients, which look often. */
#ifndef SHM_CHANNEL_FIND_H
#define SHM_CHANNEL_FIND_H

#include "shm/channel.h"
#include "shm/slab_find.h"

/* channel_locate, as slab_find is slab_locate: what lies there is the channel's, as
 * the tags say, or left alone. */
static inline bool channel_find(const struct view *view,
                                const struct channel_run *run,
                                struct channel_place *place)
{
	struct slab_place first;
	int64_t stride;
	if (!slab_find(view, run->off, &first))
		return false;
	if (run->down ? first.ix + 1 < run->n
	              : first.cache->n_objs - first.ix < run->n)
		return false;
	stride = (int64_t)first.cache->stride;
	*place = (struct channel_place){
		.tag = first.tag,
		.gen = slab_gen_of(view, first.tag),
		.step = run->down ? -stride : stride,
		.head = first.head,
		.cache = first.cache,
	};
	return true;
}

#endif
