# SPDX-License-Identifier: MIT
# What two processes agree on. Links libc alone. Compiled into the client library
# too: hidden there, and what only slabd calls is left out by the linker.
noinst_LTLIBRARIES += libshm.la
libshm_la_CFLAGS = $(AM_CFLAGS) -fvisibility=hidden -ffunction-sections

libshm_la_SOURCES =
libshm_la_SOURCES += shm/atom.h shm/atom_pair.h shm/probe.h
libshm_la_SOURCES += shm/layout.c shm/layout.h
libshm_la_SOURCES += shm/view.c shm/view.h
libshm_la_SOURCES += shm/names.c shm/names.h
libshm_la_SOURCES += shm/abandon.h
libshm_la_SOURCES += shm/tags.c shm/tags.h shm/tags_pass.h shm/tags_gift.h
libshm_la_SOURCES += shm/heir.c shm/heir.h
libshm_la_SOURCES += shm/arena_live.h shm/objpool_live.h
if TSAN
libshm_la_SOURCES += shm/tags_narrow.c
else
libshm_la_SOURCES += shm/tags_wide.c
endif
libshm_la_SOURCES += shm/handle.h shm/root_row.c shm/root_row.h
libshm_la_SOURCES += shm/channel.c shm/channel_fill.c shm/channel_sleep.c
libshm_la_SOURCES += shm/channel.h shm/channel_find.h shm/channel_row.h
libshm_la_SOURCES += shm/channel_sleep.h
libshm_la_SOURCES += shm/lease.h
libshm_la_SOURCES += shm/partial.c shm/partial.h
libshm_la_SOURCES += shm/slab.c shm/slab_srv.c shm/slab.h
libshm_la_SOURCES += shm/slab_find.h shm/run.h
libshm_la_SOURCES += shm/audit.c shm/audit.h
libshm_la_SOURCES += shm/wire.h shm/wire_channel.h shm/wire_root.h
