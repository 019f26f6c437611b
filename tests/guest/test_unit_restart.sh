#!/bin/sh
# SPDX-License-Identifier: MIT
# shapes: systemd
# slabd restarted, killed and stopped by systemd, under clients at work that
# are other users: they notice nothing, and no account is off by one.
. ./lib.sh
. ./unit.sh
export SLABD_SOCKET=/run/slabd/slabd.sock

# working N: each worker's hands were full N times.
working() {
	for i in 1 2; do
		[ "$(grep -c '^working' "$dir/worker$i")" -ge "$1" ] || return 1
	done
}

# The clients' numbers and processes, as slabd has them.
clients() {
	count clients '[.pools[0].clients[] | select(.state == "live") |
		[.id, .pid]] | map(select(.[1] != '"$knocker"')) | sort'
}

connected() {
	[ "$(count clients "[.pools[0].clients[] | select(.connected and
		(.pid == $worker1 or .pid == $worker2))] | length")" = 2 ]
}

# Workers ask for more, which only a slabd that serves them can give.
grow() {
	rounds=$((rounds + 1))
	kill -USR1 "$worker1" "$worker2"
	within 600 working $rounds
	result $? "$1: the workers get more" "$dir/worker1"
}

# same WHAT: nobody was lost, and slabd is a new one.
same() {
	within 100 connected
	result $? "$1: both are connected again"
	equal "$1: the same clients" "$before" "$(clients)"
	equal "$1: what is kept is kept" "$kept" "$(show NFileDescriptorStore)"
	[ "$(show MainPID)" != "$main" ]
	result $? "$1: another slabd"
	main=$(show MainPID)
	grow "$1"
}

good='[slabd]\nsocket_group = orders\n[pool default]\nmax = 256M\nstart = 16M'
configure "$good"
start_unit
for i in 1 2; do
	as_orders worker >"$dir/worker$i" 2>&1 &
	eval "worker$i=$!"
done
rounds=1
within 300 working $rounds
result $? "two clients are at work" "$dir/worker1"
main=$(show MainPID)
knocker=0
before=$(clients)
kept=$(show NFileDescriptorStore)
echo "# $kept descriptors are kept; clients $before"
[ "$kept" -ge 8 ]
result $? "files, sockets and clients are kept"

as_orders knock >"$dir/knock" 2>&1 &
knocker=$!
within 100 grep -q knocking "$dir/knock"
for round in 1 2 3; do
	systemctl restart slabd.service >"$dir/restart" 2>&1
	result $? "restart $round" "$dir/restart"
done
kill -TERM $knocker
wait $knocker
status=$?
sed 's/^/# /' "$dir/knock"
result $status "who opened the pool meanwhile waited, and got in" "$dir/knock"
same "restarted"
equal "restarted: by systemd alone" 0 "$(show NRestarts)"

configure "$good\nmaximum = 1G"
systemctl restart slabd.service >"$dir/restart" 2>&1
result $? "restart with a mistyped configuration" "$dir/restart"
case $(show StatusText) in
*"slabd.conf has errors and is not used"*) true ;;
*) false ;;
esac
result $? "the unit's status says so"
same "mistyped"
configure "$good"
systemctl restart slabd.service >"$dir/restart" 2>&1
result $? "restart with it repaired" "$dir/restart"
case $(show StatusText) in
*errors*) false ;;
esac
result $? "and the status says no more of it"
same "repaired"

is_another() {
	[ "$(show MainPID)" != "$main" ] && is ActiveState active
}
for round in 1 2; do
	kill -KILL "$main"
	within 300 is_another
	result $? "killed: systemd starts it again"
	same "killed"
	equal "killed: counted" $round "$(show NRestarts)"
done

kill -TERM "$worker1"
wait "$worker1"
status=$?
sed 's/^/# /' "$dir/worker1"
result $status "the first ends, nothing failed, nothing lost" "$dir/worker1"
kill -STOP "$worker2"
owned=$(count clients '[.pools[0].clients[].objects] | add')
[ "$owned" -ge 3000 ]
result $? "the second owns $owned objects"
audit "while it holds them"
kill -CONT "$worker2"
kill -TERM "$worker2"
wait "$worker2"
status=$?
sed 's/^/# /' "$dir/worker2"
result $status "the second ends, nothing failed, nothing lost" "$dir/worker2"
within 100 nothing_used
result $? "nothing is left in use"
audit "at the end"

as_orders homes 256 --hold >"$dir/hold" 2>&1 &
holder=$!
within 600 grep -q holding "$dir/hold"
result $? "a client holds all there is" "$dir/hold"
systemctl stop slabd.service
result $? "stopped under it"
(as_orders homes 16) >"$dir/refused" 2>&1
[ $? -ne 0 ] && ! grep -q holding "$dir/refused"
result $? "nobody listens at the sockets" "$dir/refused"
equal "nothing is kept" 0 "$(show NFileDescriptorStore)"
kill -KILL $holder
wait $holder 2>/dev/null
within 100 hugepages_are "$(all 0)"
equal "hugepages are given back when the client is gone" "$(all 0)" \
	"$(hugepages)"
finish_unit
