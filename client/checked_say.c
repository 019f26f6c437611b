/* SPDX-License-Identifier: MIT */
#include "client/checked_say.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shm/atom.h"
#include "shm/names.h"

#define SITE_BYTES 128
#define TEXT_BYTES 512

/* In the C library as a rule; a program without it sees addresses alone. */
extern __typeof(dladdr) dladdr __attribute__((weak));

typedef unsigned long long number;

struct text {
	char at[TEXT_BYTES];
	size_t n;
};

__attribute__((format(printf, 2, 3))) static void add(struct text *text,
                                                      const char *format, ...)
{
	size_t room = sizeof(text->at) - text->n;
	va_list args;
	int n;
	va_start(args, format);
	n = vsnprintf(text->at + text->n, room, format, args);
	va_end(args);
	if (n > 0)
		text->n += (size_t)n < room ? (size_t)n : room - 1;
}

/* A place in the program: the file that it was loaded from, and the function as
 * far as that is known. A return address is one past the call. */
static void add_site(struct text *text, const void *site)
{
	const char *at = (const char *)site - 1;
	const char *file;
	Dl_info info;
	memset(&info, 0, sizeof(info));
	if (dladdr == NULL || dladdr(at, &info) == 0 || info.dli_fname == NULL) {
		add(text, "%p", (const void *)at);
		return;
	}
	file = strrchr(info.dli_fname, '/');
	add(text, "%s+0x%llx", file != NULL ? file + 1 : info.dli_fname,
	    (number)(at - (const char *)info.dli_fbase));
	if (info.dli_sname != NULL)
		add(text, " (%s+0x%llx)", info.dli_sname,
		    (number)(at - (const char *)info.dli_saddr));
}

static void add_was(struct text *text, const struct record *was)
{
	add(text, " at ");
	add_site(text, was->site);
	add(text, " by thread %d", (int)was->thread);
}

static void add_owner(struct text *text, const struct slabd_pool *pool,
                      uint32_t owner)
{
	char name[NAME_BYTES] = "";
	const struct layout_client *row = &pool->view.clients[owner];
	if (owner <= CLIENT_ID_MAX)
		names_read_any(&pool->view.names[owner], name);
	add(text, "client %u", owner);
	if (name[0] != '\0')
		add(text, " (%.63s)", name);
	else if (owner <= CLIENT_ID_MAX && row->comm[0] != '\0')
		add(text, " (%.15s)", row->comm);
}

static const char *cache_name(const struct slabd_pool *pool, uint32_t cache)
{
	return cache != 0 ? pool->view.caches[cache - 1].name : "none";
}

/* Which object it is about. */
static void add_object(struct text *text, const struct slabd_pool *pool,
                       const struct fault *fault)
{
	if (fault->kind == FAULT_NO_OBJECT || fault->kind == FAULT_CALL)
		return;
	add(text, "object 0x%llx of cache %s", (number)fault->off,
	    cache_name(pool, fault->cache));
}

static void add_why(struct text *text, const struct slabd_pool *pool,
                    const struct fault *fault)
{
	switch (fault->kind) {
	case FAULT_NO_OBJECT:
		add(text, "it lies in no slab of pool %s",
		    pool->view.head->name);
		break;
	case FAULT_OTHER_CACHE:
		add(text, "it is not of the cache that was named");
		break;
	case FAULT_INSIDE:
		add(text, "it is no object's first byte, but byte %llu",
		    (number)fault->in);
		break;
	case FAULT_FREED:
		add(text, "it was freed already");
		add_was(text, &fault->was);
		if (fault->owner != TAG_FREE && fault->owner != pool->user.id) {
			add(text, ", and is by now of ");
			add_owner(text, pool, fault->owner);
		}
		break;
	case FAULT_PUT_BY:
		add(text, "nobody has it, as it was put by for an allocation");
		add_was(text, &fault->was);
		break;
	case FAULT_FREE:
		add(text, "it is free, nobody has it");
		break;
	case FAULT_GIFT:
		add(text, "it is a gift that this client has not taken");
		break;
	case FAULT_OTHERS:
		add_owner(text, pool, fault->owner);
		add(text, " has it");
		if (fault->was.state != RECORD_GIVEN)
			break;
		add(text, ", as this client gave it away");
		add_was(text, &fault->was);
		break;
	case FAULT_WRITTEN:
		add(text, "byte %llu was written to after it was freed",
		    (number)fault->in);
		add_was(text, &fault->was);
		break;
	case FAULT_CALL:
		add(text, "%s", slabd_last_error());
		break;
	case FAULT_NONE:
		break;
	}
}

/* One write, so that lines of several threads stay apart. Nobody is to be cancelled
 * in it. */
static void print(const struct slabd_pool *pool, const struct text *text)
{
	char line[TEXT_BYTES + NAME_BYTES + 64];
	int held = link_hold();
	int n = snprintf(line, sizeof(line),
	                 "slabd: client %u of pool %s, process %d: %s\n",
	                 pool->user.id, pool->view.head->name, (int)getpid(),
	                 text->at);
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		line[0] = '\0'; /* there is nobody to tell */
	link_let_go(held);
}

void checked_say(const struct slabd_pool *pool, const struct fault *fault,
                 const char *call, uint64_t what, const void *site, bool aborts)
{
	bool is_place = fault->kind == FAULT_NO_OBJECT ||
	                fault->kind == FAULT_INSIDE;
	int err = fault->kind == FAULT_CALL ? errno : is_place ? EINVAL : EPERM;
	struct text text = {.n = 0};
	add(&text, "%s of 0x%llx: ", call, (number)what);
	add_object(&text, pool, fault);
	if (text.n > 0 && text.at[text.n - 1] != ' ')
		add(&text, ": ");
	add_why(&text, pool, fault);
	if (site != NULL) {
		add(&text, "; called at ");
		add_site(&text, site);
	}
	print(pool, &text);
	error_set(err, "%s", text.at);
	if (aborts)
		abort();
}
