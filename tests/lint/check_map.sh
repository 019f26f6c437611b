#!/bin/sh
# SPDX-License-Identifier: MIT
# ARCHITECTURE.md as a map: each path in it is there, and each function that a
# line names after a path, `like_this()`, stands in that file. Each row of "Where
# to look" names a room, a file and a function.
. "$(dirname "$0")/lint.sh"

look() {
	[ -f ARCHITECTURE.md ] || return 0
	awk '
	function found(what) { printf "%s:%d: %s\n", FILENAME, FNR, what }
	/^## / { section = substr($0, 4) }
	{
		line = $0; path = ""; n_paths = n_names = 0
		while (match(line, /`[^`]*`/)) {
			word = substr(line, RSTART + 1, RLENGTH - 2)
			line = substr(line, RSTART + RLENGTH)
			if (word ~ /^[a-z_]+[(][)]$/) {
				n_names++
				sub(/[(][)]$/, "", word)
				if (path == "")
					found(word "() is after no file")
				else
					print "name", path, word, FNR
			} else if (word ~ /^[A-Za-z_.]+\/[A-Za-z0-9_.\/*-]*$/ ||
				   word ~ /^[a-z]+[.](md|ac|am)$/) {
				path = word; n_paths++
				print "path", path, "-", FNR
			}
		}
	}
	section == "Where to look" && /^\|/ && !/^\| *(question|---)/ {
		if (n_paths < 1 || n_names < 1)
			found("a row without a file or without a function")
	}' ARCHITECTURE.md | while read -r kind path name at; do
		case $kind in
		path)
			# shellcheck disable=SC2086 # a pattern
			ls -d $path >/dev/null 2>&1 ||
				echo "ARCHITECTURE.md:$at: $path is not there"
			;;
		name)
			grep -qE "(^|[^A-Za-z0-9_])$name *\(" "$path" 2>/dev/null ||
				echo "ARCHITECTURE.md:$at: $name() is not in $path"
			;;
		*) echo "$kind $path $name $at" ;;
		esac
	done
}

# map LINE...: a tree of one file and a map of these lines.
map() {
	echo 'int slab_of(void);' | sample shm/slab.h
	printf '%s\n' "$@" >"$samples/ARCHITECTURE.md"
}

map 'see `shm/none.h`'
names "a path that is not there" '^ARCHITECTURE.md:1: shm/none.h is not there'
map '' '`shm/slab.h`: `slab_on()`'
names "a function that is not there" '^ARCHITECTURE.md:2: slab_on() is not in'
map 'calls `slab_of()`'
names "a function without a file" 'slab_of() is after no file'
map '## Where to look' '| question | where |' '| --- | --- |' \
	'| what is a slab | `shm/slab.h` |'
names "a row without a function" '^ARCHITECTURE.md:4: a row without'
map '## Where to look' '| question | where |' '| --- | --- |' \
	'| what is a slab | `shm/slab.h` `slab_of()` |' \
	'`shm/*.h` and `struct slab`'
passes "a map that holds"
finish "ARCHITECTURE.md names what is there"
