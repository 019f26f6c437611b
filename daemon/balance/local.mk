# SPDX-License-Identifier: MIT
# When the nodes are looked at, what is seen, and the steps that are taken.
libdaemon_a_SOURCES += \
	daemon/balance/ahead.c \
	daemon/balance/ahead.h \
	daemon/balance/balance.c \
	daemon/balance/balance.h \
	daemon/balance/denied.c \
	daemon/balance/denied.h \
	daemon/balance/follow.c \
	daemon/balance/follow.h \
	daemon/balance/hand.c \
	daemon/balance/hand.h \
	daemon/balance/history.c \
	daemon/balance/history.h \
	daemon/balance/move.c \
	daemon/balance/move.h \
	daemon/balance/own.h \
	daemon/balance/parts.h \
	daemon/balance/reuse.c \
	daemon/balance/reuse.h \
	daemon/balance/round.h \
	daemon/balance/back.h \
	daemon/balance/settings.c \
	daemon/balance/settings.h \
	daemon/balance/snapshot.c \
	daemon/balance/snapshot_slabs.c \
	daemon/balance/step.c \
	daemon/balance/tidings.c \
	daemon/balance/tidings.h \
	daemon/balance/trim.c \
	daemon/balance/trim.h \
	daemon/balance/unmet.h \
	daemon/balance/waits.h \
	daemon/balance/wants.c \
	daemon/balance/wants.h
