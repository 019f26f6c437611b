# SPDX-License-Identifier: MIT
# shellcheck shell=bash
# A few tests that failed beside others run once more with nothing of their kind
# beside them, for ./dev check: sourced, and tested by tests/test_again.sh. The
# caller has set out and logs (folders). What failed first is said, and its log
# is kept. Torture is not run again, nor where an object was lost, owned twice or
# changed, or an audit disagreed: that may take long to come back.

again_max=3 # more of them are no accident

# is_inexact LOG...: what failed is no matter of time.
is_inexact() {
	grep -qiE '^not ok.*(audit|lost|twice|own|exact|changed|orphan|swept)' \
		"$@"
}

# again_tests NAME COMMAND...: of build/NAME, by COMMAND TESTS=... Fails if one
# fails again, or if they are too many.
again_tests() {
	local name=$1 stem
	local -a stems=()
	shift
	mapfile -t stems < <(find "$out/$name/tests" -name '*.trs' -exec grep -lE \
		'^:test-result: (FAIL|XPASS|ERROR)' {} + | sed 's|\.trs$||' | sort)
	[ ${#stems[@]} -ge 1 ] && [ ${#stems[@]} -le $again_max ] || return 1
	! is_inexact "${stems[@]/%/.log}" || return 1
	for stem in "${stems[@]}"; do
		cp "$stem.log" "$stem.first"
	done
	"$@" TESTS="${stems[*]#"$out/$name/"}"
}

# The tests of build/NAME that ran again, for who reads what check prints.
again_told() {
	local first
	for first in "$out/$1/tests/"*.first "$out/$1/tests/"*/*.first; do
		[ ! -e "$first" ] ||
			echo "        again: ${first#"$out/$1/"} is what failed first"
	done
}

# again_guest SHAPE COMMAND...: a virtual machine's tests by COMMAND, which takes
# names of tests; those that failed run again in a machine of their own.
again_guest() {
	local first=$logs/guest-$1.first names status
	shift
	"$@" >"$first" 2>&1
	status=$?
	names=$(sed -n 's/^not ok [0-9]* - \([a-z_]*\): .*/\1/p' "$first" |
		sort -u | xargs)
	if [ $status = 0 ] || [ -z "$names" ] || is_inexact "$first" ||
		[ "$(wc -w <<<"$names")" -gt $again_max ]; then
		cat "$first"
		rm -f "$first"
		return $status
	fi
	sed -E "s/^((not )?ok [0-9]+ - (${names// /|}): )/# first: \1/" "$first"
	echo "# again: $names; ${first##*/} is what failed first"
	# shellcheck disable=SC2086 # words
	"$@" $names
}
