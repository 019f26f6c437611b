# SPDX-License-Identifier: MIT
# What every room may use: log, processes, time, turns of the loop.
libdaemon_a_SOURCES += \
	daemon/base/clock.c \
	daemon/base/clock.h \
	daemon/base/inherit.c \
	daemon/base/inherit.h \
	daemon/base/log.c \
	daemon/base/log.h \
	daemon/base/log_file.c \
	daemon/base/log_file.h \
	daemon/base/log_out.c \
	daemon/base/log_out.h \
	daemon/base/proc.c \
	daemon/base/proc.h \
	daemon/base/ran.c \
	daemon/base/ran.h \
	daemon/base/remedy.c \
	daemon/base/remedy.h \
	daemon/base/stop.c \
	daemon/base/stop.h \
	daemon/base/turn.c \
	daemon/base/spread.h \
	daemon/base/turn.h
