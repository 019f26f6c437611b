/* SPDX-License-Identifier: MIT */
/* Channels opened and closed, and who else has them open. */
#include "client/channel.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/channel_poll.h"
#include "client/closed.h"
#include "client/error.h"
#include "client/reach.h"
#include "client/recv.h"
#include "client/request.h"
#include "client/silent.h"
#include "client/tools.h"
#include "shm/atom.h"
#include "shm/wire_channel.h"

/* The call was not answered, or with an error. */
static int fail(struct slabd_pool *pool, int r, const struct wire_reply *reply)
{
	char why[LINK_WHY];
	if (r < 0)
		return error_set(-r, "a channel: %s",
		                 silent_why(&pool->link, r, why));
	return error_set(reply->error > 0 ? reply->error : EPROTO, "%s",
	                 reply->text);
}

/* ---- one that is shared by its handles ------------------------------------ */

static int map_ring(struct joined *joined, uint32_t capacity, uint32_t owner,
                    int fd)
{
	struct stat st;
	void *at;
	if (capacity - 1 >= CHANNEL_CAPACITY_MAX || fstat(fd, &st) < 0 ||
	    (uint64_t)st.st_size < channel_bytes(capacity))
		return error_set(EPROTO, "slabd sent no ring of a channel");
	at = mmap(NULL, channel_bytes(capacity), PROT_READ | PROT_WRITE,
	          MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		return error_set(ENOMEM, "this process has no room for the ring "
		                         "of a channel");
	madvise(at, channel_bytes(capacity), MADV_DONTDUMP);
	channel_map(&joined->ring, at, capacity, owner);
	return 0;
}

static int ask(struct slabd_pool *pool, const char *name, size_t capacity,
               uint32_t *ix)
{
	struct wire_join msg = {.head = {.type = WIRE_JOIN},
	                        .capacity = capacity};
	struct wire_reply reply;
	int fd = -1;
	int r;
	strcpy(msg.name, name);
	r = request_descriptor(&pool->link, &msg.head, sizeof(msg), &reply,
	                       &fd);
	if (r < 0 || reply.error != 0)
		return fail(pool, r, &reply);
	if (fd < 0)
		return error_set(EMFILE, "this process has no room for the "
		                         "descriptor that slabd sent");
	*ix = reply.cache;
	return fd;
}

static void tell_left(struct slabd_pool *pool, uint32_t ix)
{
	struct wire_leave msg = {.head = {.type = WIRE_LEAVE}, .ix = ix};
	struct wire_reply reply;
	int saved = errno;
	/* A slabd that is gone settles it when this client ends. */
	(void)request_call(&pool->link, &msg.head, sizeof(msg), &reply);
	errno = saved;
}

static void drop(struct joined *joined)
{
	munmap(joined->ring.head, channel_bytes(joined->ring.capacity));
	free(joined);
}

static struct joined *find(struct slabd_pool *pool, uint32_t ix)
{
	struct joined *joined = pool->channels;
	while (joined != NULL && joined->ix != ix)
		joined = joined->next;
	return joined;
}

/* The one of that row, with the file that slabd sent. */
static struct joined *enter(struct slabd_pool *pool, uint32_t ix, int fd)
{
	const struct layout_channel *row;
	struct joined *joined = find(pool, ix);
	if (joined != NULL)
		return joined;
	if (ix >= CHANNELS_MAX)
		return error_set(EPROTO, "slabd named no channel"), NULL;
	row = &pool->view.channels[ix];
	joined = calloc(1, sizeof(*joined));
	if (joined == NULL)
		return error_set(ENOMEM, "no memory for a channel"), NULL;
	joined->ix = ix;
	if (map_ring(joined, row->capacity, row->owner, fd) < 0) {
		free(joined);
		return NULL;
	}
	joined->next = pool->channels;
	pool->channels = joined;
	return joined;
}

/* Under the pool's lock of channels: after the last handle slabd is told. */
static void leave(struct slabd_pool *pool, struct joined *joined)
{
	struct joined **at = &pool->channels;
	if (joined->handles != NULL)
		return;
	while (*at != joined)
		at = &(*at)->next;
	*at = joined->next;
	tell_left(pool, joined->ix);
	drop(joined);
}

int channel_lost(void)
{
	return error_set(ESTALE, "slabd came again without the ring of this "
	                         "channel: close it, and open it anew");
}

bool channel_usable(const struct slabd_channel *channel)
{
	if (!pool_alive(channel != NULL ? channel->pool : NULL))
		return false;
	return channel_is_there(channel) || channel_lost() == 0;
}

/* ---- handles ------------------------------------------------------------- */

static struct slabd_channel *make(struct slabd_pool *pool,
                                  struct joined *joined)
{
	struct slabd_channel *channel = calloc(1, sizeof(*channel));
	struct begun *begun = calloc(joined->ring.capacity, sizeof(*begun));
	if (channel == NULL || begun == NULL ||
	    !reach_touched(pool, joined->ring.owner)) {
		free(channel);
		free(begun);
		error_set(ENOMEM, "no memory for a channel");
		return NULL;
	}
	channel->pool = pool;
	channel->joined = joined;
	channel->row = &pool->view.channels[joined->ix];
	channel->ring = joined->ring;
	channel->begun = begun;
	channel->ends = atom_load(&joined->ring.head->ends);
	pthread_mutex_init(&channel->lock, NULL);
	channel->next = joined->handles;
	joined->handles = channel;
	return channel;
}

/* Under the pool's lock of channels. */
static struct slabd_channel *join(struct slabd_pool *pool, const char *name,
                                  size_t capacity)
{
	struct slabd_channel *channel = NULL;
	struct joined *joined;
	uint32_t ix = 0;
	int fd = ask(pool, name, capacity, &ix);
	if (fd < 0)
		return NULL;
	joined = enter(pool, ix, fd);
	close(fd);
	if (joined == NULL)
		return tell_left(pool, ix), NULL;
	channel = make(pool, joined);
	leave(pool, joined);
	return channel;
}

slabd_channel *slabd_channel_open(slabd_pool *pool, const char *name,
                                  size_t capacity)
{
	struct slabd_channel *channel;
	int held;
	if (!pool_alive(pool))
		return NULL;
	if (name == NULL || name[0] == '\0')
		return error_set(EINVAL, "a channel has a name"), NULL;
	if (strlen(name) > SLABD_NAME_MAX)
		return error_set(ENAMETOOLONG, "channel name over %d bytes",
		                 SLABD_NAME_MAX), NULL;
	held = link_hold();
	pthread_mutex_lock(&pool->channels_lock);
	channel = join(pool, name, capacity);
	pthread_mutex_unlock(&pool->channels_lock);
	link_let_go(held);
	return channel;
}

static void forget(struct slabd_channel *channel)
{
	struct slabd_channel **at = &channel->joined->handles;
	while (*at != channel)
		at = &(*at)->next;
	*at = channel->next;
	free(channel->begun);
	channel->begun = NULL;
	closed_bury_channel(channel);
}

/* In a forked child the lock may be one of its parent's threads'. */
int slabd_channel_close(slabd_channel *channel)
{
	struct slabd_pool *pool;
	bool alive;
	int held;
	if (channel == NULL)
		return error_set(EINVAL, "slabd_channel_close of no channel");
	if (closed_is_channel(channel))
		return error_set(EINVAL, "slabd_channel_close of one that was "
		                 "closed already");
	pool = channel->pool;
	alive = atom_load(pool->alive) != 0;
	held = link_hold();
	channel_poll_end(channel, alive);
	if (alive) {
		struct joined *joined = channel->joined;
		begun_put_back(channel);
		pthread_mutex_lock(&pool->channels_lock);
		forget(channel);
		leave(pool, joined);
		pthread_mutex_unlock(&pool->channels_lock);
	} else {
		forget(channel);
	}
	link_let_go(held);
	return 0;
}

void channel_close_all(struct slabd_pool *pool, bool alive)
{
	while (pool->channels != NULL) {
		struct joined *joined = pool->channels;
		pool->channels = joined->next;
		while (joined->handles != NULL) {
			channel_poll_end(joined->handles, alive);
			forget(joined->handles);
		}
		if (alive)
			tell_left(pool, joined->ix);
		drop(joined);
	}
}

size_t slabd_channel_peers(slabd_channel *channel, unsigned *ids, size_t n)
{
	const struct view *view;
	uint32_t top_id;
	size_t found = 0;
	if (!pool_alive(channel != NULL ? channel->pool : NULL) ||
	    error_no_array(ids, n))
		return 0;
	view = &channel->pool->view;
	top_id = view->head->top_id;
	for (uint32_t id = 1; id <= top_id; id++) {
		if (!view_client_live(view, id) ||
		    (atom_load(&view->joins[id]) >> channel->joined->ix & 1) == 0)
			continue;
		if (found < n)
			ids[found] = id;
		found++;
	}
	if (atom_load(&tools_on))
		tools_wrote(ids, (found < n ? found : n) * sizeof(*ids));
	return found;
}
