/* SPDX-License-Identifier: MIT */
/*
 * What a hit of an object pool does, inline in the program: private to
 * slabclient_objpool.h, which includes it. As of slabclient_hit.h, all of it is
 * in other people's binaries: see slabclient_abi(7).
 */
#ifndef SLABCLIENT_OBJPOOL_HIT_H
#define SLABCLIENT_OBJPOOL_HIT_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SLABD_OBJS_MAX_ 248
#define SLABD_OBJPOOL_HEAD_                                                    \
	16                    /* bytes before an object, the state the last 8 */
#define SLABD_OBJPOOL_IDLE_ 1 /* a state; else it is some thread's key_ */

/*
 * One thread's idle objects of one pool: a stack, [base_, n). Its thread alone
 * takes from it and puts there, with plain loads and stores, but those below low_
 * belong to whoever has the pool's lock. A get first says what it takes and then
 * looks at low_; who raises low_, and so begins a period, stores it, has the
 * kernel put a barrier into each thread (membarrier) and then looks at n: so
 * either the get sees low_ and goes the slow way, or it was seen.
 * n_ is no multiple of 16: see struct slabd_mag_.
 */
struct slabd_objs_ {
	struct slabd_objs_ *next_; /* (L) of the same pool */
	/* (A) Puts << 16, and n; of the owner. A put releases what it put there;
	 * gets are relaxed, as low_ orders them. While one that found nothing is
	 * on the slow way, n is one less. */
	uint64_t n_;
	uint64_t low_; /* (A) at most so many: the slow way; under the lock */
	uint64_t cap_; /* (A) n that is allowed; relaxed, under the lock */
	uint64_t key_; /* (O) the state of an object in use that is kept here */
	uint64_t base_; /* (L) the pool's lock, as all that follows */
	uint64_t in_;   /* came, but by a put */
	uint64_t out_;  /* went, but by a get */
	struct slabd_objs_ **link_;
	uint32_t node_;
	uint32_t due_; /* its owner is to age it, and low_ was that: */
	uint64_t was_low_;
	uint64_t spare_[5];
	void *obj_[SLABD_OBJS_MAX_];
	uint64_t line_[24]; /* an odd count of cache lines: spreads the sets */
};

/* The public head of an object pool. */
struct slabd_objpool {
	size_t at_; /* of its stack in a thread's table */
	void (*reset_)(void *object, void *arg);
	void *arg_;
};

/* The calling thread's table; never NULL. Every call goes the slow way before its
 * first put, and in a forked child. */
extern __thread struct slabd_objs_ *slabd_objs_1_
	__attribute__((tls_model("initial-exec")));

void *slabd_objpool_get_slow_(slabd_objpool *objpool);
void slabd_objpool_put_slow_(slabd_objpool *objpool, void *object);
/* It was reset. */
void slabd_objpool_keep_slow_(slabd_objpool *objpool, void *object);

static inline struct slabd_objs_ *slabd_objs_of_(const slabd_objpool *objpool)
{
	struct slabd_objs_ *objs =
		SLABD_AS_(struct slabd_objs_ *,
	                  SLABD_AS_(char *, slabd_objs_1_) + objpool->at_);
	/* Else clang adds anew for each use, which takes one more. */
	__asm__("" : "+r"(objs));
	return objs;
}

static inline uint64_t *slabd_objpool_state_(void *object)
{
	return SLABD_AS_(uint64_t *, object) - 1;
}

/* Every other 16 bytes, so that what lies before it is in the same page. */
static inline int slabd_objpool_may_be_(const void *object)
{
	return (SLABD_AS_(uintptr_t, object) & SLABD_OBJPOOL_HEAD_) != 0;
}

/* A load; compilers compare with no atomic one in place. */
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
#define SLABD_OBJS_LOOK_(word) (word)
#else
#define SLABD_OBJS_LOOK_(word) __atomic_load_n(&(word), __ATOMIC_RELAXED)
#endif

#ifndef SLABD_NO_INLINE
static inline void *slabd_objpool_get(slabd_objpool *objpool)
{
	struct slabd_objs_ *objs = slabd_objs_of_(objpool);
	uint64_t word = SLABD_OBJS_LOOK_(objs->n_);
	uint64_t n = SLABD_TO_(uint16_t, word);
	void *object;
	__atomic_store_n(&objs->n_, word - 1, __ATOMIC_RELAXED);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (__builtin_expect(n <= SLABD_OBJS_LOOK_(objs->low_), 0))
		return slabd_objpool_get_slow_(objpool);
	object = objs->obj_[n - 1];
	*slabd_objpool_state_(object) = objs->key_;
	return object;
}

/* Room first: a stack that is nobody's has none, and a key_ of 0. The state is
 * that of an idle one before reset: whatever that does, nothing is put twice. */
static inline void slabd_objpool_put(slabd_objpool *objpool, void *object)
{
	struct slabd_objs_ *objs = slabd_objs_of_(objpool);
	uint64_t word = SLABD_OBJS_LOOK_(objs->n_);
	uint64_t n = SLABD_TO_(uint16_t, word);
	if (__builtin_expect(n >= SLABD_OBJS_LOOK_(objs->cap_) ||
	                             !slabd_objpool_may_be_(object) ||
	                             *slabd_objpool_state_(object) !=
	                                     objs->key_,
	                     0)) {
		slabd_objpool_put_slow_(objpool, object);
		return;
	}
	*slabd_objpool_state_(object) = SLABD_OBJPOOL_IDLE_;
	if (objpool->reset_ != NULL) {
		objpool->reset_(object, objpool->arg_);
		word = SLABD_OBJS_LOOK_(objs->n_);
		n = SLABD_TO_(uint16_t, word);
		if (n >= SLABD_OBJS_LOOK_(objs->cap_)) {
			slabd_objpool_keep_slow_(objpool, object);
			return;
		}
	}
	objs->obj_[n] = object;
	__atomic_store_n(&objs->n_, word + UINT64_C(0x10001), __ATOMIC_RELEASE);
}
#endif

#ifdef __cplusplus
}
#endif
#endif
