#!/bin/sh
# SPDX-License-Identifier: MIT
# shapes: package
# The Debian packages under the real systemd: installed, upgraded while clients
# work, removed under one that holds memory, and purged, which leaves nothing.
. ./lib.sh
config=/etc/slabd/slabd.conf.d/50-guest.conf
. ./unit.sh
export SLABD_SOCKET=/run/slabd/slabd.sock DEBIAN_FRONTEND=noninteractive
all='slabd slabctl libslabclient0 libslabclient-dev'

files() {
	packages/shown.sh /guest '/var/lib/systemd/[!d]*'
}

# of PACKAGE: what dpkg has of it: "installed 0.1.0-1".
of() {
	dpkg-query -W -f '${db:Status-Status} ${Version}' "$1" 2>/dev/null
}

install() {
	dpkg -i "$@" >"$dir/dpkg" 2>&1
}

connected() {
	[ "$(count clients '[.pools[0].clients[] | select(.connected)] |
		length')" = "$1" ]
}

working() {
	[ "$(grep -c '^working' "$dir/worker")" -ge "$1" ]
}

# grow N: the worker asks for more, which only a slabd that serves it can give.
grow() {
	kill -USR1 "$worker"
	within 600 working "$1"
	result $? "the worker gets more from it" "$dir/worker"
}

# What the worker owns, while it stands.
owned() {
	count clients '[.pools[0].clients[] | select(.pid == '"$worker"') |
		[.id, .objects]]'
}

# ---- installed -------------------------------------------------------------------
files >"$dir/files.before"
equal "no hugepages at first" "$(all 0)" "$(hugepages)"
install packages/*.deb
result $? "the packages are installed" "$dir/dpkg"
case $(of slabd) in "installed 0."*) true ;; *) false ;; esac
result $? "as dpkg says, $(of slabd)"
equal "the service is enabled and runs" 'enabled active' \
	"$(systemctl is-enabled slabd.service) $(show ActiveState)"
equal "from the package's unit" /lib/systemd/system/slabd.service \
	"$(show FragmentPath | sed 's,^/usr,,')"
equal "the socket is neither" 'disabled inactive' \
	"$(systemctl is-enabled slabd.socket) $(systemctl is-active slabd.socket)"
answers
result $? "it answers as soon as dpkg is done" "$dir/status"
getent group slabd >"$dir/group"
result $? "sysusers.d has made the group slabd"
! getent passwd slabd >"$dir/passwd"
result $? "and no user"
journalctl -q -u slabd.service -o cat >"$dir/journal" 2>&1
! grep -i -e error -e fail "$dir/journal" >"$dir/errors"
result $? "nothing is wrong in the journal" "$dir/errors"
audit "as installed"

mkdir -p "${config%/*}"
configure '[slabd]\nsocket_group = slabd\n[balance]\nenabled = no\n[pool default]\nmax = 64M\nstart = 16M'
systemctl stop slabd.service
within 50 hugepages_are "$(all 0)"
result $? "stopped, hugepages are given back"
systemctl start slabd.service
result $? "started, with a drop-in"
equal "hugepages are the pool's" "$(all 8)" "$(hugepages)"
equal "backed by them" '["2m"]' \
	"$(count nodes '[.pools[0].nodes[].backing] | unique')"

# What autopkgtest would start.
sh packages/installed >"$dir/installed" 2>&1
result $? "what debian/tests has passes, under systemd" "$dir/installed"

# ---- upgraded under a client -----------------------------------------------------
start_unit
slabd_gid=$(getent group slabd | cut -d : -f 3)
(exec setpriv --reuid=1500 --regid=1500 --groups="$slabd_gid" worker) \
	>"$dir/worker" 2>&1 &
worker=$!
within 300 working 1
result $? "a client of the group slabd is at work" "$dir/worker"
main=$(show MainPID)
was=$(of slabd)
kill -STOP "$worker"
before=$(owned)
echo "# client and objects: $before"
install packages/again/*.deb
result $? "a later revision is installed" "$dir/dpkg"
equal "of all packages" "$was+again" "$(of slabd)"
[ "$(show MainPID)" != "$main" ] && is ActiveState active
result $? "slabd is another process, and active"
main=$(show MainPID)
equal "of the program that is installed now" /usr/sbin/slabd \
	"$(readlink "/proc/$main/exe")"
within 100 connected 1
result $? "the client is connected"
equal "and owns what it had" "$before" "$(owned)"
audit "upgraded"
kill -CONT "$worker"
grow 2
slabctl upgrade --check >"$dir/check" 2>&1
result $? "the installed slabd takes the memory over" "$dir/check"

echo "# and to a slabd that does not run"
kill -STOP "$worker"
before=$(owned)
install packages/broken/slabd_*.deb
result $? "its package is installed" "$dir/dpkg"
grep -q 'the slabd of before goes on' "$dir/dpkg"
result $? "which says that the slabd of before goes on" "$dir/dpkg"
equal "and so it does" "$main active" "$(show MainPID) $(show ActiveState)"
! slabctl upgrade --check >"$dir/check" 2>&1
result $? "slabctl says that a restart would not do" "$dir/check"
sed 's/^/# /' "$dir/check"
equal "the client owns what it had" "$before" "$(owned)"
kill -CONT "$worker"
grow 3
install packages/again/slabd_*.deb
result $? "a good one again" "$dir/dpkg"
[ "$(show MainPID)" != "$main" ] && is ActiveState active
result $? "is another process, and active"
main=$(show MainPID)
within 100 connected 1
grow 4

echo "# and to a slabd whose memory has another layout"
kill -STOP "$worker"
before=$(owned)
install packages/other/slabd_*.deb
result $? "its package is installed" "$dir/dpkg"
grep -q 'the slabd of before goes on' "$dir/dpkg"
result $? "which says that the slabd of before goes on" "$dir/dpkg"
equal "and so it does" "$main active" "$(show MainPID) $(show ActiveState)"
! slabctl upgrade --check >"$dir/check" 2>&1 &&
	grep -q 'layout is version .* and this slabd knows' "$dir/check"
result $? "slabctl says why a restart would not do" "$dir/check"
sed 's/^/# /' "$dir/check"
audit "it goes on"
systemctl restart slabd.service
result $? "restarted all the same"
[ "$(show MainPID)" != "$main" ] && is ActiveState active
result $? "it is another process, and active"
main=$(show MainPID)
journalctl -q -u slabd.service -o cat _PID="$main" >"$dir/journal" 2>&1
grep -q "can't take over .*layout is version .*; nothing was touched" \
	"$dir/journal"
result $? "it says that it leaves the memory as it is, and why" "$dir/journal"
equal "it has no pool" 0 "$(count status '.pools | length')"
install packages/again/slabd_*.deb
result $? "a good one again" "$dir/dpkg"
[ "$(show MainPID)" != "$main" ] && is ActiveState active
result $? "is another process, and active"
equal "the client owns what it had" "$before" "$(owned)"
audit "taken over by one that knows it"
# Its connection was closed meanwhile: it comes back by itself.
kill -CONT "$worker"
within 300 connected 1
result $? "the client is connected"
grow 5
kill -TERM "$worker"
wait "$worker"
status=$?
sed 's/^/# /' "$dir/worker"
result $status "the client ends, nothing failed, nothing lost" "$dir/worker"
within 100 nothing_used
result $? "nothing is left in use"
audit "with clients gone"

# ---- removed under one that holds memory ------------------------------------------
# Of a new pool, in which no other cache has a slab.
systemctl stop slabd.service
systemctl start slabd.service
result $? "a new pool"
(exec setpriv --reuid=1500 --regid=1500 --groups="$slabd_gid" \
	homes 64 --hold) >"$dir/hold" 2>&1 &
holder=$!
within 600 grep -q holding "$dir/hold"
result $? "a client holds all there is" "$dir/hold"
main=$(show MainPID)
# shellcheck disable=SC2086
dpkg -r $all >"$dir/dpkg" 2>&1
result $? "the packages are removed" "$dir/dpkg"
[ ! -e "/proc/$main" ]
result $? "slabd has ended"
equal "and its unit is gone" 'not-found inactive' \
	"$(show LoadState) $(show ActiveState)"
for file in /etc/slabd/slabd.conf "$config"; do
	[ -e "$file" ]
	result $? "$file stays"
done
kill -TERM $holder
wait $holder
status=$?
sed 's/^/# /' "$dir/hold"
result $status "the client's objects are as they were" "$dir/hold"
within 100 hugepages_are "$(all 0)"
equal "and when it is gone its hugepages are, too" "$(all 0)" "$(hugepages)"

# ---- and purged ------------------------------------------------------------------
rm "$config"
# shellcheck disable=SC2086
dpkg -P $all >"$dir/dpkg" 2>&1
result $? "the packages are purged" "$dir/dpkg"
equal "dpkg knows none of them" '' "$(dpkg-query -W -f '${Package} ' \
	'slab*' 'libslabclient*' 2>/dev/null)"
files >"$dir/files.after"
diff "$dir/files.before" "$dir/files.after" >"$dir/left"
result $? "no file is left" "$dir/left"
find /run /tmp /dev/shm -name '*slabd*' >"$dir/left"
equal "none in /run either" '' "$(cat "$dir/left")"
equal "systemd has no unit of it" '' \
	"$(systemctl list-unit-files --no-legend 'slabd*')"
equal "no process" '' "$(pidof slabd slabctl)"
equal "no memory" "$(all 0)" "$(hugepages)"
getent group slabd >"$dir/group"
result $? "but its group, as Debian leaves system groups"
install packages/*.deb
result $? "installed once more" "$dir/dpkg"
equal "it runs" active "$(show ActiveState)"
# shellcheck disable=SC2086
dpkg -P $all >"$dir/dpkg" 2>&1
result $? "and purged at once" "$dir/dpkg"
equal "leaving no memory" "$(all 0)" "$(hugepages)"
finish
