/* SPDX-License-Identifier: MIT */
/* daemon/base/turn.c: all that is between two waits of libevent's loop counts,
 * whoever did it. */
#include <criterion/criterion.h>
#include <event2/event.h>
#include <time.h>

#include "daemon/base/clock.h"
#include "daemon/base/turn.h"
#include "daemon/watch/wake.h"

#define LONG_NS (60 * CLOCK_MS)

/* Asleep: blocked, as in a close that lingers. */
static void stand_still(void)
{
	struct timespec t = {.tv_nsec = LONG_NS};
	nanosleep(&t, NULL);
}

static void on_stand(UNUSED evutil_socket_t fd, UNUSED short what,
                     UNUSED void *arg)
{
	stand_still();
}

static void on_short(UNUSED evutil_socket_t fd, UNUSED short what,
                     UNUSED void *arg)
{
}

static uint64_t n_long(void)
{
	const struct turns *t = turn_counts();
	uint64_t n = 0;
	for (unsigned i = turn_bucket(LONG_NS); i < TURN_BUCKETS; i++)
		n += t->bucket[i];
	return n;
}

/* One that is due, and the turn after it, which does nothing. */
static void go(struct event_base *base)
{
	event_base_loop(base, EVLOOP_ONCE);
	event_base_loop(base, EVLOOP_NONBLOCK | EVLOOP_NO_EXIT_ON_EMPTY);
}

Test(turn, counts_a_callback_by_its_name)
{
	struct event_base *base = event_base_new();
	struct event *stand, *other;
	uint64_t before;
	turn_open();
	cr_assert_eq(wake_timer(&stand, base, on_stand, NULL), 0);
	cr_assert_eq(wake_timer(&other, base, on_short, NULL), 0);
	before = n_long();
	wake_set(stand, 0);
	wake_set(other, 0);
	go(base);
	cr_expect_eq(n_long(), before + 1);
	cr_expect_str_eq(turn_counts()->longest_what, "stand");
	cr_expect_geq(turn_counts()->longest_ns, LONG_NS);
	cr_expect_geq(turn_counts()->longest_part_ns, LONG_NS);
	cr_expect_leq(turn_counts()->longest_ns, turn_counts()->silent_ns);
	wake_free(&stand);
	wake_free(&other);
	event_base_free(base);
}

Test(turn, counts_what_is_none_of_ours)
{
	struct event_base *base = event_base_new();
	struct event *stand = event_new(base, -1, 0, on_stand, NULL);
	turn_open();
	event_active(stand, 0, 0);
	go(base);
	cr_expect_eq(n_long(), 1);
	cr_expect_str_eq(turn_counts()->longest_what, "libevent");
	event_free(stand);
	event_base_free(base);
}

Test(turn, many_that_are_due_are_several)
{
	struct event_base *base = wake_base();
	struct event *stand[3];
	uint64_t before;
	turn_open();
	for (unsigned i = 0; i < 3; i++) {
		cr_assert_eq(wake_timer(&stand[i], base, on_stand, NULL), 0);
		wake_set(stand[i], 0);
	}
	before = n_long();
	event_base_dispatch(base);
	go(base);
	cr_expect_eq(n_long(), before + 3);
	for (unsigned i = 0; i < 3; i++)
		wake_free(&stand[i]);
	event_base_free(base);
}

Test(turn, does_not_count_the_wait)
{
	struct event_base *base = event_base_new();
	struct event *later;
	turn_open();
	cr_assert_eq(wake_timer(&later, base, on_short, NULL), 0);
	wake_set(later, LONG_NS);
	go(base);
	cr_expect_eq(n_long(), 0);
	cr_expect_geq(turn_counts()->count, 1);
	wake_free(&later);
	event_base_free(base);
}

Test(turn, buckets_lie_side_by_side)
{
	for (unsigned i = 0; i + 1 < TURN_BUCKETS; i++) {
		int64_t end_ns = (int64_t)turn_below_us(i) * 1000;
		cr_expect_eq(turn_bucket(end_ns - 1), i);
		cr_expect_eq(turn_bucket(end_ns), i + 1);
	}
	cr_expect_eq(turn_bucket(INT64_MAX), TURN_BUCKETS - 1);
	cr_expect_eq(turn_bucket(-1), 0);
}

Test(turn, quantiles_are_of_the_counts)
{
	struct turns t = {.count = 0};
	cr_expect_eq(turn_quantile_us(&t, 999000), 0);
	t.bucket[turn_bucket(5000)] = 998;
	t.bucket[turn_bucket(20000000)] = 2;
	cr_expect_eq(turn_quantile_us(&t, 500000), 6);
	cr_expect_eq(turn_quantile_us(&t, 998000), 6);
	cr_expect_eq(turn_quantile_us(&t, 999000), 20480);
	cr_expect_eq(turn_quantile_us(&t, 1000000), 20480);
}
