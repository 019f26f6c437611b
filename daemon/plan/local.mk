# SPDX-License-Identifier: MIT
# plan = f(snapshot, settings): pure, stdint alone.
libdaemon_a_SOURCES += \
	daemon/plan/carve.c \
	daemon/plan/emit.c \
	daemon/plan/lend.c \
	daemon/plan/migrate.c \
	daemon/plan/names.c \
	daemon/plan/plan.c \
	daemon/plan/plan.h \
	daemon/plan/reassign.c \
	daemon/plan/refuse.c \
	daemon/plan/return.c \
	daemon/plan/shrink.c \
	daemon/plan/snapshot.h \
	daemon/plan/step.h \
	daemon/plan/work.h
