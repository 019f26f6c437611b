# SPDX-License-Identifier: MIT
# What wakes the loop, and what the kernel tells of memory and nodes: knows no pool.
libdaemon_a_SOURCES += \
	daemon/watch/aside.c \
	daemon/watch/aside.h \
	daemon/watch/orphans.c \
	daemon/watch/orphans.h \
	daemon/watch/psi.c \
	daemon/watch/psi.h \
	daemon/watch/uevent.c \
	daemon/watch/uevent.h \
	daemon/watch/wake.c \
	daemon/watch/wake.h
