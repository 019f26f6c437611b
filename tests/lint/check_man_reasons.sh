#!/bin/sh
# SPDX-License-Identifier: MIT
# slabctl(1) explains each reason of a step or a refusal, by the name that it has
# in daemon/plan/names.c, and no other.
. "$(dirname "$0")/lint.sh"

page=man/slabctl.1

# "[PLAN_SHORT] = {"short", ...", but not what stands for none.
known() {
	sed -n 's/^[ 	]*\[PLAN_[A-Z_]*\] = {"\([a-z-]*\)",.*/\1/p' \
		daemon/plan/names.c | grep -v '^unknown$' | LC_ALL=C sort
}

explained() {
	sed -n '/^\.Ss Reasons/,/^\.El/s/^\.It Li \([a-z-]*\)$/\1/p' "$page" |
		LC_ALL=C sort
}

look() {
	known >"$samples.known"
	explained >"$samples.page"
	[ -s "$samples.known" ] || echo "daemon/plan/names.c:1: no reasons"
	LC_ALL=C comm -23 "$samples.known" "$samples.page" |
		sed "s|^|$page:1: not explained: |"
	LC_ALL=C comm -13 "$samples.known" "$samples.page" |
		sed "s|^|$page:1: no reason of daemon/plan/names.c: |"
	rm -f "$samples.known" "$samples.page"
}

# pair NAMES PAGE: the sample tree.
pair() {
	printf '%s\n' "$1" | sample daemon/plan/names.c
	mkdir -p "$samples/man"
	printf '%s\n' "$2" >"$samples/$page"
}

names='	[PLAN_SHORT] = {"short", "clients lack slabs here"},
	[PLAN_AT_LIMIT] = {"at-limit",
		"the pool may have no more pages here"},
	[PLAN_NO_REASON] = {"unknown", "unknown"},'
text='.Ss Reasons
.Bl -tag
.It Li short
.It Li at-limit
.El
.It Li other'
pair "$names" "$text"
passes "a page that explains all"
pair "$names" "$(echo "$text" | grep -v at-limit)"
names "a reason that is not explained" 'not explained: at-limit$'
pair "$(echo "$names" | grep -v SHORT)" "$text"
names "a reason that is not there" 'no reason of .*: short$'
pair "" "$text"
names "a table that is not found" 'no reasons$'
finish "slabctl(1) explains every reason"
