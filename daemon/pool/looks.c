/* SPDX-License-Identifier: MIT */
#include "daemon/pool/looks.h"

#include <errno.h>
#include <stdlib.h>

#include "daemon/base/clock.h"
#include "daemon/base/turn.h"
#include "daemon/pool/holes.h"
#include "daemon/pool/sweep.h"

#define SLICE_NS CLOCK_MS
#define OTHERS 3              /* times as long is everybody else's */
#define OWED_NS (48 * CLOCK_MS) /* of which that much may be later */
#define SWEEP_NS CLOCK_S      /* to wait for what the dead left */
#define SUSPECT_NS (500 * CLOCK_MS) /* a client may wait for a CPU as long */
#define SUSPECT_MAX_NS (10 * SUSPECT_NS) /* where slabd itself has to wait for one */
#define DELAY_FACTOR 4 /* times as long as it does */

/* One that is under way, and the time of the last one that is whole. */
struct look {
	bool runs;
	int64_t began_ns;
	int64_t whole_ns; /* when that began; 0: there is none */
};

struct looks {
	uint64_t serial; /* of all that ever were */
	uint32_t askers;
	struct look use, audit;
	struct usage counting, counted;
	struct audit auditing, audited;
	int64_t waits_ns; /* for the sweep since then; 0: it does not */
	int64_t last_ns;  /* the audit has but suspects since then; 0: not yet */
	int64_t delay_ns; /* of ours by then */
	int64_t took_ns;
};

/* Until then the loop is owed time; of all pools. */
static int64_t owed_ns;

static uint64_t serials;

static bool is_time(int64_t now_ns)
{
	return owed_ns - now_ns <= OWED_NS;
}

bool looks_may(void)
{
	return is_time(clock_ns());
}

void looks_pay(int64_t since_ns)
{
	int64_t now_ns = clock_ns();
	if (owed_ns < now_ns)
		owed_ns = now_ns;
	owed_ns += OTHERS * (now_ns - since_ns);
}

unsigned looks_pause_ms(void)
{
	int64_t more_ns = owed_ns - OWED_NS - clock_ns();
	return more_ns <= 0 ? 0 : (unsigned)(more_ns / CLOCK_MS % 500) + 1;
}

/* What is under way. */
static void stop(struct pool *pool)
{
	struct looks *looks = pool->looks;
	if (looks->use.runs)
		usage_done(&looks->counting);
	if (looks->audit.runs)
		usage_audit_drop(pool, &looks->auditing);
	looks->use.runs = false;
	looks->audit.runs = false;
	looks->waits_ns = 0;
}

static void done(struct pool *pool)
{
	struct looks *looks = pool->looks;
	stop(pool);
	if (looks->use.whole_ns != 0)
		usage_done(&looks->counted);
	free(looks);
	pool->looks = NULL;
	pool->looks_done = NULL;
}

uint64_t looks_join(struct pool *pool, uint64_t joined)
{
	struct looks *looks = pool->looks;
	if (looks != NULL && looks->serial == joined)
		return joined;
	if (looks == NULL) {
		looks = pool->looks = calloc(1, sizeof(*looks));
		if (looks == NULL)
			return 0;
		pool->looks_done = done;
		looks->serial = ++serials;
	}
	looks->askers++;
	return looks->serial;
}

void looks_leave(struct pool *pool, uint64_t joined)
{
	struct looks *looks = pool->looks;
	if (looks == NULL || looks->serial != joined || --looks->askers > 0)
		return;
	stop(pool);
}

static int begin(struct look *look, int64_t now_ns, int r)
{
	look->runs = r == 0;
	look->began_ns = now_ns;
	return r;
}

/* ---- counts -------------------------------------------------------------- */

static void usage_slice(struct pool *pool, int64_t now_ns)
{
	struct looks *looks = pool->looks;
	bool more;
	do
		more = usage_piece(&looks->counting, pool);
	while (more && clock_ns() - now_ns < SLICE_NS);
	looks_pay(now_ns);
	if (more)
		return;
	if (looks->use.whole_ns != 0)
		usage_done(&looks->counted);
	looks->counted = looks->counting;
	looks->use.whole_ns = looks->use.began_ns;
	looks->use.runs = false;
}

int looks_usage(struct pool *pool, int64_t asked_ns, struct usage **usage)
{
	struct looks *looks = pool->looks;
	int64_t now_ns = clock_ns();
	int r = 0;
	*usage = &looks->counted;
	if (looks->use.whole_ns >= asked_ns)
		return 0;
	if (!is_time(now_ns))
		return LOOKS_E_LATER;
	if (!looks->use.runs)
		r = begin(&looks->use, now_ns,
		          usage_begin(&looks->counting, pool));
	if (r < 0)
		return r;
	usage_slice(pool, now_ns);
	return looks->use.whole_ns >= asked_ns ? 0 : LOOKS_E_LATER;
}

/* ---- audits -------------------------------------------------------------- */

/* What the dead left is on its way back: an audit begins when that is done, or
 * has lasted. */
static bool is_swept(struct pool *pool, int64_t now_ns)
{
	struct looks *looks = pool->looks;
	if (looks->waits_ns == 0)
		looks->waits_ns = now_ns;
	if (sweep_is_due(pool)) {
		sweep_slice(pool, clock_ns() + CLOCK_MS);
		looks_pay(now_ns);
	}
	return !sweep_is_due(pool) || now_ns - looks->waits_ns > SWEEP_NS;
}

/* Whether a client that was in the middle of something has had a processor since
 * then: where slabd has to wait for its own, others have to. */
static bool has_lasted(const struct looks *looks, int64_t now_ns)
{
	int64_t since_ns = now_ns - looks->last_ns;
	int64_t waited_ns = turn_delay_ns() - looks->delay_ns;
	return since_ns > SUSPECT_MAX_NS ||
	       since_ns - DELAY_FACTOR * waited_ns > SUSPECT_NS;
}

/* Whether no suspect is left, nor a file that is being put right, or has been one
 * for long enough; once each was looked at again. */
static bool is_settled(struct pool *pool, int64_t now_ns)
{
	struct looks *looks = pool->looks;
	if (looks->last_ns == 0) {
		looks->last_ns = now_ns;
		looks->delay_ns = turn_delay_ns();
	}
	while (audit_again_srv(&looks->auditing))
		if (clock_ns() - now_ns >= SLICE_NS)
			return false;
	return (looks->auditing.n_suspects == 0 && !holes_is_mending(pool)) ||
	       (has_lasted(looks, now_ns) &&
	        (!sweep_is_due(pool) || now_ns - looks->last_ns > SWEEP_NS));
}

static int audit_slice(struct pool *pool, int64_t now_ns)
{
	struct looks *looks = pool->looks;
	bool failed = false;
	bool more;
	do
		more = usage_audit_piece(pool, &looks->auditing, &failed);
	while (more && clock_ns() - now_ns < SLICE_NS);
	if (failed) {
		usage_audit_drop(pool, &looks->auditing);
		looks->audit.runs = false;
		return -ENOMEM;
	}
	if (!more && is_settled(pool, now_ns)) {
		usage_audit_end(pool, &looks->auditing);
		looks->audited = looks->auditing;
		looks->took_ns = clock_ns() - looks->audit.began_ns;
		looks->audit.whole_ns = looks->audit.began_ns;
		looks->audit.runs = false;
	}
	looks_pay(now_ns);
	return 0;
}

static int audit_begin(struct pool *pool, int64_t now_ns)
{
	struct looks *looks = pool->looks;
	if (!is_swept(pool, now_ns))
		return LOOKS_E_LATER;
	looks->waits_ns = 0;
	looks->last_ns = 0;
	return begin(&looks->audit, now_ns,
	             usage_audit_begin(pool, &looks->auditing));
}

int looks_audit(struct pool *pool, int64_t asked_ns, const struct audit **audit,
                int64_t *took_ns)
{
	struct looks *looks = pool->looks;
	int64_t now_ns = clock_ns();
	int r = 0;
	if (looks->audit.whole_ns < asked_ns) {
		if (!is_time(now_ns))
			return LOOKS_E_LATER;
		if (!looks->audit.runs)
			r = audit_begin(pool, now_ns);
		if (r == 0)
			r = audit_slice(pool, now_ns);
		if (r != 0)
			return r;
	}
	*audit = &looks->audited;
	*took_ns = looks->took_ns;
	return looks->audit.whole_ns >= asked_ns ? 0 : LOOKS_E_LATER;
}
