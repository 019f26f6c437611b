/* SPDX-License-Identifier: MIT */
#include "record/ring.h"

#include "shm/atom.h"
#include "shm/atom_pair.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Long enough to cost nothing, short enough to see that slab-record is gone. */
#define SLEEP_NS 20000000

uint64_t ring_pid_ns(void)
{
	struct stat ns;
	return stat("/proc/self/ns/pid", &ns) == 0 ? ns.st_ino : 0;
}

static bool is_full(struct ring *ring, uint64_t at)
{
	/* pairs: ring_take, whose slots are empty before their tail */
	uint64_t tail = atom_load_acquire(&ring->tail);
	return (int64_t)(at - tail) >= (int64_t)RING_EVENTS;
}

/* A seccomp filter may forbid the futex: then the processor is given away. */
static void sleep_while_full(struct ring *ring, struct ring_file *file,
                             uint64_t at)
{
	struct timespec limit = {.tv_nsec = SLEEP_NS};
	uint32_t turn = atom_load(&ring->turn);
	int err = errno;
	atom_store(&ring->n_waiting, 1);
	if (is_full(ring, at) &&
	    syscall(SYS_futex, &ring->turn, FUTEX_WAIT, turn, &limit, NULL, 0) <
	            0 &&
	    errno != EAGAIN) {
		sched_yield();
		if (pthread_mutex_trylock(&file->alive) == EOWNERDEAD)
			atom_store(&ring->off, 1);
	}
	errno = err;
}

void ring_put(struct ring *ring, struct ring_file *file, uint64_t addr,
              uint64_t what)
{
	uint64_t event[2] = {addr, what};
	while (!atom_load(&ring->off)) {
		/* pairs: ring_put, which moved it on */
		uint64_t at = atom_load_acquire(&ring->head);
		uint64_t empty[2] = {0, at / RING_EVENTS};
		bool done;
		if (is_full(ring, at)) {
			sleep_while_full(ring, file, at);
			continue;
		}
		/* pairs: ring_take */
		done = atom_publish_pair(ring->slots[at % RING_EVENTS], empty,
		                         event);
		/* pairs: ring_put; a head that has moved on meanwhile stays */
		atom_publish(&ring->head, &at, at + 1);
		if (done)
			return;
	}
}

unsigned ring_take(struct ring *ring, uint64_t *tail, unsigned n,
                   uint64_t (*events)[2])
{
	unsigned taken = 0;
	for (; taken < n; taken++) {
		uint64_t at = *tail + taken;
		uint64_t *slot = ring->slots[at % RING_EVENTS];
		/* pairs: ring_put */
		uint64_t addr = atom_load_acquire(&slot[0]);
		if (addr == 0)
			break;
		events[taken][0] = addr;
		events[taken][1] = atom_load(&slot[1]);
		atom_store(&slot[1], at / RING_EVENTS + 1);
		atom_store_release(&slot[0], 0); /* pairs: ring_put */
	}
	if (taken == 0)
		return 0;
	*tail += taken;
	atom_store_release(&ring->tail, *tail); /* pairs: is_full */
	atom_add(&ring->turn, 1);
	/* pairs: sleep_while_full; one that is missed sleeps for SLEEP_NS */
	if (atom_load(&ring->n_waiting) && atom_swap(&ring->n_waiting, 0))
		syscall(SYS_futex, &ring->turn, FUTEX_WAKE, INT_MAX, NULL, NULL,
		        0);
	return taken;
}
