#!/bin/sh
# SPDX-License-Identifier: MIT
# Clients in containers, as slabd_containers(7) says: with namespaces of their own
# for users, processes and mounts, and the socket's folder passed in. slabd sees who
# they are outside, they outlive slabd, their end is seen, and what they allocate is
# not charged to them. Prints TAP; no arguments.
builddir=${builddir:-.}
here=$(mktemp -d "${TMPDIR:-/tmp}/slabd-containers.XXXXXX") || exit 99
uid=65534
pid='' box='' group=''
n=0

cleanup() {
	for p in $box $pid; do
		kill "$p" 2>/dev/null && wait "$p" 2>/dev/null
	done
	[ -z "$group" ] || rmdir "$group" 2>/dev/null
	rm -rf "$here"
}
trap cleanup EXIT
trap 'exit 99' INT TERM HUP

result() {
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
	else
		echo "not ok $n - $2"
		tail -n 20 "$here"/*.out "$here/log" | sed 's/^/# /'
	fi
}

skip() {
	n=$((n + 1))
	echo "ok $n - $1 # SKIP $2"
}

equal() { # TITLE WANT GOT
	[ "$2" = "$3" ]
	result $? "$1"
	[ "$2" = "$3" ] || echo "# wanted \"$2\", got \"$3\""
}

# until_so COMMAND...: three minutes at the most.
until_so() {
	i=0
	until "$@"; do
		i=$((i + 1))
		[ $i -lt 1800 ] || return 1
		sleep 0.1
	done
}

ctl() {
	"$builddir/daemon/slabctl" --control "$here/control.sock" "$@"
}

# client KEY: of the one that there is.
client() {
	ctl --json clients 2>/dev/null |
		jq -r ".pools[0].clients[] | select(.state == \"live\").$1"
}

there_is_none() {
	[ "$(ctl --json clients 2>/dev/null | jq '.pools[0].clients | length')" = 0 ]
}

answers() {
	ctl status >"$here/status.out" 2>&1
}

working() { # TIMES FILE
	[ "$(grep -c '^working' "$2")" -ge "$1" ]
}

# contained COMMAND...: by a user without rights, as root of namespaces of its own;
# in the control group, where there is one.
contained() {
	sh -c 'group=$1 uid=$2
		shift 2
		[ -z "$group" ] || echo $$ >"$group/cgroup.procs" || exit
		exec setpriv --reuid="$uid" --regid="$uid" --clear-groups \
			unshare --user --map-root-user --mount --pid --fork \
			--mount-proc --kill-child "$@"' sh "$group" $uid "$@"
}

# box FILE: starts a container with a client, in which /run has nothing but the
# folder that is passed in.
start_box() {
	contained sh "$here/inside" "$here/run" "$worker" >"$1" 2>&1 &
	box=$!
}

end_box() {
	kill -KILL "$(client pid)"
	wait $box
	box=
	until_so there_is_none
	result $? "$1: its end is seen, and what it had comes back"
}

worker=$(realpath "$builddir")/tests/guest/worker
if [ "$(id -u)" != 0 ]; then
	skip "containers" "takes root, to be another user"
elif ! contained true 2>/dev/null; then
	skip "containers" "no namespaces for users here"
elif ! contained test -x "$worker"; then
	skip "containers" "others can't read $worker"
fi
[ $n = 0 ] || {
	echo "1..$n"
	exit 0
}

chmod 755 "$here"
mkdir "$here/run"
cat >"$here/conf" <<EOT
[slabd]
socket = $here/run/slabd.sock
control = $here/control.sock
socket_mode = 0666
reserve_hugepages = no
[pool default]
page = 4k
max = 128M
start = 2M
EOT
"$builddir/daemon/slabd" --supervise --config "$here/conf" \
	>"$here/log" 2>&1 &
pid=$!
until_so answers
result $? "slabd starts"

cat >"$here/inside" <<'EOT'
mount -t tmpfs none /run && mkdir /run/slabd &&
	mount --bind "$1" /run/slabd || exit
echo "uid $(id -u), pid $$"
SLABD_SOCKET=/run/slabd/slabd.sock exec "$2"
EOT
start_box "$here/box.out"
until_so working 1 "$here/box.out"
result $? "a client in a container is at work"
equal "inside it is root, and the first process" "uid 0, pid 1" \
	"$(head -n 1 "$here/box.out")"
equal "outside it is the user who began it" $uid "$(client uid)"
outer=$(client pid)
equal "by its process outside" "0 1" "$(awk '/^NSpid:/ { print ($2 != '"$outer"'), $3 }' \
	"/proc/$outer/status")"

slabd=$(ctl --json status | jq .pid)
kill -KILL "$slabd"
is_another() {
	now=$(ctl --json status 2>/dev/null | jq .pid)
	[ -n "$now" ] && [ "$now" != "$slabd" ]
}
until_so is_another
result $? "slabd is killed, and another one goes on"
kill -USR1 "$outer"
until_so working 2 "$here/box.out"
result $? "the client in the container gets more of it"
end_box "killed"
ctl audit >"$here/audit.out" 2>&1
result $? "the audit agrees"

# A limit of memory of the container alone, by whichever control groups there are.
mib=16
if [ -f /sys/fs/cgroup/cgroup.controllers ]; then
	limited=/sys/fs/cgroup/slabd-test-$$ limit=memory.max
else
	limited=/sys/fs/cgroup/memory/slabd-test-$$
	limit=memory.limit_in_bytes
fi
title="a container with a limit of $mib MiB"
if [ -n "${SLABD_SANITIZER-}" ]; then
	skip "$title" "a sanitizer's own memory is more than that"
elif ! mkdir "$limited" 2>/dev/null; then
	skip "$title" "no control group can be made"
elif ! echo $((mib << 20)) 2>/dev/null >"$limited/$limit"; then
	rmdir "$limited"
	skip "$title" "no control group of memory can be made"
else
	group=$limited
	start_box "$here/box2.out"
	for times in 1 2 3 4 5 6 7 8; do
		until_so working $times "$here/box2.out" || break
		kill -USR1 "$(client pid)"
	done
	until_so working 9 "$here/box2.out"
	result $? "$title: a client works on, and is not killed"
	bytes=$(client bytes)
	echo "# it has $((bytes >> 20)) MiB of objects"
	[ "$bytes" -gt $((mib << 20)) ]
	result $? "$title: it has more than that of objects"
	end_box "$title"
fi
kill -TERM $pid
wait $pid
status=$?
pid=
result $status "slabd ends"
echo "1..$n"
