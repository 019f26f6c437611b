# SPDX-License-Identifier: MIT
# The event loop, sockets and clients' connections.
libdaemon_la_SOURCES += \
	daemon/serve/duty.c \
	daemon/serve/hello.c \
	daemon/serve/listen.c \
	daemon/serve/listen.h \
	daemon/serve/machine.c \
	daemon/serve/peer.c \
	daemon/serve/peer.h \
	daemon/serve/peer_adopt.c \
	daemon/serve/pools.c \
	daemon/serve/pools.h \
	daemon/serve/server.c \
	daemon/serve/server.h
