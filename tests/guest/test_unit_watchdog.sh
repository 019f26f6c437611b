#!/bin/sh
# SPDX-License-Identifier: MIT
# shapes: systemd
# The unit's watchdog: a slabd whose loop no longer turns is ended and started
# again, on the memory that it had, and its clients go on.
. ./lib.sh
. ./unit.sh
export SLABD_SOCKET=/run/slabd/slabd.sock

working() {
	[ "$(grep -c '^working' "$dir/worker")" -ge "$1" ]
}

# Another slabd than the one that hung, and ready.
is_another() {
	[ "$(show MainPID)" != "$main" ] && is ActiveState active
}

# Sooner than the unit's minute. Nothing below minds a slabd that, on a machine as
# slow as this, was taken to hang before its time.
mkdir -p /run/systemd/system/slabd.service.d
printf '[Service]\nWatchdogSec=30s\n' \
	>/run/systemd/system/slabd.service.d/watchdog.conf
systemctl daemon-reload
configure '[slabd]\nsocket_group = orders\n[pool default]\nmax = 64M\nstart = 16M'
start_unit
equal "it has a watchdog" 30s "$(show WatchdogUSec)"
(as_orders worker) >"$dir/worker" 2>&1 &
worker=$!
within 300 working 1
result $? "a client is at work" "$dir/worker"
main=$(show MainPID)
kill -STOP "$main"
within 1200 is_another
result $? "a slabd that is stopped is started again"
[ "$(show NRestarts)" -ge 1 ]
result $? "by systemd"
kill -USR1 $worker
within 600 working 2
result $? "the client gets more of it" "$dir/worker"
kill -TERM $worker
wait $worker
status=$?
sed 's/^/# /' "$dir/worker"
result $status "nothing failed, nothing lost" "$dir/worker"
within 100 nothing_used
audit "at the end"
rm -rf /run/systemd/system/slabd.service.d
systemctl daemon-reload
finish_unit
