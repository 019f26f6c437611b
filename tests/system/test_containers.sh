#!/bin/sh
# SPDX-License-Identifier: MIT
# Clients in containers, as slabd_containers(7) says: with namespaces of their own
# for users, processes and mounts, and the socket's folder passed in. slabd sees who
# they are outside, they outlive slabd, their end is seen, and what they allocate is
# not charged to them. Prints TAP; no arguments.
. "$(dirname "$0")/../lib/shell.sh"
to_show="*.out log"
socket=$here/run/slabd.sock
uid=65534
box='' group=''

at_end() {
	[ -z "$box" ] || end "$box"
	[ -z "$group" ] || rmdir "$group" 2>/dev/null
}

# client KEY: of the one that there is.
client() {
	ctl --json clients 2>/dev/null |
		jq -r ".pools[0].clients[] | select(.state == \"live\").$1"
}

there_is_none() {
	[ "$(ctl --json clients 2>/dev/null | jq '.pools[0].clients | length')" = 0 ]
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
	until_true there_is_none
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
	finish
	exit 0
}

chmod 755 "$here"
mkdir "$here/run"
configure 128M 2M "socket_mode = 0666"
start --supervise
result $? "slabd starts"

cat >"$here/inside" <<'EOT'
mount -t tmpfs none /run && mkdir /run/slabd &&
	mount --bind "$1" /run/slabd || exit
echo "uid $(id -u), pid $$"
SLABD_SOCKET=/run/slabd/slabd.sock exec "$2"
EOT
start_box "$here/box.out"
until_true working 1 "$here/box.out"
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
until_true is_another
result $? "slabd is killed, and another one goes on"
kill -USR1 "$outer"
until_true working 2 "$here/box.out"
result $? "the client in the container gets more of it"
end_box "killed"
audit "the audit agrees"

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
		until_true working $times "$here/box2.out" || break
		kill -USR1 "$(client pid)"
	done
	until_true working 9 "$here/box2.out"
	result $? "$title: a client works on, and is not killed"
	bytes=$(client bytes)
	echo "# it has $((bytes >> 20)) MiB of objects"
	[ "$bytes" -gt $((mib << 20)) ]
	result $? "$title: it has more than that of objects"
	end_box "$title"
fi
stop
result $? "slabd ends"
finish
