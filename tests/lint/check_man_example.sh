#!/bin/sh
# SPDX-License-Identifier: MIT
# slabclient(3), with the pages beside it, names what the header declares,
# functions, fields and constants, and nothing else, and its examples are true:
# they are built as a user would build them, and the program runs against a slabd.
. "$(dirname "$0")/lint.sh"
: "${builddir:=$PWD}"

# What is public: all but what is inline.
headers() { ls client/slabclient*.h | grep -v -e _hit -e _bulk; }

# Public functions; those that end in "_" are the header's own.
declared() {
	awk "$lint_awk"'
	{ split_line($0) }
	code ~ /^[a-z]/ && match(code, /slabd_[a-z_]*[a-z]\(/) {
		print substr(code, RSTART, RLENGTH - 1)
	}' $(headers)
}

# Fields of the public structures, without the spare ones, and constants.
described() {
	awk "$lint_awk"'
	{ split_line($0) }
	/^struct slabd_(options|stats|objpool_counts) \{/ { inside = 1 }
	/^\}/ { inside = 0 }
	inside && match(code, /[a-z_]+;/) {
		print substr(code, RSTART, RLENGTH - 1)
	}
	/^#define SLABD_[A-Z]/ { print $2 }' $(headers)
}

# differ FILE WHAT FILE WHAT
differ() {
	LC_ALL=C comm -23 "$1" "$3" |
		sed "s|^|man/slabclient.3:1: $2 but not $4: |"
}

look() {
	page=$(ls man/slabclient*.3)
	list=$samples.list
	declared | LC_ALL=C sort -u >"$list.h"
	sed -n '/^\.Sh SYNOPSIS/,/^\.Sh DESC/s/^\.F[no] \([a-z_]*\).*/\1/p' \
		$page | LC_ALL=C sort -u >"$list.fn"
	sed -n 's/^\.Nm \([a-z_]*\).*/\1/p' $page | LC_ALL=C sort -u >"$list.nm"
	differ "$list.h" "in the header" "$list.fn" "in the synopsis"
	differ "$list.fn" "in the synopsis" "$list.h" "in the header"
	differ "$list.h" "in the header" "$list.nm" "in the names"
	differ "$list.nm" "in the names" "$list.h" "in the header"
	described | LC_ALL=C sort -u >"$list.h"
	sed -n 's/^\.\(It \)\{0,1\}\(Va\|Dv\) \([A-Za-z_]*\).*/\3/p' $page |
		LC_ALL=C sort -u >"$list.va"
	differ "$list.h" "in the header" "$list.va" "in the text"
	rm -f "$list".*
}

page='.Nm slabd_open
.Sh SYNOPSIS
.Ft int
.Fn slabd_open void
.Sh DESCRIPTION
.It Va socket
.Dv SLABD_NO_HELPER'
header='#define SLABD_NO_HELPER 1u
struct slabd_options {
	const char *socket; /* where; or else */
};
int slabd_open(void);
void slabd_slow_(void);'

# pair PAGE HEADER: the sample tree.
pair() {
	echo "$1" | sample man/slabclient.3
	mkdir -p "$samples/client"
	echo "$2" >"$samples/client/slabclient.h"
}
pair "$page" "$header"
passes "a page that names all"
pair "$page" "$header
static inline void *slabd_alloc(int a)"
names "a function that the synopsis lacks" 'not in the synopsis: slabd_alloc$'
names "a function that the names lack" 'not in the names: slabd_alloc$'
pair "$page" "$(echo "$header" | grep -v open)"
names "a function that is not there" 'not in the header: slabd_open$'
pair "$(echo "$page" | grep -v socket)" "$header"
names "a field that is not described" 'not in the text: socket$'
pair "$(echo "$page" | grep -v HELPER)" "$header"
names "a constant that is not described" 'not in the text: SLABD_NO_HELPER$'

# ---- the examples ----------------------------------------------------------

# example ATTRIBUTES: the block of EXAMPLES that has just these.
example() {
	sed -n '/^\.Sh EXAMPLES/,/^\.Sh ERRORS/p' "$top/man/slabclient.3" |
		awk -v head=".Bd -literal$1" '
		/^\.Ed/ { inside = 0 }
		inside { gsub(/\\e/, "\\"); print }
		$0 == head { inside = 1 }'
}

work=$samples.work
mkdir "$work"
slabd=
trap 'kill $slabd 2>/dev/null; rm -rf "$samples" "$work"' EXIT
lib=$builddir/client/.libs
flags="-std=c11 -pedantic -Wall -Wextra -Werror -I$top/client"

run_example() {
	printf '[pool default]\npage = 4k\nstart = 2M\nmax = 4M\n' \
		>"$work/conf"
	"$builddir/daemon/slabd" --foreground --config "$work/conf" \
		--socket "$work/sock" --control "$work/ctl" \
		>"$work/log" 2>&1 &
	slabd=$!
	tries=0
	while ! grep -q ': ready' "$work/log" && [ $tries -lt 600 ]; do
		sleep 0.1
		tries=$((tries + 1))
	done
	SLABD_SOCKET=$work/sock LD_LIBRARY_PATH=$lib \
		timeout 120 "$work/program" >"$work/out" 2>&1
	status=$?
	kill "$slabd" && wait "$slabd"
	slabd=
	[ $status = 0 ] && [ "$(cat "$work/out")" = \
		"order 1: ten of the usual" ] && return
	sed 's/^/# /' "$work/out" "$work/log"
	return 1
}

if [ ! -f "$lib/libslabclient.so" ]; then
	skip "the examples" "no shared library in this build"
	finish "the page names what the header declares"
	exit
fi
example '' >"$work/program.c"
{
	printf '#include <slabclient.h>\nint rather_fail(void);\n'
	printf 'int rather_fail(void)\n{\n'
	example ' -offset indent'
	printf 'return pool != NULL;\n}\n'
} >"$work/part.c"
# shellcheck disable=SC2086
${CC:-cc} $flags -c -o "$work/part.o" "$work/part.c" >"$work/cc" 2>&1
result $? "the short example compiles"
sed 's/^/# /' "$work/cc"
# shellcheck disable=SC2086
${CC:-cc} $flags -o "$work/program" "$work/program.c" -L"$lib" -lslabclient \
	>"$work/cc" 2>&1
result $? "the example program compiles"
sed 's/^/# /' "$work/cc"
run_example
result $? "and does what it says"
finish "the page names what the header declares"
