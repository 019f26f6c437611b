/* SPDX-License-Identifier: MIT */
#include "daemon/base/turn.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "daemon/base/clock.h"
#include "daemon/base/log.h"

#define SHORT_NS CLOCK_MS       /* too short to ask who had the processor */
#define LONG_NS (50 * CLOCK_MS) /* to be told of */

static struct {
	bool opened;
	int epoll;     /* the loop's, from its first wait on; 0 none */
	int schedstat; /* -1: the kernel has none */
	int64_t begin_ns;
	int64_t delay_ns; /* as the turn began */
	const char *what; /* now */
	int64_t what_ns;  /* since */
	const char *most; /* took longest in this turn */
	int64_t most_ns;
	struct turns turns;
} at = {.schedstat = -1, .what = "", .turns = {.longest_what = ""}};

int64_t turn_delay_ns(void)
{
	char text[96];
	char *end;
	ssize_t n;
	if (at.schedstat < 0)
		return 0;
	n = pread(at.schedstat, text, sizeof(text) - 1, 0);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	strtoull(text, &end, 10);
	return (int64_t)strtoull(end, NULL, 10);
}

void turn_open(void)
{
	at.opened = true;
	at.epoll = 0;
	if (at.schedstat < 0)
		at.schedstat = open("/proc/thread-self/schedstat",
		                    O_RDONLY | O_CLOEXEC);
}

static void part_ends(int64_t now_ns)
{
	if (now_ns - at.what_ns > at.most_ns) {
		at.most_ns = now_ns - at.what_ns;
		at.most = at.what;
	}
	at.what_ns = now_ns;
}

void turn_at(const char *what)
{
	if (at.epoll == 0)
		return;
	part_ends(clock_ns());
	at.what = what;
}

const struct turns *turn_counts(void)
{
	return &at.turns;
}

static void note_longest(int64_t now_ns, int64_t took_ns)
{
	struct turns *t = &at.turns;
	if (took_ns > t->longest_ns) {
		t->longest_ns = took_ns;
		t->longest_at_ns = now_ns;
		t->longest_what = at.most;
		t->longest_part_ns = at.most_ns;
	}
	if (took_ns > LONG_NS)
		log_warn("nobody was served for %.1f ms: most of it went into "
		         "%s (%.1f ms)",
		         (double)took_ns / (double)CLOCK_MS, at.most,
		         (double)at.most_ns / (double)CLOCK_MS);
}

static void turn_ends(void)
{
	struct turns *t = &at.turns;
	int64_t now_ns = clock_ns();
	int64_t took_ns = now_ns - at.begin_ns;
	part_ends(now_ns);
	if (took_ns > t->silent_ns)
		t->silent_ns = took_ns;
	if (took_ns >= SHORT_NS) {
		int64_t waited_ns = turn_delay_ns() - at.delay_ns;
		t->waited_ns += waited_ns;
		took_ns -= waited_ns;
	}
	t->count++;
	t->total_ns += took_ns;
	t->bucket[turn_bucket(took_ns)]++;
	note_longest(now_ns, took_ns);
}

static void turn_begins(void)
{
	at.begin_ns = at.what_ns = clock_ns();
	at.delay_ns = turn_delay_ns();
	at.what = at.most = "libevent";
	at.most_ns = 0;
}

/* In place of the C library's, for all that is linked with this. */
__attribute__((visibility("default"))) int
epoll_wait(int epoll, struct epoll_event *events, int n, int ms)
{
	bool ours = at.opened && (at.epoll == 0 || at.epoll == epoll);
	int r;
	if (ours && at.epoll != 0)
		turn_ends();
	r = epoll_pwait(epoll, events, n, ms, NULL);
	if (ours) {
		at.epoll = epoll;
		turn_begins();
	}
	return r;
}
