#!/bin/sh
# SPDX-License-Identifier: MIT
# Who may look and who may change something: control_group of slabd.conf(5), with
# real users. Prints TAP; no arguments.
srcdir=${srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
builddir=${builddir:-$srcdir}
here=$(mktemp -d) || exit 99
pid=
n=0
cleanup() {
	[ -n "$pid" ] && kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
	rm -rf "$here"
}
trap cleanup EXIT
trap 'exit 99' INT TERM HUP

if [ "$(id -u)" != 0 ] || ! command -v setpriv >/dev/null; then
	echo "1..0 # SKIP to be other users takes root and setpriv"
	exit 0
fi

result() {
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		head -n 40 "$here/out" "$here/log" | sed 's/^/# /'
	fi
}

# Where another user can come to.
chmod 755 "$here"
cp "$builddir/daemon/slabctl" "$here/slabctl"
chmod 755 "$here/slabctl"
readers=$((54000 + $$ % 1000))
cat >"$here/conf" <<EOT
[slabd]
reserve_hugepages = no
control_group = $readers
[pool default]
page = 4k
max = 64M
start = 4M
EOT
"$builddir/daemon/slabd" --config "$here/conf" --socket "$here/s" \
	--control "$here/c" >"$here/log" 2>&1 &
pid=$!
tries=0
until "$here/slabctl" --control "$here/c" status >/dev/null 2>&1 ||
	[ $tries -ge 600 ]; do
	sleep 0.1
	tries=$((tries + 1))
done

"$here/slabctl" --control "$here/c" set --json >"$here/before" 2>&1

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
"$here/slabctl" --control "$here/c" set --json >"$here/out" 2>&1 &&
	[ -s "$here/before" ] && cmp -s "$here/before" "$here/out"
result $? "nothing has changed"
setpriv --reuid 65534 --regid "$readers" --clear-groups "$here/slabctl" \
	--control "$here/c" status >"$here/out" 2>&1
result $? "a reader by the first group, too"
as --clear-groups status
[ $? != 0 ] && grep -qi 'permission' "$here/out"
result $? "who is no reader does not look"
"$here/slabctl" --control "$here/c" trim >"$here/out" 2>&1
result $? "root changes something"
grep -q "$readers" "$here/conf" && "$builddir/daemon/slabd" --config \
	"$here/conf" --check-config >"$here/out" 2>&1 &&
	grep -q "control_group = $readers" "$here/out"
result $? "the configuration as it would be used has the group"
echo "1..$n"
