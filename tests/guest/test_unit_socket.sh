#!/bin/sh
# SPDX-License-Identifier: MIT
# shapes: systemd
# slabd.socket: the first client starts slabd and waits for it, who is not in the
# group starts nothing; the socket outlives slabd, and ends a slabd that can't start.
. ./lib.sh
. ./unit.sh
socket=/run/slabd/slabd.sock
export SLABD_SOCKET=$socket

systemd-sysusers >"$dir/sysusers" 2>&1
result $? "sysusers.d is read" "$dir/sysusers"
gid=$(sed -n 's/^slabd:[^:]*:\([0-9]*\):.*/\1/p' /etc/group)
[ -n "$gid" ]
result $? "there is a group slabd"
systemd-tmpfiles --create --prefix=/run/slabd >"$dir/tmpfiles" 2>&1
result $? "tmpfiles.d is read" "$dir/tmpfiles"
equal "the sockets' folder is there" 'root:root 755' \
	"$(stat -c '%U:%G %a' /run/slabd)"
systemd-analyze verify --man=no "$(systemctl show -P FragmentPath \
	slabd.socket)" >"$dir/verify" 2>&1
result $? "systemd-analyze verify" "$dir/verify"
equal "and has nothing to say" '' "$(cat "$dir/verify")"

# as_member COMMAND...: as a user of the group slabd.
as_member() {
	exec setpriv --reuid=1500 --regid=1500 --groups="$gid" "$@"
}

# member_knocks NAME: a client that waits as long as a slow machine takes.
member_knocks() {
	as_member knock >"$dir/knock" 2>&1 &
	knocker=$!
	within 300 is ActiveState active
	result $? "$1: slabd is started" "$dir/knock"
	within 300 served
	result $? "$1: and it is served"
	kill -TERM $knocker
	wait $knocker
	status=$?
	sed 's/^/# /' "$dir/knock"
	result $status "$1: who waited for it got in" "$dir/knock"
}

# The journal tells of a client's end.
served() {
	journal
	grep -q "(knock, pid $knocker)" "$dir/journal"
}

socket_is() {
	[ "$(systemctl show -P ActiveState slabd.socket)" = "$1" ]
}

configure '[balance]\nenabled = no\n[pool default]\nmax = 64M\nstart = 16M'
systemctl start slabd.socket >"$dir/start" 2>&1
result $? "systemctl start slabd.socket" "$dir/start"
equal "the socket is the group's" 'root:slabd 660' \
	"$(stat -c '%U:%G %a' $socket)"
(exec setpriv --reuid=1501 --regid=1501 --clear-groups homes 64) \
	>"$dir/stranger" 2>&1
equal "another user is kept out" 1 $?
equal "and starts nothing" inactive "$(show ActiveState)"
member_knocks "the first"
journal
grep -q "clients at $socket, slabctl at" "$dir/journal"
result $? "the journal says where" "$dir/journal"
equal "mode and group are still the unit's" 'root:slabd 660' \
	"$(stat -c '%U:%G %a' $socket)"
(as_member homes 64) >"$dir/homes" 2>&1
result $? "a client of that group fills the pool" "$dir/homes"
audit "with clients gone"

(as_member worker) >"$dir/worker" 2>&1 &
worker=$!
within 300 grep -q '^working' "$dir/worker"
result $? "a client is at work" "$dir/worker"
main=$(show MainPID)
systemctl restart slabd.service >"$dir/restart" 2>&1
result $? "restarted under it" "$dir/restart"
[ "$(show MainPID)" != "$main" ]
result $? "another slabd"
kill -USR1 $worker
more() {
	[ "$(grep -c '^working' "$dir/worker")" -ge 2 ]
}
within 600 more
result $? "which gives it more" "$dir/worker"

kill -TERM $worker
wait $worker
status=$?
sed 's/^/# /' "$dir/worker"
result $status "nothing failed, nothing lost" "$dir/worker"

systemctl stop slabd.service >"$dir/stop" 2>&1
equal "slabd is stopped, its socket is not" 'inactive active' \
	"$(show ActiveState) $(systemctl show -P ActiveState slabd.socket)"
[ -S $socket ]
result $? "the socket's file is there"
member_knocks "after a stop"
systemctl stop slabd.service slabd.socket >"$dir/stop" 2>&1
[ ! -e $socket ]
result $? "with the socket stopped its file is gone"

configure '[pool default]\nmax = much'
systemctl reset-failed slabd.service 2>/dev/null
systemctl start slabd.socket
as_member knock >"$dir/knock" 2>&1 &
knocker=$!
within 600 socket_is failed
result $? "a slabd that can't start is given up, not tried without end"
equal "for that reason" trigger-limit-hit \
	"$(systemctl show -P Result slabd.socket)"
kill -TERM $knocker
wait $knocker
journal
grep -q "slabd.conf:[0-9]*:.*max" "$dir/journal"
result $? "and the journal says what is wrong" "$dir/journal"
systemctl reset-failed slabd.socket
finish_unit
