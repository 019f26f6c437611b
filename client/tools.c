/* SPDX-License-Identifier: MIT */
#include "client/tools.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "shm/atom.h"
#include "shm/layout.h"

/* What the sanitizers' runtimes have, in the program if anywhere. */
#define WEAK __attribute__((weak, visibility("default")))
WEAK void __asan_poison_memory_region(const volatile void *at, size_t bytes);
WEAK void __asan_unpoison_memory_region(const volatile void *at, size_t bytes);
WEAK void __msan_allocated_memory(const volatile void *at, size_t bytes);
WEAK void __msan_poison(const volatile void *at, size_t bytes);
WEAK void __msan_unpoison(const volatile void *at, size_t bytes);
WEAK void __tsan_acquire(void *at);
WEAK void __tsan_release(void *at);
WEAK void __lsan_register_root_region(const void *at, size_t bytes);
WEAK void __lsan_unregister_root_region(const void *at, size_t bytes);

bool tools_on;
static bool found;        /* (A) false -> true, by tools_find */
static bool has_memcheck; /* (A) like tools_on */

/* ---- memcheck ------------------------------------------------------------ */

enum memcheck_request {
	MEMCHECK_NOACCESS = 'M' << 24 | 'C' << 16,
	MEMCHECK_UNDEFINED,
	MEMCHECK_DEFINED,
};

/* A request of valgrind's client interface: instructions that change nothing,
 * but for valgrind, which sees them as it translates. 0 without it. */
static uint64_t ask_memcheck(enum memcheck_request what, const void *at,
                             size_t bytes)
{
	const volatile uint64_t args[6] = {what, (uintptr_t)at, bytes};
	uint64_t result = 0;
#if defined(__x86_64__)
	__asm__ volatile("rolq $3, %%rdi; rolq $13, %%rdi\n\t"
	                 "rolq $61, %%rdi; rolq $51, %%rdi\n\t"
	                 "xchgq %%rbx, %%rbx"
	                 : "+d"(result)
	                 : "a"(args)
	                 : "cc", "memory");
#elif defined(__aarch64__)
	register const volatile uint64_t *block __asm__("x4") = args;
	register uint64_t answer __asm__("x3") = 0;
	__asm__ volatile("ror x12, x12, #3; ror x12, x12, #13\n\t"
	                 "ror x12, x12, #51; ror x12, x12, #61\n\t"
	                 "orr x10, x10, x10"
	                 : "+r"(answer)
	                 : "r"(block)
	                 : "cc", "memory");
	result = answer;
#else
	(void)args;
#endif
	return result;
}

static void tell_memcheck(enum memcheck_request what, const void *at,
                          size_t bytes)
{
	if (atom_load(&has_memcheck) && atom_load(&tools_on))
		(void)ask_memcheck(what, at, bytes);
}

/* ---- all ----------------------------------------------------------------- */

/* The program's user may do without: it is many times as slow. */
static bool is_wanted(void)
{
	const char *env = secure_getenv("SLABD_WATCH");
	return env == NULL || strcmp(env, "no") != 0;
}

/* Of several threads that look each finds the same. */
void tools_find(void)
{
	uint64_t probe = 0;
	/* Its answer to this is -1; valgrind's other tools have none. */
	bool memcheck =
		ask_memcheck(MEMCHECK_DEFINED, &probe, sizeof(probe)) != 0;
	bool any = memcheck || __asan_poison_memory_region != NULL ||
	           __msan_unpoison != NULL || __tsan_release != NULL ||
	           __lsan_register_root_region != NULL;
	/* pairs: tools_find */
	if (atom_load_acquire(&found))
		return;
	atom_store(&has_memcheck, memcheck);
	atom_store(&tools_on, any && is_wanted());
	/* pairs: tools_find */
	atom_store_release(&found, true);
}

/* gcc's and clang's thread sanitizers see what the library itself orders where
 * it is built with one. */
#if defined(__SANITIZE_THREAD__)
#define SEES_ORDER true
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SEES_ORDER true
#endif
#endif
#ifndef SEES_ORDER
#define SEES_ORDER false
#endif

bool tools_mistake_depots(void)
{
	return !SEES_ORDER && __tsan_release != NULL && atom_load(&tools_on);
}

/* The thread sanitizer takes a look at what is written without a lock for a race,
 * as it is, and one that does no harm: the kernel has that look. */
void tools_peek(void **to, void *const *from, size_t n)
{
	struct iovec local = {.iov_base = to, .iov_len = n * sizeof(*to)};
	struct iovec remote = {.iov_base = (void *)(uintptr_t)from,
	                       .iov_len = local.iov_len};
	if (SEES_ORDER && process_vm_readv(getpid(), &local, 1, &remote, 1, 0) ==
	                          (ssize_t)local.iov_len)
		return;
	for (size_t i = 0; i < n; i++)
		to[i] = atom_load(&from[i]);
}

/* It goes through it byte by byte. */
bool tools_slow_protect(void)
{
	return atom_load(&has_memcheck);
}

void tools_give(const void *object)
{
	if (!SEES_ORDER && __tsan_release != NULL)
		__tsan_release((void *)(uintptr_t)object);
}

bool tools_miss_slabd(void)
{
	return __tsan_release != NULL;
}

/* By the units that slabs are made of. */
static void order(void (*how)(void *at), const void *object, size_t bytes)
{
	uintptr_t end = (uintptr_t)object + bytes;
	for (uintptr_t at = (uintptr_t)object / UNIT_BYTES * UNIT_BYTES;
	     at < end; at += UNIT_BYTES)
		how((void *)at);
}

void tools_home(const void *object, size_t bytes)
{
	order(__tsan_release, object, bytes);
}

void tools_claim(const void *object, size_t bytes)
{
	order(__tsan_acquire, object, bytes);
}

static void get(const void *object)
{
	if (!SEES_ORDER && __tsan_acquire != NULL)
		__tsan_acquire((void *)(uintptr_t)object);
}

void tools_alloc(const void *object, size_t bytes)
{
	get(object);
	if (__asan_unpoison_memory_region != NULL)
		__asan_unpoison_memory_region(object, bytes);
	if (__msan_allocated_memory != NULL)
		__msan_allocated_memory(object, bytes);
	tell_memcheck(MEMCHECK_UNDEFINED, object, bytes);
}

void tools_look(const void *object, size_t bytes)
{
	get(object);
	tools_wrote(object, bytes);
	if (__asan_unpoison_memory_region != NULL)
		__asan_unpoison_memory_region(object, bytes);
}

void tools_free(const void *object, size_t bytes)
{
	if (__asan_poison_memory_region != NULL)
		__asan_poison_memory_region(object, bytes);
	if (__msan_poison != NULL)
		__msan_poison(object, bytes);
	tell_memcheck(MEMCHECK_NOACCESS, object, bytes);
	tools_give(object);
}

void tools_wrote(const void *at, size_t bytes)
{
	if (__msan_unpoison != NULL && atom_load(&tools_on))
		__msan_unpoison(at, bytes);
	tell_memcheck(MEMCHECK_DEFINED, at, bytes);
}

/* ---- pages and pools ----------------------------------------------------- */

void tools_page_open(const void *at, size_t bytes)
{
	if (__asan_poison_memory_region != NULL)
		__asan_poison_memory_region(at, bytes);
	tell_memcheck(MEMCHECK_NOACCESS, at, bytes);
}

void tools_page_close(const void *at, size_t bytes)
{
	if (__asan_unpoison_memory_region != NULL)
		__asan_unpoison_memory_region(at, bytes);
}

void tools_pool_open(const void *at, size_t bytes)
{
	if (__lsan_register_root_region != NULL && atom_load(&tools_on))
		__lsan_register_root_region(at, bytes);
}

void tools_pool_close(const void *at, size_t bytes)
{
	if (__lsan_unregister_root_region != NULL && atom_load(&tools_on))
		__lsan_unregister_root_region(at, bytes);
}
