# SPDX-License-Identifier: MIT
# shellcheck shell=sh disable=SC2034
# What the tests of several processes in shell share; sourced first by each. They
# have a folder of their own, $here, and slabd in it: with its configuration as
# $here/conf, its sockets $here/s and $here/c, and what it says in $here/log. What
# stands in $here/out is shown where a result is bad.
srcdir=${srcdir:-$(cd "$(dirname "$0")/../.." && pwd)}
builddir=${builddir:-$srcdir}
lib=$builddir/client/.libs
here=$(mktemp -d "${TMPDIR:-/tmp}/slabd-test.XXXXXX") || exit 99
pid=            # slabd's process
others=         # those that are ended before it
socket=$here/s  # of clients
export SLABD_SOCKET="$socket"
under=          # a command that starts slabd in its turn
to_show=out     # files of $here that tell why a result is bad
n=0

# end PID: one that this test started.
end() {
	kill "$1" 2>/dev/null && wait "$1" 2>/dev/null
}

# What else a test takes away at its end, before slabd is ended.
at_end() { :; }

cleanup() {
	at_end
	for process in $others $pid; do
		end "$process"
	done
	rm -rf "$here"
}
trap cleanup EXIT
trap 'exit 99' INT TERM HUP

result() { # STATUS TITLE
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n - $2"
		return
	fi
	echo "not ok $n - $2"
	for file in $to_show; do
		cat "$here"/$file 2>/dev/null
	done | head -n 80 | cut -c 1-500 | sed 's/^/# /'
}

skip() { # TITLE REASON
	n=$((n + 1))
	echo "ok $n - $1 # SKIP $2"
}

skip_all() { # REASON
	echo "1..0 # SKIP $1"
	exit 0
}

# needs_library REASON: a shared one, that other programs can be linked with.
needs_library() {
	[ -z "${SLABD_SANITIZER:-}" ] && [ -f "$lib/libslabclient.so" ] ||
		skip_all "$1"
}

equal() { # TITLE WANT GOT
	[ "$2" = "$3" ]
	result $? "$1"
	[ "$2" = "$3" ] || echo "# wanted \"$2\", got \"$3\""
}

# until_true COMMAND...: as long as that takes, three minutes at the most.
until_true() {
	tries=0
	until "$@" >"$here/out" 2>&1; do
		[ $tries -ge 1800 ] && return 1
		sleep 0.1
		tries=$((tries + 1))
	done
}

ctl() {
	"$builddir/daemon/slabctl" --control "$here/c" "$@"
}

# configure MAX START [LINES [POOLS]]: what slabd is started with: one pool of small
# pages, nothing reserved; LINES of [slabd], and further sections.
configure() {
	cat >"$here/conf" <<-END
	[slabd]
	reserve_hugepages = no
	${3-}
	[pool default]
	page = 4k
	max = $1
	start = $2
	${4-}
	END
}

# start ARGUMENTS...: slabd, with further ones; whether it serves.
start() {
	$under "$builddir/daemon/slabd" --config "$here/conf" \
		--socket "$socket" --control "$here/c" "$@" >"$here/log" 2>&1 &
	pid=$!
	until_true ctl status
}

# start_at_port COMMAND...: which configures slabd with metrics at $port; the first
# one is taken that is nobody else's.
start_at_port() {
	port=$((20000 + $$ % 20000))
	ports=0
	while :; do
		"$@"
		start && ! grep -q "another program listens at 127.0.0.1:$port" \
			"$here/log" && return
		[ $ports -lt 20 ] || return
		stop
		port=$((port + 1))
		ports=$((ports + 1))
	done
}

# stop: its status.
stop() {
	kill "$pid" && wait "$pid"
	set -- $?
	pid=
	return "$1"
}

# Programs find this build's library.
use_library() {
	export LD_LIBRARY_PATH="$lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
}

audit() { # TITLE
	ctl audit >"$here/out" 2>&1
	result $? "$1"
}

finish() {
	echo "1..$n"
}
