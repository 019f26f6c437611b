#!/bin/sh
# SPDX-License-Identifier: MIT
# What watches a program's memory sees what it does wrong with objects, and
# nothing where it does nothing wrong: the sanitizers of gcc and clang, and
# valgrind. Prints TAP; no arguments.
. "$(dirname "$0")/../lib/shell.sh"
needs_library "the library has a sanitizer of its own in this build"

configure 16M 16M
start
use_library
# The runtimes' own choices, and the address space as it was of old.
unset SLABD_WATCH ASAN_OPTIONS LSAN_OPTIONS MSAN_OPTIONS TSAN_OPTIONS UBSAN_OPTIONS
old=
setarch -R true 2>/dev/null && old='setarch -R'

# build CC FLAGS...: the program, and its part without them. Its status.
build() {
	cc=$1
	shift
	"$cc" -O1 -g -I"$srcdir/client" -DPART -c "$srcdir/tests/system/watched.c" \
		-o "$here/part.o" &&
		"$cc" -O1 -g -fno-omit-frame-pointer -I"$srcdir/client" "$@" \
			"$srcdir/tests/system/watched.c" "$here/part.o" \
			-o "$here/watched" -L"$lib" -lslabclient -pthread
}

# works CC FLAG: whether the compiler has that runtime, and it runs here.
works() {
	command -v "$1" >/dev/null 2>&1 || return
	echo 'int main(void) { return 0; }' >"$here/none.c"
	"$1" "$2" -o "$here/none" "$here/none.c" 2>/dev/null &&
		$old "$here/none" >/dev/null 2>&1
}

# quiet TOOL ACT COMMAND...: it ends well, and nothing is said of it.
quiet() {
	tool=$1 act=$2
	shift 2
	timeout 120 "$@" "$here/watched" "$act" >"$here/out" 2>&1
	status=$?
	[ $status = 0 ] && [ ! -s "$here/out" ]
	result $? "$tool: nothing is said of $act"
}

# seen TOOL ACT PATTERN COMMAND...: what is said of it has that.
seen() {
	tool=$1 act=$2 pattern=$3
	shift 3
	timeout 120 "$@" "$here/watched" "$act" >"$here/out" 2>&1
	grep -qE "$pattern" "$here/out"
	result $? "$tool: $act is seen"
}

# with CC FLAG ACTS-AND-PATTERNS...: "=" for nothing said.
with() {
	cc=$1 flag=$2 tool="$1 $2"
	shift 2
	if ! works "$cc" "$flag"; then
		skip "$tool" "$cc has no such runtime here"
		return
	fi
	build "$cc" "$flag" >"$here/out" 2>&1
	result $? "$tool: builds"
	for act in "$@"; do
		pattern=${act#*:}
		act=${act%%:*}
		if [ "$pattern" = = ]; then
			quiet "$tool" "$act" $old
		else
			seen "$tool" "$act" "$pattern" $old
		fi
	done
}

for cc in gcc clang; do
	with $cc -fsanitize=address good:= kept:= \
		freed:use-after-poison.*watched flushed:use-after-poison \
		beyond:use-after-poison next:use-after-poison \
		lost:LeakSanitizer
	with $cc -fsanitize=thread good:= at-once:'data race'
done
with clang -fsanitize=memory good:= \
	undefined:use-of-uninitialized-value freed:use-of-uninitialized-value
with gcc -fsanitize=leak good:= kept:=

if command -v valgrind >/dev/null 2>&1; then
	build gcc >"$here/out" 2>&1
	result $? "memcheck: builds"
	check='valgrind -q --leak-check=full --show-leak-kinds=definite'
	for act in good kept; do
		quiet memcheck $act $check
	done
	seen memcheck all 'Invalid read' $check
	for where in use_freed use_flushed use_beyond use_next use_undefined; do
		grep -qE "(at|by) 0x.*: $where \\(" "$here/out"
		result $? "memcheck: it is seen in $where"
	done
	seen memcheck lost 'definitely lost' $check
else
	skip memcheck "valgrind is not installed"
fi
finish
