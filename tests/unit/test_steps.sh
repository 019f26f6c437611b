#!/bin/bash
# SPDX-License-Identifier: MIT
# The steps of ./dev check (tests/lib/steps.sh): their order, what is left out after
# a failure, and what is counted; and where ./dev can build nothing. Prints TAP; no
# arguments.
srcdir=${srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
dir=$(mktemp -d) || exit 99
trap 'rm -rf "$dir"' EXIT
n=0

result() {
	n=$((n + 1))
	[ "$1" -eq 0 ] || printf 'not '
	echo "ok $n - $2"
	[ "$1" -eq 0 ] || sed 's/^/# /' "$dir/out"
}

shows() {
	grep -q -e "$1" "$dir/out"
	result $? "$2"
}

note() { echo "$1" >>"$dir/order"; }
wait_for() {
	local i
	for ((i = 0; i < 1200; i++)); do
		! grep -qx "$1" "$dir/order" || return 0
		sleep 0.1
	done
	return 1
}
# good NAME [FIRST]: after FIRST has been noted.
good() { { [ -z "${2-}" ] || wait_for "$2"; } && note "$1"; }
bad() { note "$1" && echo "x.c:1: error: no" && return 3; }
mixed() { printf 'ok 1 - a\nok 2 - b # SKIP none here\nnot ok 3 - c\n# why\n'; }
bails() { printf 'ok 1 - a\nBail out! gone\n' && return 99; }
silent() { :; }
signalled() { kill -KILL $BASHPID; }
outright() { kill -KILL 0; }

# run: runs what was planned; its closing counts.
run() {
	logs=$dir began=$SECONDS
	: >"$dir/order"
	run_plan >"$dir/out" 2>&1
	echo "$passed passed, $failed failed, $skipped skipped" >>"$dir/out"
}

# shellcheck source=tests/lib/steps.sh
. "$srcdir/tests/lib/steps.sh"

# b2 can only end when a1 has begun: two go side by side.
(
	cpus=2
	plan b1 1 - step "first build" good b1
	plan b2 1 - step "second build" good b2 a1
	plan a1 1 b1 step "first tests" good a1
	plan a2 1 b2 step "second tests" good a2
	run
)
[ "$(tr '\n' ' ' <"$dir/order")" = "b1 a1 b2 a2 " ]
result $? "a step waits for a CPU and for what it needs, and for no more"
shows '^4 passed, 0 failed, 0 skipped$' "each step counts once"

# takes N: notes that N CPUs are taken, and that they are free again.
takes() { note "+$1" && sleep 0.1 && note "-$1"; }
(
	cpus=3
	for i in 1 2 3 4; do
		plan "one$i" 1 - step "one" takes 1
		plan "two$i" 2 - step "two" takes 2
	done
	plan all 9 - step "more than there are" takes 3
	run
)
awk '{ n += $1; if (n > most) most = n } END { exit !(most == 3 && n == 0) }' \
	"$dir/order"
result $? "all CPUs are taken, and never more"
shows '^9 passed, 0 failed, 0 skipped$' "also by a step that wants more"

cpus=2
(
	plan b1 1 - step "the build" bad b1
	plan b2 1 - step "another build" good b2
	plan a1 1 b1,b2 step "its tests" good a1
	plan a2 1 a1 step "what needs these" good a2
	plan a3 1 b2 step "the other's tests" good a3
	run
)
shows '^2 passed, 1 failed, 0 skipped$' "one failure, and the rest goes on"
shows 'the build .*FAILED' "it is named"
shows 'x.c:1: error: no' "its error is shown"
! grep -q 'a[12]' "$dir/order"
result $? "what needs it is not run"
shows 'its tests .*not run' "which is said"
shows 'what needs these .*not run' "also of what needs that"

(
	plan t1 1 - tap "some of each" mixed
	run
)
shows '^1 passed, 1 failed, 1 skipped$' "TAP is counted by its lines"
shows '^# why$' "why a test failed is shown"
(
	plan t1 1 - tap "bails" bails
	plan t2 1 - tap "silent" silent
	plan t3 1 - tap "signalled" signalled
	run
)
shows '^1 passed, 3 failed, 0 skipped$' \
	"a bad end, or no test at all, is a failure"
(
	skip_step s "no tool" "it is not here" >"$dir/skip"
	plan t1 1 - step "signalled" signalled
	plan t2 1 - step "killed, and all that it had" outright
	run
)
shows '^0 passed, 2 failed, 1 skipped$' "a step that a signal ended has failed"

# Told to end, it ends what runs.
forever() { echo $BASHPID >"$dir/pid" && note began && sleep 100; }
# Not emptied later: it may have begun by then.
: >"$dir/order"
(
	plan f 1 - step "for ever" forever
	run
) &
wait_for began && kill -TERM $!
wait $!
[ $? = 130 ] && wait_gone=1
for ((i = 0; i < 600; i++)); do
	kill -0 "$(cat "$dir/pid")" 2>/dev/null || break
	sleep 0.1
done
[ "${wait_gone-}" = 1 ] && [ $i -lt 600 ]
result $? "on SIGTERM it ends with 130, and so do its steps"

# ./dev says first what would end a build later, and why.
refuses() {
	mkdir "$dir/$1" && cp "$srcdir/dev" "$dir/$1/dev" || exit 99
	[ -z "${3-}" ] || : >"$dir/$1/build"
	"$dir/$1/dev" demo >"$dir/out" 2>&1
	[ $? = 2 ] && [ "$(wc -l <"$dir/out")" = 1 ] && grep -q "$2" "$dir/out"
	result $? "./dev in a folder called '$1': $2"
}
refuses "a tree" "no path with a blank"
refuses "a\$tree" "no path with a blank"
refuses tree "tree/build can't be written" taken
echo "1..$n"
