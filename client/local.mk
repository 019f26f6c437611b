# SPDX-License-Identifier: MIT
# libclient.la is the library's own code, for the tests to link;
# libslabclient.la is what users get: it and shm/, slabd_* alone visible.
noinst_LTLIBRARIES += libclient.la
libclient_la_CFLAGS = $(AM_CFLAGS) -fvisibility=hidden -include client/export.h

libclient_la_SOURCES =
libclient_la_SOURCES += client/export.h client/clock.h client/types.h
libclient_la_SOURCES += client/life.h client/pages.h
libclient_la_SOURCES += client/alloc.c
libclient_la_SOURCES += client/arena.c client/arena.h
libclient_la_SOURCES += client/arena_chunk.c client/arena_give.c client/arena_home.c
libclient_la_SOURCES += client/arena_parts.c client/arena_parts.h client/arena_record.h
libclient_la_SOURCES += client/arena_recv.c client/arena_send.c client/arena_take.c
libclient_la_SOURCES += client/arena_live.c client/arena_live.h
libclient_la_SOURCES += client/arena_text.c
libclient_la_SOURCES += client/barrier.c client/barrier.h
libclient_la_SOURCES += client/cache.c client/cache.h client/cached.h
libclient_la_SOURCES += client/closed.c client/closed.h client/map.c client/map.h
libclient_la_SOURCES += client/objpool.c client/objpool.h
libclient_la_SOURCES += client/objpool_age.c client/objpool_life.c
libclient_la_SOURCES += client/objpool_live.c client/objpool_live.h
libclient_la_SOURCES += client/opens.c client/opens.h
libclient_la_SOURCES += client/cap.c client/cap.h
libclient_la_SOURCES += client/checked.c client/checked.h
libclient_la_SOURCES += client/checked_say.c client/checked_say.h
libclient_la_SOURCES += client/channel.c client/channel.h client/channel_wait.c
libclient_la_SOURCES += client/channel_poll.c client/channel_poll.h
libclient_la_SOURCES += client/recv.c client/recv.h client/begun.c client/send.c
libclient_la_SOURCES += client/connect.c client/connect.h
libclient_la_SOURCES += client/credit.c client/credit.h
libclient_la_SOURCES += client/depot.c client/depot.h
libclient_la_SOURCES += client/doorbell.c client/doorbell.h
libclient_la_SOURCES += client/error.c client/error.h
libclient_la_SOURCES += client/free.c
libclient_la_SOURCES += client/futex.h
libclient_la_SOURCES += client/give.c client/give.h client/gifts.c
libclient_la_SOURCES += client/root.c client/root.h
libclient_la_SOURCES += client/handle.c client/handle.h
libclient_la_SOURCES += client/holds.c client/holds.h
libclient_la_SOURCES += client/handshake.c client/handshake.h
libclient_la_SOURCES += client/helper.c client/helper.h
libclient_la_SOURCES += client/held.c client/held.h
libclient_la_SOURCES += client/home.c client/home.h
libclient_la_SOURCES += client/idle.c client/idle.h
libclient_la_SOURCES += client/limits.c client/limits.h
libclient_la_SOURCES += client/link.c client/link.h
libclient_la_SOURCES += client/local.c client/local.h
libclient_la_SOURCES += client/look.c client/look.h
libclient_la_SOURCES += client/magazine.c client/magazine.h
libclient_la_SOURCES += client/now.c
libclient_la_SOURCES += client/others.c client/others.h
libclient_la_SOURCES += client/owned.c client/owned.h
libclient_la_SOURCES += client/plain.h client/pool.c
libclient_la_SOURCES += client/prefill.c client/prefill.h
libclient_la_SOURCES += client/process.c client/process.h
libclient_la_SOURCES += client/reach.c client/reach.h
libclient_la_SOURCES += client/records.c client/records.h
libclient_la_SOURCES += client/request.c client/request.h
libclient_la_SOURCES += client/resume.c client/resume.h
libclient_la_SOURCES += client/seen.h
libclient_la_SOURCES += client/shortage.c client/shortage.h
libclient_la_SOURCES += client/silent.c client/silent.h
libclient_la_SOURCES += client/symbols.c
libclient_la_SOURCES += client/thread.c client/thread.h
libclient_la_SOURCES += client/turn.c client/turn.h client/turns.h
libclient_la_SOURCES += client/tools.c client/tools.h
libclient_la_SOURCES += client/want.c client/want.h

include_HEADERS += client/slabclient.h client/slabclient_hit.h
include_HEADERS += client/slabclient_about.h client/slabclient_give.h
include_HEADERS += client/slabclient_bulk.h client/slabclient_arena.h
include_HEADERS += client/slabclient_root.h client/slabclient.hpp
include_HEADERS += client/slabclient_objpool.h client/slabclient_objpool_hit.h
include_HEADERS += client/slabclient_channel.h
lib_LTLIBRARIES += client/libslabclient.la
client_libslabclient_la_SOURCES =
client_libslabclient_la_LIBADD = libclient.la libshm.la
client_libslabclient_la_LDFLAGS = $(AM_LDFLAGS) -version-info 0:0:0 -Wl,--gc-sections \
	-Wl,--version-script=$(srcdir)/client/libslabclient.map
# A thread's end calls back into it, after the last dlclose too.
client_libslabclient_la_LDFLAGS += -Wl,-z,nodelete
if !SANITIZED
client_libslabclient_la_LDFLAGS += -Wl,-z,defs
endif
client_libslabclient_la_DEPENDENCIES = libclient.la libshm.la \
	$(srcdir)/client/libslabclient.map
EXTRA_DIST += client/libslabclient.map

# A program that links the static library may have functions of any name: what
# the header does not declare is made local.
install-exec-hook:
	@lib="$(DESTDIR)$(libdir)/libslabclient.a"; \
	test -f "$$lib" || exit 0; \
	echo "making local what $$lib has beside the header's names"; \
	$(CC) -r -nostdlib -o libslabclient.one.o -Wl,--whole-archive "$$lib" \
		-Wl,--no-whole-archive && \
	$(OBJCOPY) --localize-hidden libslabclient.one.o && \
	rm -f "$$lib" && \
	$(AR) cr "$$lib" libslabclient.one.o && \
	$(RANLIB) "$$lib" && \
	rm -f libslabclient.one.o

pkgconfigdir = $(libdir)/pkgconfig
nodist_pkgconfig_DATA = client/slabclient.pc
