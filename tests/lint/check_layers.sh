#!/bin/sh
# SPDX-License-Identifier: MIT
# Who may include whom, a row a room: what of ours, what of others.
#
#     daemon/ROOM --> rooms below, numa/, shm/       client/ --> shm/ --> libc
#     numa/ --> libnuma, hwloc                       tests/ include what they want
#     record/ --> libzstd, and atomics of shm/
#
# Besides: shm/ neither allocates, prints nor logs; pool/ alone calls what is
# slabd's to do to slabs (slab_*_srv) and alone writes control; plan/ has
# stdint alone; nobody but slabd.c includes admin/; daemon/ has no circle of
# files.
. "$(dirname "$0")/lint.sh"

# folder|of ours|of others
rules='
shm|^shm/|^$
numa|^numa/|^(hwloc([.]h$|/)|numa(if)?[.]h$)
client|^(client|shm)/|^$
client/examples|^gateway[.]h$|^(slabclient|stdatomic)[.]h$
daemon/base|^daemon/base/|^$
daemon/conf|^daemon/(conf|base)/|^(arpa/inet|netinet/in)[.]h$
daemon/manager|^daemon/(manager|conf|base)/|^systemd/
daemon/plan|^daemon/plan/|^$
daemon/pool|^(daemon/(pool|manager|conf|base)/|numa/|shm/)|^$
daemon/balance|^(daemon/(balance|pool|plan|conf|base)/|numa/|shm/)|^$
daemon/watch|^daemon/(watch|plan|base)/|^(event2/|libudev[.]h$)
daemon/serve|^(daemon/(serve|watch|balance|pool|plan|manager|conf|base)/|numa/|shm/)|^event2/
daemon/admin|^(daemon/(admin|serve|balance|pool|plan|conf|base)/|numa/|shm/)|^(event2/|jansson[.]h$)
daemon/advice|^(daemon/advice/|shm/layout[.]h$|client/slabclient[.]h$)|^(zstd|malloc)[.]h$
daemon/ctl|^daemon/(ctl|advice)/|^(curl/|(jansson|curses)[.]h$)
record|^(record/|shm/atom(_pair)?[.]h$)|^(malloc|zstd)[.]h$
daemon|^(daemon/(admin|serve|balance|pool|manager|conf|base)/|numa/)|^$
'

look() {
	sources | grep -v '^tests/' | xargs -r env RULES="$rules" awk "$lint_awk"'
	BEGIN {
		libc = "^(assert|ctype|dirent|dlfcn|endian|errno|fcntl|fnmatch|" \
			"getopt|glob|grp|inttypes|langinfo|limits|locale|" \
			"math|poll|pthread|pwd|sched|signal|spawn|stdalign|" \
			"stdarg|stdbool|stddef|stdint|stdio|stdlib|string|" \
			"strings|syslog|termios|time|unistd|wchar|wctype)" \
			"[.]h$|^(sys|linux)/"
		n = split(ENVIRON["RULES"], row, "\n")
		for (i = 1; i <= n; i++)
			if (split_row(row[i]))
				known[field[1]] = 1
		not_shm = "^(stdio|stdlib|syslog|malloc)[.]h$"
		calls = "(^|[^A-Za-z0-9_])(malloc|calloc|realloc|free|" \
			"aligned_alloc|[a-z]*printf|puts|syslog|abort|exit)" \
			"[ \t]*[(]"
	}
	function split_row(text,    at, rest) {
		if ((at = index(text, "|")) == 0) return 0
		field[1] = substr(text, 1, at - 1)
		rest = substr(text, at + 1)
		# The bars inside brackets are part of the pattern.
		at = match(rest, /[|]\^[^|]*$|[|]\^\(.*$/)
		for (at = length(rest); at > 0; at--)
			if (substr(rest, at, 2) == "|^") break
		ours[field[1]] = substr(rest, 1, at - 1)
		theirs[field[1]] = substr(rest, at + 1)
		return 1
	}
	FNR == 1 {
		folder = FILENAME; sub(/\/[^\/]*$/, "", folder)
		if (!(folder in known))
			found("no row of the rules is about " folder "/")
	}
	{ split_line($0) }
	/^[ \t]*#[ \t]*include[ \t]*"/ {
		name = $0; sub(/^[^"]*"/, "", name); sub(/".*/, "", name)
		# The public headers lie in one folder, wherever that is.
		if (FILENAME ~ /^client\/slabclient[a-z_]*[.]h$/ &&
		    name ~ /^slabclient[a-z_]*[.]h$/)
			next
		if (folder in known && name !~ ours[folder])
			found(folder "/ may not include \"" name "\"")
		edge(FILENAME, name)
		next
	}
	/^[ \t]*#[ \t]*include[ \t]*</ {
		name = $0; sub(/^[^<]*</, "", name); sub(/>.*/, "", name)
		if (folder == "shm" && name ~ not_shm)
			found("shm/ may not include <" name ">")
		else if (folder == "daemon/plan" &&
			 name !~ /^std(bool|int|def)[.]h$|^string[.]h$/)
			found("daemon/plan/ may not include <" name ">")
		else if (folder in known && name !~ libc &&
			 name !~ theirs[folder])
			found(folder "/ may not include <" name ">")
		next
	}
	folder == "shm" && code ~ calls {
		found("shm/ neither allocates, prints nor exits")
	}
	folder ~ /^daemon/ && folder != "daemon/pool" &&
	code ~ /(^|[^a-z_])slab_[a-z_]*_srv[ \t]*[(]/ {
		found("daemon/pool/ alone calls slab_*_srv")
	}
	# What is written of control: atom_store and the like of a row of it.
	folder ~ /^daemon/ && folder != "daemon/pool" &&
	code ~ /atom_(store|store_release|add|cas|set|clear|swap)[(].*pool_(node|mark|client|cache)[(]/ {
		found("daemon/pool/ alone writes control")
	}
	# A file is its .c and .h together.
	function edge(from, to) {
		if (from !~ /^daemon\// || to !~ /^daemon\//) return
		sub(/[.][ch]$/, "", from); sub(/[.][ch]$/, "", to)
		if (from == to || (from, to) in has) return
		has[from, to] = 1
		next_of[from] = next_of[from] " " to
		if (!(from in seen)) { seen[from] = 1; all[++n_all] = from }
	}
	function visit(file,    i, n, to) {
		state[file] = 1
		n = split(next_of[file], to, " ")
		for (i = 1; i <= n; i++) {
			if (state[to[i]] == 1)
				printf "%s.c:0: a circle: it includes %s.h, " \
					"which comes back to it\n", file, to[i]
			else if (!state[to[i]])
				visit(to[i])
		}
		state[file] = 2
	}
	END {
		for (i = 1; i <= n_all; i++)
			if (!state[all[i]]) visit(all[i])
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
client/a.c #include "slabclient_hit.h"
client/a.c #include "numa/topo.h"
client/a.c #include <hwloc.h>
client/examples/a.c #include "client/pool.h"
daemon/pool/a.c #include "client/pool.h"
daemon/pool/a.c # include <hwloc.h>
daemon/base/a.c #include "log.h"
daemon/base/a.c #include "daemon/conf/config.h"
daemon/conf/a.c #include "daemon/pool/pool.h"
daemon/conf/a.c #include <ini.h>
daemon/manager/a.c #include "daemon/pool/pool.h"
daemon/plan/a.c #include "daemon/conf/config.h"
daemon/plan/a.c #include <time.h>
daemon/pool/a.c #include "daemon/balance/balance.h"
daemon/pool/a.c #include "daemon/plan/plan.h"
daemon/pool/a.c #include <event2/event.h>
daemon/balance/a.c #include <event2/event.h>
daemon/balance/a.c #include "daemon/serve/server.h"
daemon/balance/a.c	slab_carve_srv(view, 1);
daemon/serve/a.c	slab_lend_srv(view, 1);
daemon/balance/a.c	atom_store(&pool_node(pool, 1)->high_page, 3);
daemon/watch/a.c #include "daemon/pool/pool.h"
daemon/serve/a.c #include "daemon/admin/http.h"
daemon/serve/a.c #include <jansson.h>
daemon/admin/a.c #include "daemon/manager/notify.h"
daemon/ctl/a.c #include "daemon/base/log.h"
daemon/ctl/a.c #include "client/slabclient.h"
daemon/advice/a.c #include "client/pool.h"
daemon/advice/a.c #include "daemon/ctl/http.h"
daemon/new/a.c #include <stdio.h>
record/a.c #include "shm/slab.h"
record/a.c #include "client/pool.h"
client/a.c #include "record/ring.h"
daemon/a.c #include "daemon/plan/plan.h"
EOT
{
	mkdir -p "$samples/x"
	echo '#include "daemon/pool/b.h"' | sample daemon/pool/a.c
	echo '#include "daemon/pool/a.h"' >"$samples/daemon/pool/b.h"
}
names "two files that include each other" ': a circle: '
while read -r path line; do
	echo "$line" | sample "$path"
	passes "$path with $line"
done <<'EOT'
shm/a.c #include <errno.h>
shm/a.c /* malloc(3) is not for us */
numa/a.c #include <hwloc/glibc-sched.h>
client/a.c #include "shm/slab.h"
client/slabclient.h #include "slabclient_hit.h"
client/examples/a.c #include <slabclient.h>
daemon/serve/a.c #include <event2/event.h>
daemon/pool/a.c	slab_carve_srv(view, 1);
daemon/balance/a.c #include "daemon/plan/plan.h"
daemon/plan/a.c #include <stdint.h>
daemon/admin/a.c #include "daemon/serve/server.h"
daemon/slabd.c #include "daemon/admin/http.h"
record/a.c #include "shm/atom.h"
tests/a.c #include "daemon/pool/pool.h"
EOT
finish "every include goes down the layers"
