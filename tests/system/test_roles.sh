#!/bin/sh
# SPDX-License-Identifier: MIT
# Who may look and who may change something: control_group of slabd.conf(5), with
# real users. Prints TAP; no arguments.
. "$(dirname "$0")/../lib/shell.sh"
to_show="out log"

[ "$(id -u)" = 0 ] && command -v setpriv >/dev/null ||
	skip_all "to be other users takes root and setpriv"

# Where another user can come to.
chmod 755 "$here"
cp "$builddir/daemon/slabctl" "$here/slabctl"
chmod 755 "$here/slabctl"
readers=$((54000 + $$ % 1000))
configure 64M 4M "control_group = $readers"
start

ctl set --json >"$here/before" 2>&1

# as GROUPS ARGUMENTS: slabctl as a user of no rights with those groups.
as() {
	groups=$1
	shift
	setpriv --reuid 65534 --regid 65534 $groups "$here/slabctl" \
		--control "$here/c" "$@" >"$here/out" 2>&1
}

as "--groups $readers" status
result $? "a reader looks at the state"
as "--groups $readers" nodes --json
result $? "and at the nodes"
as "--groups $readers" clients
result $? "and at the clients"
for change in "trim" "set hold 2s" "drain 0" "evict 1" "lend none 0 0 1"; do
	as "--groups $readers" $change
	[ $? = 1 ] && grep -q 'you may look, and change nothing' "$here/out" &&
		grep -q 'control_group' "$here/out"
	result $? "but not: $change"
done
ctl set --json >"$here/out" 2>&1 &&
	[ -s "$here/before" ] && cmp -s "$here/before" "$here/out"
result $? "nothing has changed"
setpriv --reuid 65534 --regid "$readers" --clear-groups "$here/slabctl" \
	--control "$here/c" status >"$here/out" 2>&1
result $? "a reader by the first group, too"
as --clear-groups status
[ $? != 0 ] && grep -qi 'permission' "$here/out"
result $? "who is no reader does not look"
ctl trim >"$here/out" 2>&1
result $? "root changes something"
grep -q "$readers" "$here/conf" && "$builddir/daemon/slabd" --config \
	"$here/conf" --check-config >"$here/out" 2>&1 &&
	grep -q "control_group = $readers" "$here/out"
result $? "the configuration as it would be used has the group"
finish
