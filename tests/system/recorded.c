/* SPDX-License-Identifier: MIT */
/*
 * What test_record.sh records: by its first argument, a program whose calls of
 * the allocator are known. What counts stands between two objects of 77001 and
 * 77002 bytes.
 */
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shm/atom.h"

#define BEGIN_BYTES 77001u
#define END_BYTES 77002u
#define PASSED 20000u /* objects that go from thread to thread */

static void *volatile kept; /* the compiler leaves no call out */

static void *keep(void *obj)
{
	kept = obj;
	return obj;
}

static void begin(void)
{
	free(keep(malloc(BEGIN_BYTES)));
}

static void end(void)
{
	free(keep(malloc(END_BYTES)));
}

/* Each call once, and what each failure and each NULL leaves. An allocator that
 * is preloaded may have no pvalloc. */
static int exact(int has_pvalloc)
{
	volatile size_t most = SIZE_MAX / 4;
	void *to = NULL, *obj, *other;
	begin();
	obj = keep(malloc(100));
	other = keep(calloc(3, 7));
	obj = keep(realloc(obj, 1000));
	free(other);
	if (realloc(obj, most) != NULL || errno != ENOMEM)
		return 1;
	if (malloc(most) != NULL || calloc(most, 8) != NULL)
		return 1;
	obj = keep(reallocarray(obj, 10, 30));
	free(obj);
	free(keep(NULL));
	obj = keep(realloc(kept, 40));
	free(obj);
	if (posix_memalign(&to, 256, 50) != 0 || (uintptr_t)to % 256 != 0)
		return 1;
	free(to);
	free(keep(aligned_alloc(64, 640)));
	free(keep(memalign(128, 70)));
	free(keep(valloc(80)));
	free(keep(strdup("twelve bytes")));
	free(keep(malloc(0)));
	if (has_pvalloc)
		free(keep(pvalloc(90)));
	end();
	return 0;
}

/* A ring of one place between two threads. */
static void *volatile place;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t moved = PTHREAD_COND_INITIALIZER;

static void pass(void *obj, int gives)
{
	pthread_mutex_lock(&lock);
	while ((place != NULL) == gives)
		pthread_cond_wait(&moved, &lock);
	if (!gives)
		free(place);
	place = obj;
	pthread_cond_broadcast(&moved);
	pthread_mutex_unlock(&lock);
}

static void *taker(void *arg)
{
	for (unsigned i = 0; i < PASSED; i++)
		pass(NULL, 0);
	return arg;
}

static unsigned n_churned;

static void *churner(void *arg)
{
	void *objs[32] = {NULL};
	unsigned n = *(unsigned *)arg;
	for (unsigned i = 0; i < n; i++) {
		free(objs[i % 32]);
		objs[i % 32] = malloc(32 + i % 64);
		atom_add(&n_churned, 1);
	}
	for (unsigned i = 0; i < 32; i++)
		free(objs[i]);
	return arg;
}

/* One gives to another, beside four that keep to themselves; addresses pass
 * between all. */
static int threads(void)
{
	unsigned n = 50000;
	pthread_t all[5];
	begin();
	pthread_create(&all[0], NULL, taker, NULL);
	for (unsigned i = 1; i < 5; i++)
		pthread_create(&all[i], NULL, churner, &n);
	for (unsigned i = 0; i < PASSED; i++)
		pass(malloc(48), 1);
	for (unsigned i = 0; i < 5; i++)
		pthread_join(all[i], NULL);
	end();
	return 0;
}

static void churn(unsigned n)
{
	churner(&n);
}

/* A child of whichever fork allocates as well. */
static int forks(pid_t (*make)(void))
{
	pid_t child;
	begin();
	child = make();
	if (child == 0) {
		begin();
		churn(1000);
		free(keep(malloc(555)));
		end();
		_exit(0);
	}
	waitpid(child, NULL, 0);
	free(keep(malloc(444)));
	end();
	return 0;
}

/* As daemons do: who was started ends, and what goes on is a child. */
static int daemon_like(void)
{
	if (fork() != 0)
		return 0;
	if (setsid() < 0)
		return 1;
	usleep(200000);
	begin();
	churn(1000);
	end();
	return 0;
}

static int many(unsigned n)
{
	begin();
	churn(n);
	end();
	return 0;
}

static int killed(void)
{
	unsigned n = 1u << 30;
	pthread_t all[3];
	for (unsigned i = 0; i < 3; i++)
		pthread_create(&all[i], NULL, churner, &n);
	while (atom_load(&n_churned) < 10000)
		usleep(1000);
	puts("ready");
	fflush(stdout);
	pause();
	return 0;
}

static int closes(void)
{
	close_range(0, ~0u, 0);
	return many(1000);
}

static int large(void)
{
	void *obj;
	begin();
	obj = keep(malloc((size_t)5 << 30));
	free(obj);
	end();
	return obj == NULL;
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	if (strcmp(what, "exact") == 0)
		return exact(argc == 2);
	if (strcmp(what, "threads") == 0)
		return threads();
	if (strcmp(what, "fork") == 0)
		return forks(fork);
	if (strcmp(what, "_Fork") == 0)
		return forks(_Fork);
	if (strcmp(what, "vfork-exec") == 0)
		return system("exit 3") >> 8;
	if (strcmp(what, "exec") == 0 && argc > 2) {
		many(1000);
		execvp(argv[2], argv + 2);
		return 1;
	}
	if (strcmp(what, "daemon") == 0)
		return daemon_like();
	if (strcmp(what, "many") == 0 && argc > 2)
		return many((unsigned)strtoul(argv[2], NULL, 10));
	if (strcmp(what, "killed") == 0)
		return killed();
	if (strcmp(what, "closes") == 0)
		return closes();
	if (strcmp(what, "large") == 0)
		return large();
	return strcmp(what, "exit") == 0 ? 9 : 2;
}
