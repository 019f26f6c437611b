# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2154
# What the tests of slabd's unit share; sourced by them after lib.sh.
config=${config-/usr/local/etc/slabd/slabd.conf}
[ ! -e "$config" ] || cp "$config" "$dir/installed.conf"
grep -q '^orders:' /etc/passwd || {
	echo 'orders:x:1500:1500::/:/bin/sh' >>/etc/passwd
	echo 'orders:x:1500:' >>/etc/group
}

# configure LINES
configure() {
	printf '%b\n' "$1" >$config
}

# show PROPERTY: of the unit.
show() {
	systemctl show -P "$1" slabd.service
}

is() {
	[ "$(show "$1")" = "$2" ]
}

journal() {
	journalctl -q -u slabd.service -o cat >"$dir/journal" 2>&1
}

# as_orders COMMAND...: as a user who may use the pool, and nothing else.
as_orders() {
	exec setpriv --reuid=1500 --regid=1500 --clear-groups "$@"
}

start_unit() {
	systemctl start slabd.service >"$dir/start" 2>&1
	started=$?
	journal
	result $started "systemctl start" "$dir/journal"
}

# What the next test finds is what make install left.
finish_unit() {
	systemctl stop slabd.service >"$dir/stop" 2>&1
	systemctl reset-failed slabd.service 2>/dev/null
	cp "$dir/installed.conf" $config
	finish
}
