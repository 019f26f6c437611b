# SPDX-License-Identifier: MIT
# The event loop, sockets and clients' connections.
libdaemon_la_SOURCES += \
	daemon/serve/death.c \
	daemon/serve/death.h \
	daemon/serve/dispatch.c \
	daemon/serve/dispatch.h \
	daemon/serve/door.c \
	daemon/serve/door.h \
	daemon/serve/drops.c \
	daemon/serve/drops.h \
	daemon/serve/files.c \
	daemon/serve/files.h \
	daemon/serve/grown.c \
	daemon/serve/grown.h \
	daemon/serve/duty.c \
	daemon/serve/duty.h \
	daemon/serve/held.c \
	daemon/serve/held.h \
	daemon/serve/hello.c \
	daemon/serve/hello.h \
	daemon/serve/kept.c \
	daemon/serve/kept.h \
	daemon/serve/leaving.c \
	daemon/serve/leaving.h \
	daemon/serve/limits.c \
	daemon/serve/limits.h \
	daemon/serve/listen.c \
	daemon/serve/listen.h \
	daemon/serve/loop.c \
	daemon/serve/loop.h \
	daemon/serve/machine.c \
	daemon/serve/machine.h \
	daemon/serve/message.c \
	daemon/serve/message.h \
	daemon/serve/paths.c \
	daemon/serve/paths.h \
	daemon/serve/peer.c \
	daemon/serve/peer.h \
	daemon/serve/pools.c \
	daemon/serve/pools.h \
	daemon/serve/server.h \
	daemon/serve/share.c \
	daemon/serve/share.h \
	daemon/serve/told.c \
	daemon/serve/told.h \
	daemon/serve/users.c \
	daemon/serve/users.h
