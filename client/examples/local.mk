# SPDX-License-Identifier: MIT
# Programs to read, and to begin with: installed as they are, and built here for
# tests/system/test_examples.sh.
examplesdir = $(docdir)/examples
dist_examples_DATA =
dist_examples_DATA += client/examples/arena.c
dist_examples_DATA += client/examples/objpool.c
dist_examples_DATA += client/examples/gateway.c client/examples/gateway.h
dist_examples_DATA += client/examples/gateway_malloc.c
dist_examples_DATA += client/examples/gateway_slabd.c
dist_examples_DATA += client/examples/gateway_stage.c
dist_examples_DATA += client/examples/gateway_work.c

examples_flags = -I$(top_srcdir)/client
check_PROGRAMS += client/examples/arena
client_examples_arena_CPPFLAGS = $(examples_flags)
client_examples_arena_LDADD = client/libslabclient.la
check_PROGRAMS += client/examples/objpool
client_examples_objpool_CPPFLAGS = $(examples_flags)
client_examples_objpool_LDADD = client/libslabclient.la
check_PROGRAMS += client/examples/gateway
client_examples_gateway_SOURCES = client/examples/gateway.c \
	client/examples/gateway_malloc.c client/examples/gateway_slabd.c \
	client/examples/gateway_stage.c client/examples/gateway_work.c
client_examples_gateway_CPPFLAGS = $(examples_flags)
client_examples_gateway_LDADD = client/libslabclient.la
