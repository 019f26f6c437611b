# SPDX-License-Identifier: MIT
# slabctl: a client of the admin socket.
libctl_la_SOURCES += \
	daemon/ctl/act.c \
	daemon/ctl/args.c \
	daemon/ctl/args.h \
	daemon/ctl/audit.c \
	daemon/ctl/doc.c \
	daemon/ctl/doc.h \
	daemon/ctl/drain.c \
	daemon/ctl/http.c \
	daemon/ctl/http.h \
	daemon/ctl/lists.c \
	daemon/ctl/nodes.c \
	daemon/ctl/plan.c \
	daemon/ctl/show.h \
	daemon/ctl/status.c \
	daemon/ctl/table.c \
	daemon/ctl/table.h \
	daemon/ctl/text.c \
	daemon/ctl/text.h \
	daemon/ctl/verbs.c \
	daemon/ctl/verbs.h

bin_PROGRAMS += daemon/slabctl
daemon_slabctl_SOURCES = daemon/ctl/slabctl.c
daemon_slabctl_LDADD = libctl.la $(ctl_libs)
