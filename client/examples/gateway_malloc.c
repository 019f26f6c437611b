/* SPDX-License-Identifier: MIT */
/*
 * Orders by malloc: a struct and its strings. Each stage makes them anew of the
 * bytes that the one before has copied into a ring of shared memory, and frees them
 * when it has copied them into the next.
 *
 * They pass one by one, as they come; or, if asked for, in batches. What is read of
 * a ring stays in it until it was passed on, so that who is killed reads it again:
 * the first batch of a new life is marked.
 */
#include <linux/futex.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "gateway.h"

struct heap_order {
	struct order order;
	char *text[TEXTS];
};

static struct order *view(void *order, const char *text[TEXTS])
{
	struct heap_order *heap = order;
	memcpy(text, heap->text, sizeof(heap->text));
	return &heap->order;
}

static void *allocate(size_t size)
{
	void *at = malloc(size);
	if (at == NULL)
		gateway_die("malloc", "no memory");
	return at;
}

static char *copy(const char *text, size_t n)
{
	char *to = allocate(n + 1);
	gateway_at(WORKING);
	memcpy(to, text, n);
	to[n] = 0;
	gateway_at(PASSING);
	return to;
}

static void make(void **orders, const struct message *messages, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct heap_order *heap = orders[i] = allocate(sizeof(*heap));
		heap->order = messages[i].order;
		for (unsigned k = 0; k < TEXTS; k++)
			heap->text[k] = messages[i].text[k] == NULL
			                        ? NULL
			                        : copy(messages[i].text[k],
			                               messages[i].length[k]);
	}
}

static void free_order(struct heap_order *heap)
{
	for (unsigned i = 0; i < TEXTS; i++)
		free(heap->text[i]);
	free(heap);
}

/* ---- a ring: one process writes, one reads -------------------------------- */

/* About as much as the other way has under way. */
#define RING_BYTES (UNDER_WAY * 128u)
/* A record: its length, the struct, for each text a length and that. */
#define RECORD_MAX (8 + sizeof(struct order) + TEXTS_MAX + TEXTS)

struct ring {
	_Alignas(64) _Atomic uint64_t written; /* bytes since it was made */
	_Alignas(64) _Atomic uint64_t read;
	_Alignas(64) _Atomic uint32_t wake; /* a futex: 1 if somebody waits */
	_Alignas(64) char bytes[RING_BYTES];
};

static struct ring *rings; /* one before each stage */
static struct ring *from, *to;
static uint64_t read_to;
static int again_now;

static void wake(struct ring *ring)
{
	atomic_thread_fence(memory_order_seq_cst);
	if (atomic_load(&ring->wake) != 0 &&
	    atomic_exchange(&ring->wake, 0) != 0)
		syscall(SYS_futex, &ring->wake, FUTEX_WAKE, 2, NULL, NULL, 0);
}

static size_t readable(struct ring *ring, uint64_t at)
{
	return atomic_load_explicit(&ring->written, memory_order_acquire) - at;
}

static size_t room(struct ring *ring, uint64_t at)
{
	return RING_BYTES - (size_t)(at - atomic_load_explicit(
						&ring->read,
						memory_order_acquire));
}

/* Until something is written, or a while. */
static void wait_for(struct ring *ring, uint64_t at)
{
	const struct timespec while_ns = {0, 100000000};
	atomic_store(&ring->wake, 1);
	if (readable(ring, at) == 0)
		syscall(SYS_futex, &ring->wake, FUTEX_WAIT, 1, &while_ns, NULL,
		        0);
}

/* What is left before the ring's end is passed over where a record may not fit. */
static uint64_t start_of(uint64_t at)
{
	uint64_t left = RING_BYTES - at % RING_BYTES;
	return left < RECORD_MAX ? at + left : at;
}

static uint64_t put(char *bytes, uint64_t at, const struct heap_order *heap)
{
	char *start = bytes + at % RING_BYTES;
	char *next = start + sizeof(heap->order);
	memcpy(start, &heap->order, sizeof(heap->order));
	for (unsigned i = 0; i < TEXTS; i++) {
		size_t n = heap->text[i] == NULL ? 0 : strlen(heap->text[i]) + 1;
		if ((size_t)(next - start) + n + 9 > RECORD_MAX)
			gateway_die("an order", "its texts are too long");
		*next++ = (char)n;
		if (n > 0)
			memcpy(next, heap->text[i], n);
		next += n;
	}
	return at + (((uint64_t)(next - start) + 7) & ~UINT64_C(7));
}

static uint64_t get(char *bytes, uint64_t at, struct heap_order *heap)
{
	char *start = bytes + at % RING_BYTES;
	char *next = start + sizeof(heap->order);
	memcpy(&heap->order, start, sizeof(heap->order));
	for (unsigned i = 0; i < TEXTS; i++) {
		size_t n = (unsigned char)*next++;
		heap->text[i] = n == 0 ? NULL : copy(next, n - 1);
		next += n;
	}
	return at + (((uint64_t)(next - start) + 7) & ~UINT64_C(7));
}

/* ---- the way --------------------------------------------------------------- */

static void prepare(void)
{
	rings = mmap(NULL, (STAGES) * sizeof(*rings), PROT_READ | PROT_WRITE,
	             MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (rings == MAP_FAILED)
		gateway_die("mmap", "no memory");
}

static void enter(enum stage stage, int again)
{
	from = &rings[stage];
	to = stage < PUBLISH ? &rings[stage + 1] : NULL;
	again_now = again;
}

static void publish(uint64_t at)
{
	atomic_store_explicit(&to->written, at, memory_order_release);
	wake(to);
}

static void send(void **orders, size_t n)
{
	uint64_t at = atomic_load(&to->written);
	for (size_t i = 0; i < n; i++) {
		while (room(to, at) < 2 * RECORD_MAX) {
			publish(at);
			gateway_nap();
		}
		at = put(to->bytes, start_of(at), orders[i]);
		free_order(orders[i]);
	}
	publish(at);
}

static size_t receive(void **orders, size_t most, int *again)
{
	size_t n = 0;
	uint64_t at = atomic_load(&from->read);
	uint64_t end = at + readable(from, at);
	if (at == end)
		wait_for(from, at);
	while (at < end && n < most) {
		orders[n] = allocate(sizeof(struct heap_order));
		at = get(from->bytes, start_of(at), orders[n++]);
	}
	read_to = at;
	*again = again_now;
	return n;
}

/* All that was read was passed on, or has ended. */
static void commit(void)
{
	atomic_store_explicit(&from->read, read_to, memory_order_release);
	again_now = 0;
}

static void pass_on(void **orders, size_t n)
{
	send(orders, n);
	commit();
}

static void end(void **orders, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free_order(orders[i]);
	commit();
}

const struct way gateway_malloc = {
	.name = "malloc", .batch = 1, .prepare = prepare, .enter = enter,
	.make = make, .view = view, .send = send, .receive = receive,
	.pass_on = pass_on, .end = end};
