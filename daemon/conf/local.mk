# SPDX-License-Identifier: MIT
# slabd.conf and the command line: knows no pool and no loop.
libdaemon_a_SOURCES += \
	daemon/conf/address.c \
	daemon/conf/address.h \
	daemon/conf/changes.c \
	daemon/conf/changes.h \
	daemon/conf/config.c \
	daemon/conf/config.h \
	daemon/conf/file.c \
	daemon/conf/keys.c \
	daemon/conf/keys.h \
	daemon/conf/options.c \
	daemon/conf/options.h \
	daemon/conf/read.c \
	daemon/conf/read.h \
	daemon/conf/value.c \
	daemon/conf/value.h
