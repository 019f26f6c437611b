# SPDX-License-Identifier: MIT
# slab-record, and what it preloads. Neither goes with a sanitizer's runtime, which
# has an allocator of its own; a library to preload is a shared one.
if RECORD
pkglib_LTLIBRARIES += record/libslabrecord.la
record_libslabrecord_la_SOURCES = \
	record/attach.c record/attach.h \
	record/calls.c \
	record/early.c record/early.h \
	record/next.c record/next.h \
	record/ring.c record/ring.h
# What is malloc here is no more the compiler's. Thread-local words lie where no
# allocation is needed for them.
record_libslabrecord_la_CFLAGS = $(AM_CFLAGS) -fvisibility=hidden -fno-builtin \
	-ftls-model=initial-exec
record_libslabrecord_la_LDFLAGS = $(AM_LDFLAGS) -module -avoid-version -shared \
	-Wl,-z,nodelete -Wl,-z,defs

bin_PROGRAMS += record/slab-record
record_slab_record_SOURCES = \
	record/fate.h \
	record/launch.c record/launch.h \
	record/live.c record/live.h \
	record/options.c record/options.h \
	record/out.c record/out.h \
	record/ring.c record/ring.h \
	record/say.c record/say.h \
	record/slab_record.c \
	record/stream.c record/stream.h \
	record/streams.c record/streams.h
record_slab_record_CPPFLAGS = $(AM_CPPFLAGS) \
	-DRECORD_LIBRARY='"$(pkglibdir)/libslabrecord.so"'
record_slab_record_LDADD = $(ZSTD_LIBS)

# The folders are those of slabctl's. bash looks for a file of the command's name.
zshcomp_DATA += record/completion/_slab-record
fishcomp_DATA += record/completion/slab-record.fish
nodist_bashcomp_DATA += record/completion/slab-record
record/completion/slab-record: record/completion/slab-record.bash
	$(AM_V_GEN)$(MKDIR_P) record/completion && \
	cp $(srcdir)/record/completion/slab-record.bash $@
endif
EXTRA_DIST += record/completion/_slab-record \
	record/completion/slab-record.bash \
	record/completion/slab-record.fish
CLEANFILES += record/completion/slab-record
