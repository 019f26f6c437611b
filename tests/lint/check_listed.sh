#!/bin/sh
# SPDX-License-Identifier: MIT
# Every header stands in a local.mk: one that does not is left out of the
# archive, whose build then fails.
. "$(dirname "$0")/lint.sh"

look() {
	find . -name local.mk -exec cat {} + 2>/dev/null |
		tr -s ' \t\\' '\n' | grep '[.]h$' | LC_ALL=C sort -u >"$listed"
	sources | grep '[.]h$' | while read -r header; do
		grep -qxF "$header" "$listed" ||
			echo "$header:1: is in no local.mk"
	done
}

# tree TEXT: a header, and a local.mk of that text.
tree() {
	echo 'int slab_of(void);' | sample shm/slab.h
	printf '%s\n' "$1" >"$samples/shm/local.mk"
}

listed=$(mktemp) || exit 99
trap 'rm -rf "$samples" "$listed"' EXIT
tree 'libshm_la_SOURCES += shm/slab.c'
names "a header in no list" '^shm/slab.h:1: is in no local.mk'
tree 'libshm_la_SOURCES += shm/slab.hpp numa/shm/slab.h'
names "a header whose name is part of another's" '^shm/slab.h:1: '
tree 'libshm_la_SOURCES += shm/slab.c \
	shm/slab.h'
passes "a header in a list"
finish "every header is in a local.mk"
