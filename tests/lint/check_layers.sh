#!/bin/sh
# SPDX-License-Identifier: MIT
# Who may include whom:
#
#     daemon/ --> numa/ --> libnuma, hwloc      client/ --> shm/ --> libc only
#        '------> shm/, libevent and its like   tests/ include what they want
#
# And shm/ neither allocates, prints nor logs.
. "$(dirname "$0")/lint.sh"

look() {
	sources | grep -v '^tests/' | xargs -r awk "$lint_awk"'
	BEGIN {
		libc = "^(assert|ctype|dirent|dlfcn|endian|errno|fcntl|fnmatch|" \
			"getopt|glob|grp|inttypes|langinfo|limits|locale|" \
			"math|poll|pthread|pwd|sched|signal|spawn|stdalign|" \
			"stdarg|stdbool|stddef|stdint|stdio|stdlib|string|" \
			"strings|syslog|termios|time|unistd|wchar|wctype)" \
			"[.]h$|^(sys|linux)/"
		ours["shm"] = "^shm/"
		ours["numa"] = "^numa/"
		ours["client"] = "^(client|shm)/"
		ours["daemon"] = "^(daemon|numa|shm)/"
		theirs["shm"] = "^$"
		theirs["numa"] = "^(hwloc([.]h$|/)|numa(if)?[.]h$)"
		theirs["client"] = "^$"
		theirs["daemon"] = "^(event2|systemd|curl)/|^(ini|jansson|libudev)[.]h$"
		not_shm = "^(stdio|stdlib|syslog|malloc)[.]h$"
		calls = "(^|[^A-Za-z0-9_])(malloc|calloc|realloc|free|" \
			"aligned_alloc|[a-z]*printf|puts|syslog|abort|exit)" \
			"[ \t]*[(]"
	}
	{
		folder = FILENAME; sub("/.*", "", folder)
		split_line($0)
	}
	/^[ \t]*#[ \t]*include[ \t]*"/ {
		name = $0; sub(/^[^"]*"/, "", name); sub(/".*/, "", name)
		if (name !~ ours[folder])
			found(folder "/ may not include \"" name "\"")
		next
	}
	/^[ \t]*#[ \t]*include[ \t]*</ {
		name = $0; sub(/^[^<]*</, "", name); sub(/>.*/, "", name)
		if (folder == "shm" && name ~ not_shm)
			found("shm/ may not include <" name ">")
		else if (name !~ libc && name !~ theirs[folder])
			found(folder "/ may not include <" name ">")
		next
	}
	folder == "shm" && code ~ calls {
		found("shm/ neither allocates, prints nor exits")
	}'
}

while read -r path line; do
	echo "$line" | sample "$path"
	names "$path with $line" "^$path:1: "
done <<'EOT'
shm/a.c #include "client/slabclient.h"
shm/a.c #include "numa/topo.h"
shm/a.h #include <stdio.h>
shm/a.c #include <numa.h>
shm/a.c	p = malloc(3);
numa/a.c #include "shm/slab.h"
numa/a.c #include "daemon/base/log.h"
numa/a.c #include <event2/event.h>
client/a.c #include "daemon/pool/pool.h"
client/a.c #include "numa/topo.h"
client/a.c #include <hwloc.h>
daemon/a.c #include "client/pool.h"
daemon/a.c # include <hwloc.h>
daemon/a.c #include "log.h"
EOT
while read -r path line; do
	echo "$line" | sample "$path"
	passes "$path with $line"
done <<'EOT'
shm/a.c #include <errno.h>
shm/a.c /* malloc(3) is not for us */
numa/a.c #include <hwloc/glibc-sched.h>
client/a.c #include "shm/slab.h"
daemon/a.c #include <event2/event.h>
tests/a.c #include "daemon/pool/pool.h"
EOT
finish "every include goes down the layers"
