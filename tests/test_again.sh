#!/bin/bash
# SPDX-License-Identifier: MIT
# What ./dev check runs once more (tests/again.sh), and what it says of it.
# Prints TAP; no arguments.
srcdir=${srcdir:-$(cd "$(dirname "$0")/.." && pwd)}
out=$(mktemp -d) || exit 99
trap 'rm -rf "$out"' EXIT
logs=$out/logs
n=0
mkdir -p "$logs" "$out/x/tests/model"
# shellcheck source=tests/again.sh
. "$srcdir/tests/again.sh"

result() {
	n=$((n + 1))
	[ "$1" -eq 0 ] || printf 'not '
	echo "ok $n - $2"
	[ "$1" -eq 0 ] || sed 's/^/# /' "$out/said"
}

# trs NAME RESULT
trs() {
	echo ":test-result: $2 $1" >"$out/x/tests/$1.trs"
	echo "$2" >"$out/x/tests/$1.log"
}

# Stands for make: the tests named are well now, unless they are "bad".
again() {
	local name
	echo "$*" >"$out/said"
	for name in ${1#TESTS=}; do
		name=${name#tests/}
		[ "$name" = bad ] && return 1
		trs "$name" PASS
	done
}

trs good PASS
again_tests x again >"$out/said"
[ $? -ne 0 ] && [ ! -s "$out/said" ]
result $? "where none failed nothing is run, and the failure stays"

trs one FAIL
trs model/two ERROR
again_tests x again
result $? "two that failed, and go well"
[ "$(cat "$out/said")" = "TESTS=tests/model/two tests/one" ]
result $? "are all that is run"
[ "$(cat "$out/x/tests/one.first")" = FAIL ] &&
	[ "$(again_told x | wc -l)" = 2 ] && again_told x | grep -q tests/one.first
result $? "what failed first is kept, and said"

trs bad FAIL
again_tests x again
[ $? -ne 0 ]
result $? "one that fails again stays failed"

rm "$out/x/tests/bad."*
trs lossy FAIL
echo 'not ok 3 - after the kill: the audit agrees' >"$out/x/tests/lossy.log"
: >"$out/said"
again_tests x again
[ $? -ne 0 ] && [ ! -s "$out/said" ]
result $? "where the audit disagrees nothing is run again"
rm "$out/x/tests/lossy."*

for name in a b c d; do
	trs $name FAIL
done
: >"$out/said"
again_tests x again
[ $? -ne 0 ] && [ ! -s "$out/said" ]
result $? "many that failed are not run again"

# Stands for a machine: with no name of a test one fails, by its name as FATE is.
machine() {
	if [ $# = 1 ]; then
		printf 'ok 1 - homes: a\nnot ok 2 - balance: b\nok 3 - balance: c\n'
		return 1
	fi
	printf '%s 1 - %s: b\n' "$fate" "$2"
	[ "$fate" = ok ]
}

fate=ok
again_guest x machine four >"$out/said"
result $? "a machine in which one test failed, which goes well then"
[ "$(grep -c '^ok ' "$out/said")" = 2 ] && ! grep -q '^not ok' "$out/said" &&
	grep -q '^# first: not ok 2 - balance: b' "$out/said" &&
	grep -q '^# again: balance; guest-x.first' "$out/said"
result $? "its results are those of the second time, and that is said"
grep -q '^not ok 2' "$logs/guest-x.first"
result $? "what failed first is kept"

fate='not ok'
again_guest x machine four >"$out/said"
[ $? -ne 0 ] && [ "$(grep -c '^not ok' "$out/said")" = 1 ]
result $? "and where it fails again it has failed"

loses() { echo 'not ok 1 - death: 3 objects lost' && return 1; }
again_guest x loses four >"$out/said"
[ $? -ne 0 ] && ! grep -q again: "$out/said"
result $? "nor a machine in which an object is lost"

dies() { echo 'ok 1 - homes: a' && return 7; }
again_guest x dies four >"$out/said"
[ $? = 7 ]
result $? "a machine that dies is a failure"

echo "1..$n"
