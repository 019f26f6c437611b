#!/bin/sh
# SPDX-License-Identifier: MIT
# The pictures of README.md, made anew: man/page.png, the status page as Chromium
# draws it, and in README.md itself the screen of slabctl top. They are of a slabd
# that pretends to have two nodes, with the order gateway of client/examples/ and two
# programs that replay recorded traces. Called by ./dev pictures; no arguments.
. "$(dirname "$0")/lib/shell.sh"
traces=$srcdir/tests/data
gateway=

# must COMMAND...: or there are no pictures.
must() {
	"$@" >"$here/out" 2>&1 && return
	echo "pictures: in vain: $*" >&2
	head -n 20 "$here/out" "$here/log" >&2
	exit 1
}

for tool in chromium tmux jq ps; do
	must command -v $tool
done

set_up() {
	configure 96M 8M "metrics = 127.0.0.1:$port
	topology = node:2 core:2 pu:1
	[balance]
	hold = 1h
	hold_max = 1h"
}

# worker NAME ARGUMENTS...: a program of that name.
worker() {
	name=$1
	shift
	ln -sf "$(realpath "$builddir/tests/replay/replay")" "$here/$name"
	"$here/$name" --seconds 600 "$@" >"$here/$name.out" 2>&1 &
	others="$others $!"
}

history_is() { # SAMPLES
	ctl --json history | jq -e ".pools[0].points | length >= $1"
}

terminal() {
	LC_ALL=C.UTF-8 tmux -f /dev/null -S "$here/tmux" "$@"
}

# The gateway leaves those that it has started.
at_end() {
	stages=$([ -z "$gateway" ] || ps -o pid= --ppid "$gateway")
	for process in $gateway $stages; do
		end "$process"
	done
	terminal kill-server 2>/dev/null
}

must start_at_port set_up
"$builddir/client/examples/gateway" --with slabd --orders 1000000000 \
	>"$here/gateway.out" 2>&1 &
gateway=$!
worker mariadb --threads trace --node 1 "$traces/mariadb-cut.trace.zst"
worker session --threads 2 --node 0 --hold "$traces/gateway-cut.trace.zst"
must until_true history_is 12
must ctl lend orders 0 1 60

must timeout 120 chromium --headless --no-sandbox --disable-gpu --disable-quic \
	--no-first-run --disable-background-networking --disable-sync \
	--disable-component-update --hide-scrollbars --start-fullscreen \
	--user-data-dir="$here/profile" --screen-info="{1100x860}" \
	--virtual-time-budget=2000 --screenshot="$here/page.png" \
	"http://127.0.0.1:$port/"

terminal new-session -d -s t -x 80 -y 24 \
	"SLABD_CONTROL='$here/c' '$builddir/daemon/slabctl' top"
shows() {
	terminal capture-pane -p -t t >"$here/top" && grep -q replay- "$here/top"
}
must until_true shows

# Between two comments that nobody sees.
awk -v top="$here/top" '
	/^<!-- end of slabctl top -->$/ { skip = 0 }
	!skip { print }
	/^<!-- slabctl top -->$/ {
		skip = 1
		print ""
		while ((getline line <top) > 0)
			print line == "" ? "" : "    " line
		print ""
	}' "$srcdir/README.md" >"$here/readme"
must cp "$here/page.png" "$srcdir/man/page.png"
must cp "$here/readme" "$srcdir/README.md"
echo "README.md and man/page.png have new pictures"
