# SPDX-License-Identifier: MIT
# What lies between slabd and its service manager: knows no pool.
libdaemon_a_SOURCES += \
	daemon/manager/backoff.h \
	daemon/manager/fdstore.c \
	daemon/manager/fdstore.h \
	daemon/manager/lastconf.c \
	daemon/manager/lastconf.h \
	daemon/manager/notify.c \
	daemon/manager/notify.h \
	daemon/manager/tells.c \
	daemon/manager/tells.h \
	daemon/manager/supervise.c \
	daemon/manager/supervise.h \
	daemon/manager/supervise_adopt.c \
	daemon/manager/supervise_adopt.h \
	daemon/manager/supervise_end.c \
	daemon/manager/supervise_end.h \
	daemon/manager/supervise_fds.c \
	daemon/manager/supervise_fds.h \
	daemon/manager/supervise_msg.c \
	daemon/manager/supervise_msg.h \
	daemon/manager/supervise_place.c \
	daemon/manager/supervise_place.h
