# SPDX-License-Identifier: MIT
# plan = f(snapshot, settings): pure, stdint alone.
libdaemon_la_SOURCES += \
	daemon/plan/carve.c \
	daemon/plan/carve.h \
	daemon/plan/emit.c \
	daemon/plan/emit.h \
	daemon/plan/lend.c \
	daemon/plan/lend.h \
	daemon/plan/migrate.c \
	daemon/plan/migrate.h \
	daemon/plan/names.c \
	daemon/plan/names.h \
	daemon/plan/plan.c \
	daemon/plan/plan.h \
	daemon/plan/reassign.c \
	daemon/plan/reassign.h \
	daemon/plan/refuse.c \
	daemon/plan/refuse.h \
	daemon/plan/return.c \
	daemon/plan/return.h \
	daemon/plan/shrink.c \
	daemon/plan/shrink.h \
	daemon/plan/snapshot.h \
	daemon/plan/step.h \
	daemon/plan/work.h
