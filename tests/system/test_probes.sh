#!/bin/sh
# SPDX-License-Identifier: MIT
# Static probes: those of slabd_probes(7) are in the library and in slabd, no others
# are, and a tracer that attaches to one sees what was done. Prints TAP; no arguments.
. "$(dirname "$0")/../lib/shell.sh"
needs_library "a library with a sanitizer goes with few programs"

for tool in gdb readelf; do
	command -v $tool >/dev/null || skip_all "$tool is not installed"
done
echo '#include <sys/sdt.h>' | ${CC:-cc} -E -x c - >/dev/null 2>&1 ||
	skip_all "systemtap-sdt-dev is not installed"

# probes FILE: its probes, by name, with the number of their arguments.
probes() {
	readelf -n "$1" | awk '
	/Provider:/ { ours = $2 == "slabd" }
	ours && /Name:/ { name = $2 }
	ours && /Arguments:/ { print name, NF - 1 }' | sort -u
}

# documented SECTION: those of the manual that follow "In SECTION".
documented() {
	awk -v of="$1" '
	/^In / { here = index($0, "In " of) == 1 }
	here && /^[.]It Fn/ { print $3, NF - 3 }
	' "$srcdir/man/slabd_probes.7" | sort
}

# alike FILE SECTION: the same in both.
alike() {
	probes "$1" >"$here/have"
	documented "$2" >"$here/told"
	diff "$here/told" "$here/have" >"$here/out" 2>&1 && [ -s "$here/have" ]
}

alike "$lib/libslabclient.so" libslabclient
result $? "the library's probes are those of the manual"
alike "$builddir/daemon/slabd" slabd
result $? "slabd's probes are those of the manual"

configure 64M 4M
start
use_library

mkdir "$here/include" && cp "$srcdir"/client/slabclient*.h "$here/include"
cat >"$here/worker.c" <<'EOT'
#include <slabclient.h>
int main(void)
{
	slabd_pool *pool = slabd_open(NULL, NULL);
	slabd_cache *cache =
		pool != NULL ? slabd_cache_create(pool, "traced", 96, 0, 0)
			     : NULL;
	void *object = cache != NULL ? slabd_alloc(cache) : NULL;
	if (object == NULL)
		return 1;
	slabd_free(cache, object);
	return slabd_close(pool) != 0;
}
EOT
${CC:-cc} -I"$here/include" -o "$here/worker" "$here/worker.c" -L"$lib" \
	-lslabclient >"$here/out" 2>&1
result $? "a worker is built"

cat >"$here/commands" <<'EOT'
set breakpoint pending on
set debuginfod enabled off
break -probe-stap slabd:refill
commands
silent
printf "refill %s %d of %d\n", (char *)$_probe_arg1, (int)$_probe_arg2, (int)$_probe_arg3
continue
end
break -probe-stap slabd:flush
commands
silent
printf "flush %d refused %d\n", (int)$_probe_arg1, (int)$_probe_arg2
continue
end
run
EOT
timeout 120 gdb -nx -batch -x "$here/commands" "$here/worker" \
	>"$here/out" 2>&1 </dev/null
grep -Eq '^refill traced [1-9][0-9]* of 96$' "$here/out"
result $? "a tracer sees the refill: the cache, how many, of which size"
refilled=$(sed -n 's/^refill traced \([0-9]*\) of 96$/\1/p' "$here/out" |
	awk '{ n += $1 } END { print n + 0 }')
flushed=$(sed -n 's/^flush \([0-9]*\) refused 0$/\1/p' "$here/out" |
	awk '{ n += $1 } END { print n + 0 }')
[ "$refilled" = "$flushed" ]
result $? "and that as many go home as came"
grep -q 'exited normally' "$here/out"
result $? "the worker ends well under it"
audit "slabd's audit finds all in order"
finish
