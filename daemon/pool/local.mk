# SPDX-License-Identifier: MIT
# A pool's files and slabd's books of them: no loop, no plan.
libdaemon_la_SOURCES += \
	daemon/pool/adopt.c \
	daemon/pool/adopt.h \
	daemon/pool/caches.c \
	daemon/pool/ends.c \
	daemon/pool/ends.h \
	daemon/pool/caches.h \
	daemon/pool/clients.c \
	daemon/pool/clients.h \
	daemon/pool/create.c \
	daemon/pool/create.h \
	daemon/pool/due.c \
	daemon/pool/due.h \
	daemon/pool/extent.c \
	daemon/pool/extent.h \
	daemon/pool/holes.c \
	daemon/pool/holes.h \
	daemon/pool/journal.c \
	daemon/pool/journal.h \
	daemon/pool/keep.c \
	daemon/pool/keep.h \
	daemon/pool/ledger.c \
	daemon/pool/ledger.h \
	daemon/pool/loans.c \
	daemon/pool/loans.h \
	daemon/pool/looks.c \
	daemon/pool/looks.h \
	daemon/pool/marks.c \
	daemon/pool/marks.h \
	daemon/pool/meta.c \
	daemon/pool/meta.h \
	daemon/pool/pages.c \
	daemon/pool/places.c \
	daemon/pool/places.h \
	daemon/pool/pages.h \
	daemon/pool/pool.c \
	daemon/pool/pool.h \
	daemon/pool/slabs.c \
	daemon/pool/slabs.h \
	daemon/pool/sweep.c \
	daemon/pool/sweep.h \
	daemon/pool/usage.c \
	daemon/pool/waiting.c \
	daemon/pool/waiting.h \
	daemon/pool/usage.h
