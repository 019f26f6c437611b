#!/bin/sh
# SPDX-License-Identifier: MIT
# The library in programs of other kinds: the header in C++ without a cast of C's,
# a plug-in that is loaded where little thread-local room is left, another
# language by the symbols alone. Prints TAP; no arguments.
. "$(dirname "$0")/../lib/shell.sh"
needs_library "a library with a sanitizer goes with few programs"

configure 16M 4M
start
use_library

# ---- C++ --------------------------------------------------------------------
for cxx in g++ clang++; do
	if ! command -v $cxx >/dev/null 2>&1; then
		skip "$cxx" "not installed"
		continue
	fi
	(for how in '' -DSLABD_NO_INLINE; do
		for std in c++11 c++17; do
			# As a file of the program's own: no system header.
			echo '#include "slabclient.h"
			void *one(slabd_cache *c) { return slabd_alloc(c); }
			void end(slabd_cache *c, void *o) { slabd_free(c, o); }' |
				$cxx -std=$std -Wall -Wextra -Wpedantic \
					-Wold-style-cast -Wcast-qual -Wshadow \
					-Wconversion -Werror $how \
					-I"$srcdir/client" -x c++ -c - \
					-o "$here/x.o" || exit
		done
	done) >"$here/out" 2>&1
	result $? "$cxx: the header is C++ without old casts"
done

# ---- C ------------------------------------------------------------------------
for cc in gcc clang; do
	if ! command -v $cc >/dev/null 2>&1; then
		skip "$cc" "not installed"
		continue
	fi
	(for opt in -O0 -O1 -O2 -O3 '-O3 -mavx2'; do
		echo '#include <slabclient.h>
		void two(slabd_cache *c, void *o)
		{
			void *b[2] = {(void *)-1L, o};
			slabd_free_bulk(c, 2, b);
			b[1] = (void *)0x1234;
			slabd_free_bulk(c, 2, b);
			slabd_free(c, (void *)-1L);
		}
		void ten(slabd_cache *c)
		{
			void *b[10] = {(void *)0x1234};
			slabd_free_bulk(c, 10, b);
			slabd_free_bulk(c, slabd_alloc_bulk(c, 10, b), b);
		}' | $cc $opt -Wall -Wextra -Werror -I"$srcdir/client" -x c -c - \
			-o "$here/x.o" || exit
	done) >"$here/out" 2>&1
	result $? "$cc: pointers that are constants"
done

# ---- late, where little thread-local room is left -----------------------------
cat >"$here/plug.c" <<'EOT'
#include <slabclient.h>
#include <stddef.h>

int plug(void);
int plug(void)
{
	slabd_pool *pool = slabd_open(NULL, NULL);
	slabd_cache *cache =
		pool != NULL ? slabd_cache_create(pool, "plug", 64, 0, 0) : NULL;
	void *object = cache != NULL ? slabd_alloc(cache) : NULL;
	if (object == NULL)
		return 1;
	slabd_free(cache, object);
	return slabd_close(pool);
}
EOT
cat >"$here/hog.c" <<'EOT'
__attribute__((tls_model("initial-exec"))) __thread char hog[BYTES];
char *at(void);
char *at(void)
{
	return hog;
}
EOT
cat >"$here/host.c" <<'EOT'
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>

static int (*plug)(void);

static void *run(void *arg)
{
	*(int *)arg = plug();
	return arg;
}

int main(int argc, char **argv)
{
	int bad = 1;
	pthread_t thread;
	void *at;
	for (int i = 1; i + 1 < argc; i++)
		if (dlopen(argv[i], RTLD_NOW) == NULL)
			return printf("hog: %s\n", dlerror()), 2;
	for (int round = 0; round < 3; round++) {
		at = dlopen(argv[argc - 1], RTLD_NOW);
		if (at == NULL)
			return printf("%s\n", dlerror()), 1;
		*(void **)&plug = dlsym(at, "plug");
		if (plug() != 0)
			return 1;
		pthread_create(&thread, NULL, run, &bad);
		pthread_join(thread, NULL);
		if (bad != 0)
			return 1;
		dlclose(at);
	}
	return 0;
}
EOT
{
	gcc -O2 -fPIC -shared -I"$srcdir/client" -o "$here/plug.so" \
		"$here/plug.c" -L"$lib" -lslabclient &&
		gcc -O2 -o "$here/host" "$here/host.c" -ldl -pthread &&
		for bytes in 1024 384; do
			gcc -O2 -fPIC -shared -DBYTES=$bytes \
				-o "$here/hog$bytes.so" "$here/hog.c"
		done
} >"$here/out" 2>&1
result $? "a plug-in and its host"
timeout 60 "$here/host" "$here/plug.so" >"$here/out" 2>&1
result $? "it is loaded, used and unloaded, three times"
# The C library keeps some 1.6 KiB for what comes late: it does not fit twice.
timeout 60 "$here/host" "$here/hog1024.so" "$here/hog384.so" "$here/plug.so" \
	>"$here/out" 2>&1
result $? "where others have taken most of the thread-local room, too"

# ---- symbols alone --------------------------------------------------------------
cat >"$here/worker.py" <<'EOT'
import ctypes, sys
lib = ctypes.CDLL(sys.argv[1])
for name in "slabd_open", "slabd_cache_create", "slabd_alloc":
    getattr(lib, name).restype = ctypes.c_void_p
lib.slabd_last_error.restype = ctypes.c_char_p
pool = ctypes.c_void_p(lib.slabd_open(None, None))
assert pool, lib.slabd_last_error()
cache = ctypes.c_void_p(lib.slabd_cache_create(
    pool, b"python", ctypes.c_size_t(64), ctypes.c_size_t(0), 0))
assert cache, lib.slabd_last_error()
objects = [lib.slabd_alloc(cache) for i in range(1000)]
assert all(objects) and len(set(objects)) == 1000
for at in objects:
    ctypes.memset(at, 7, 64)
    lib.slabd_free(cache, ctypes.c_void_p(at))
assert lib.slabd_alloc(cache) in objects
assert lib.slabd_close(pool) == 0
EOT
if command -v python3 >/dev/null 2>&1; then
	timeout 60 python3 "$here/worker.py" "$lib/libslabclient.so" \
		>"$here/out" 2>&1
	result $? "python3's ctypes"
else
	skip "python3's ctypes" "not installed"
fi
audit "slabd's audit finds all in order"
finish
