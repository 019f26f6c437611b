/* SPDX-License-Identifier: MIT */
/* Channels and object pools: see flows.h. */
#include <errno.h>
#include <string.h>

#include "tests/torture/torture.h"

#define BATCH 32u
#define CAPACITY 64u

static uint32_t below(struct actor *actor, uint32_t n)
{
	return rng_below(&actor->rng, n);
}

static void fault(const struct actor *actor, const char *what)
{
	torture_fault(actor->worker->board, "%s: %s: %s", what, strerror(errno),
	              slabd_last_error());
}

/* ---- tickets -------------------------------------------------------------- */

/* A seed of what is sent:
 *
 *    63  62   60 59    40 39  32 31          0
 *   +---+-------+--------+------+-------------+
 *   | 1 | cache |  slot  |  0   | generation  |    all zero but cache: no ticket
 *   +---+-------+--------+------+-------------+ */
#define SEED_TICKET (UINT64_C(1) << 63)
#define SEED_CACHE(seed) ((uint32_t)((seed) >> 60) & 7)
#define SEED_SLOT(seed) ((uint32_t)((seed) >> 40) & (TICKETS - 1))
#define GENERATION(word) ((word) >> 3)
#define STATE(word) ((enum ticket_state)((word) & 7))

/* From one state to the next; false: it is in another, or used anew. */
static bool turn(struct board *board, uint64_t seed, enum ticket_state from,
                 enum ticket_state to)
{
	uint32_t was = (uint32_t)seed << 3 | from;
	/* pairs: turn, of another process. */
	return atom_cas(&board->tickets.word[SEED_SLOT(seed)], &was,
	                (uint32_t)seed << 3 | to);
}

/* A ticket that is offered; 0: none is free just now. */
static uint64_t draw_ticket(struct board *board)
{
	for (uint32_t i = 0; i < 64; i++) {
		uint32_t slot = atom_add(&board->tickets.next, 1u) % TICKETS;
		uint32_t was = atom_load(&board->tickets.word[slot]);
		uint32_t gen = GENERATION(was + (1u << 3));
		if (STATE(was) != TICKET_FREE && STATE(was) != TICKET_DONE)
			continue;
		/* pairs: turn */
		if (atom_cas(&board->tickets.word[slot], &was,
		             gen << 3 | TICKET_OFFERED))
			return SEED_TICKET | (uint64_t)slot << 40 | gen;
	}
	return 0;
}

/* What was begun comes for the first time, or is said to come again. */
static void note_begun(struct actor *actor, uint64_t seed, bool again)
{
	struct board *board = actor->worker->board;
	uint32_t was = atom_load(&board->tickets.word[SEED_SLOT(seed)]);
	if ((seed & SEED_TICKET) == 0)
		return;
	if (again && GENERATION(was) == (uint32_t)seed &&
	    STATE(was) == TICKET_BEGUN)
		return;
	if (!turn(board, seed, TICKET_SENT, TICKET_BEGUN) &&
	    !turn(board, seed, TICKET_OFFERED, TICKET_BEGUN) &&
	    /* Its sender has noted meanwhile that it was sent. */
	    !turn(board, seed, TICKET_SENT, TICKET_BEGUN))
		torture_fault(board, "what came as ticket %u of %u is in state "
		              "%u of %u%s", (uint32_t)seed, SEED_SLOT(seed),
		              STATE(was), GENERATION(was),
		              again ? ", again" : "");
}

uint64_t flows_count_lost(const struct board *board)
{
	uint64_t lost = 0;
	for (uint32_t i = 0; i < TICKETS; i++)
		lost += STATE(atom_load(&board->tickets.word[i])) ==
		        TICKET_SENT;
	return lost;
}

/* ---- channels ------------------------------------------------------------- */

slabd_channel *flows_channel(struct actor *actor, slabd_channel **channel,
                             const char *name)
{
	const struct board *board = actor->worker->board;
	double until_ms = 0;
	while (*channel == NULL) {
		*channel = slabd_channel_open(actor->worker->pool, name,
		                              CAPACITY);
		if (*channel != NULL || errno == EAGAIN)
			break;
		if (torture_again(board, &until_ms))
			continue;
		fault(actor, "slabd_channel_open");
		break;
	}
	return *channel;
}

void flows_stale(struct actor *actor, slabd_channel **channel)
{
	atom_add(&actor->worker->board->flow.stale, UINT64_C(1));
	if (channel == &actor->flows.goods)
		actor->flows.n_begun = 0;
	if (slabd_channel_close(*channel) < 0)
		fault(actor, "slabd_channel_close");
	*channel = NULL;
}

/* What a call of a channel may end in, though nothing is wrong. */
static void came_short(struct actor *actor, slabd_channel **channel,
                       const char *what)
{
	if (errno == ESTALE)
		flows_stale(actor, channel);
	else if (errno != EAGAIN && errno != ETIMEDOUT)
		fault(actor, what);
}

/* New ones of one cache, which may be neighbours, or such as are in the hand. */
static uint32_t gather(struct actor *actor, struct item items[BATCH])
{
	void *objects[BATCH];
	uint32_t cache = below(actor, 4);
	uint32_t n = 1 + below(actor, BATCH);
	if (below(actor, 4) == 0) {
		n = n < actor->n ? n : actor->n;
		actor->n -= n;
		memcpy(items, &actor->hand[actor->n], n * sizeof(*items));
		return n;
	}
	if (actor->n > HAND - BATCH)
		return 0;
	n = (uint32_t)slabd_alloc_bulk(actor->worker->caches[cache], n, objects);
	for (uint32_t i = 0; i < n; i++)
		items[i] = (struct item){.obj = objects[i], .cache = cache};
	return n;
}

/* Back into the hand: the channel was full. */
static void keep(struct actor *actor, struct item *item, bool ticket)
{
	if (ticket && !turn(actor->worker->board, item->seed, TICKET_OFFERED,
	                    TICKET_FREE))
		torture_fault(actor->worker->board,
		              "what was not sent has come");
	item_stamp(actor->worker, item);
	actor->hand[actor->n++] = *item;
}

static void send(struct actor *actor, slabd_channel **channel, bool ticketed)
{
	struct worker *worker = actor->worker;
	struct item items[BATCH];
	void *objects[BATCH] = {NULL};
	uint32_t n = gather(actor, items);
	uint32_t done;
	for (uint32_t i = 0; i < n; i++) {
		uint64_t seed = ticketed ? draw_ticket(worker->board) : 0;
		item_stamp_as(worker, &items[i],
		              seed | (uint64_t)items[i].cache << 60);
		objects[i] = items[i].obj;
	}
	done = (uint32_t)slabd_send(*channel, objects, n);
	if (done < n)
		came_short(actor, channel, "slabd_send");
	for (uint32_t i = 0; i < n; i++) {
		bool ticket = (items[i].seed & SEED_TICKET) != 0;
		if (i >= done)
			keep(actor, &items[i], ticket);
		else if (ticket)
			turn(worker->board, items[i].seed, TICKET_OFFERED,
			     TICKET_SENT);
	}
	atom_add(&worker->board->flow.sent, (uint64_t)done);
}

/* What an object that came is, and whether it is as it was sent. */
static struct item look_at(struct actor *actor, void *object)
{
	struct item item = item_of(object);
	item.cache = SEED_CACHE(item.seed);
	item_check(actor->worker, &item, "out of a channel");
	return item;
}

/* It is this thread's. */
static void adopt(struct actor *actor, struct item *item)
{
	struct worker *worker = actor->worker;
	if (actor->n == HAND) {
		item_spoil(item);
		slabd_free(worker->caches[item->cache], item->obj);
		return;
	}
	item_stamp(worker, item);
	actor->hand[actor->n++] = *item;
}

static void receive_quick(struct actor *actor)
{
	slabd_channel **quick = &actor->flows.quick;
	void *objects[BATCH];
	uint32_t want = 1 + below(actor, BATCH);
	uint32_t n = (uint32_t)slabd_recv(*quick, objects, want);
	if (n < want)
		came_short(actor, quick, "slabd_recv");
	for (uint32_t i = 0; i < n; i++) {
		struct item item = look_at(actor, objects[i]);
		adopt(actor, &item);
	}
	atom_add(&actor->worker->board->flow.received, (uint64_t)n);
}

static void begin(struct actor *actor)
{
	struct flows *flows = &actor->flows;
	struct board *board = actor->worker->board;
	void **objects = &flows->begun[flows->n_begun];
	uint32_t want = BEGUN_MAX - flows->n_begun;
	uint32_t n = (uint32_t)slabd_recv_begin(flows->goods, objects, want);
	bool again = slabd_recv_again(flows->goods) != 0;
	if (n < want)
		came_short(actor, &flows->goods, "slabd_recv_begin");
	if (flows->goods == NULL)
		return;
	for (uint32_t i = 0; i < n; i++)
		note_begun(actor, look_at(actor, objects[i]).seed, again);
	flows->n_begun += n;
	atom_add(&board->flow.again, (uint64_t)(again ? n : 0));
}

static void commit(struct actor *actor, uint32_t n)
{
	struct flows *flows = &actor->flows;
	struct board *board = actor->worker->board;
	if (slabd_recv_commit(flows->goods, n) < 0) {
		came_short(actor, &flows->goods, "slabd_recv_commit");
		return;
	}
	for (uint32_t i = 0; i < n; i++) {
		struct item item = look_at(actor, flows->begun[i]);
		if ((item.seed & SEED_TICKET) != 0 &&
		    !turn(board, item.seed, TICKET_BEGUN, TICKET_DONE))
			torture_fault(board, "what was begun is another's");
		adopt(actor, &item);
	}
	flows->n_begun -= n;
	memmove(flows->begun, &flows->begun[n],
	        flows->n_begun * sizeof(*flows->begun));
	atom_add(&board->flow.received, (uint64_t)n);
}

/* Onto the other channel, where it is nobody's ticket any more. */
static void send_on(struct actor *actor, uint32_t n)
{
	struct flows *flows = &actor->flows;
	struct board *board = actor->worker->board;
	uint64_t seeds[BEGUN_MAX];
	uint32_t done;
	for (uint32_t i = 0; i < n; i++)
		seeds[i] = look_at(actor, flows->begun[i]).seed;
	done = (uint32_t)slabd_forward(flows->goods, flows->quick, n);
	for (uint32_t i = 0; i < done; i++)
		if ((seeds[i] & SEED_TICKET) != 0 &&
		    !turn(board, seeds[i], TICKET_BEGUN, TICKET_DONE))
			torture_fault(board, "what was sent on is another's");
	atom_add(&board->flow.sent_on, (uint64_t)done);
	flows->n_begun -= done;
	memmove(flows->begun, &flows->begun[done],
	        flows->n_begun * sizeof(*flows->begun));
	if (done == n)
		return;
	came_short(actor, &flows->goods, "slabd_forward");
	/* Either may be the one that is stale. */
	if (flows->goods == NULL)
		flows_stale(actor, &flows->quick);
}

static void receive(struct actor *actor)
{
	struct flows *flows = &actor->flows;
	uint32_t n;
	if (flows->n_begun < BEGUN_MAX)
		begin(actor);
	if (flows->goods == NULL || flows->n_begun == 0)
		return;
	n = 1 + below(actor, flows->n_begun);
	if (below(actor, 3) == 0 &&
	    flows_channel(actor, &flows->quick, "quick") != NULL)
		send_on(actor, n);
	else
		commit(actor, n);
}

/* What was begun is delivered again. */
static void reopen(struct actor *actor)
{
	struct flows *flows = &actor->flows;
	if (slabd_channel_close(flows->goods) < 0)
		fault(actor, "slabd_channel_close");
	flows->goods = NULL;
	flows->n_begun = 0;
}

/* ---- object pools --------------------------------------------------------- */

#define KEPT_BYTES 192u
#define KEPT_WORD(object, i) ((uint64_t)(uintptr_t)(object) * 31 + (i))

/* Memory that is reclaimed and carved anew: see item.c. */
#define OBJECT_ACCESS __attribute__((no_sanitize("thread")))

OBJECT_ACCESS static int kept_make(void *object, void *arg)
{
	uint64_t *words = object;
	(void)arg;
	for (uint32_t i = 0; i < KEPT_BYTES / 8; i++)
		words[i] = KEPT_WORD(object, i);
	return 0;
}

/* Its owner had written into the first half. */
OBJECT_ACCESS static void kept_reset(void *object, void *arg)
{
	uint64_t *words = object;
	(void)arg;
	for (uint32_t i = 0; i < KEPT_BYTES / 16; i++)
		words[i] = KEPT_WORD(object, i);
}

OBJECT_ACCESS static void kept_get(struct actor *actor)
{
	struct flows *flows = &actor->flows;
	uint64_t *words = slabd_objpool_get(actor->worker->objpool);
	if (words == NULL) {
		if (errno != ENOMEM)
			fault(actor, "slabd_objpool_get");
		return;
	}
	for (uint32_t i = 0; i < KEPT_BYTES / 8; i++)
		if (words[i] != KEPT_WORD(words, i)) {
			torture_fault(actor->worker->board,
			              "word %u of an object that was kept is "
			              "0x%llx", i, (unsigned long long)words[i]);
			break;
		}
	words[0] = 0;
	flows->kept[flows->n_kept++] = words;
	atom_add(&actor->worker->board->flow.kept, UINT64_C(1));
}

static void kept_put(struct actor *actor)
{
	struct flows *flows = &actor->flows;
	slabd_objpool_put(actor->worker->objpool,
	                  flows->kept[--flows->n_kept]);
}

static void kept_step(struct actor *actor)
{
	uint32_t n = 1 + below(actor, KEPT_MAX);
	while (actor->flows.n_kept < n && below(actor, 8) != 0)
		kept_get(actor);
	while (actor->flows.n_kept > n / 2)
		kept_put(actor);
}

void flows_open(struct worker *worker)
{
	static const struct slabd_objpool_ops ops = {
		.init = kept_make, .reset = kept_reset, .max = 64};
	double until_ms = 0;
	while ((worker->objpool = slabd_objpool_create(
			worker->pool, "torture", KEPT_BYTES, &ops)) == NULL)
		if (!torture_again(worker->board, &until_ms))
			tap_bail("slabd_objpool_create: %s", slabd_last_error());
}

/* ---- all ------------------------------------------------------------------ */

void flows_step(struct actor *actor)
{
	struct flows *flows = &actor->flows;
	uint32_t deed = below(actor, 100);
	bool quick = deed < 40;
	if (deed >= 80) {
		kept_step(actor);
		return;
	}
	if (flows_channel(actor, quick ? &flows->quick : &flows->goods,
	                  quick ? "quick" : "goods") == NULL)
		return;
	if (deed < 15)
		send(actor, &flows->quick, false);
	else if (deed < 40)
		receive_quick(actor);
	else if (deed < 55)
		send(actor, &flows->goods, true);
	else if (deed < 79)
		receive(actor);
	else
		reopen(actor);
}

void flows_let_go(struct actor *actor)
{
	if (actor->flows.n_begun > 0)
		commit(actor, actor->flows.n_begun);
	while (actor->flows.n_kept > 0)
		kept_put(actor);
}

void flows_in_child(struct actor *actor)
{
	struct flows *flows = &actor->flows;
	void *object = NULL;
	errno = 0;
	if (flows->quick != NULL && (slabd_recv(flows->quick, &object, 1) != 0 ||
	                             errno != ENOTCONN))
		fault(actor, "a child receives");
	errno = 0;
	if (flows->n_crates > 0 &&
	    (slabd_arena_alloc(flows->crate[0].arena, 8, 0) != NULL ||
	     errno != ENOTCONN))
		fault(actor, "a child has an arena");
}

/* ---- the end -------------------------------------------------------------- */

/* What moved so far; what was sent on has yet to be received. */
static uint64_t count_moved(const struct flow_counts *flow)
{
	return atom_load(&flow->received) + atom_load(&flow->landed) +
	       atom_load(&flow->sent_on);
}

/* Whether something came of it. */
static bool drain_some(struct actor *actor)
{
	struct flow_counts *flow = &actor->worker->board->flow;
	uint64_t before = count_moved(flow);
	receive_quick(actor);
	receive(actor);
	crates_receive(actor);
	actor_let_go(actor);
	return count_moved(flow) > before;
}

void flows_drain_main(int fd, void *arg)
{
	static struct actor self;
	static struct worker worker = {.lock = PTHREAD_MUTEX_INITIALIZER};
	struct torture_start *start = arg;
	struct slabd_options options = {.flags = 0};
	(void)fd;
	worker.board = start->board;
	worker.life = atom_add(&start->board->lives, 1u) + 1;
	self.worker = &worker;
	self.rng = start->rng;
	worker_open(&worker, &options);
	if (flows_channel(&self, &self.flows.goods, "goods") == NULL ||
	    flows_channel(&self, &self.flows.quick, "quick") == NULL ||
	    flows_channel(&self, &self.flows.crates, "crates") == NULL)
		tap_bail("a channel is lost: %s", slabd_last_error());
	while (drain_some(&self))
		continue;
	if (slabd_close(worker.pool) < 0)
		tap_bail("slabd_close: %s", slabd_last_error());
}
