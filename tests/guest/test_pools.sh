#!/bin/sh
# SPDX-License-Identifier: MIT
# Two pools and 12 hugepages a node: what one holds in vain the other gets.
. ./lib.sh

# MiB of each node that a pool has ready: "4 4 4 4".
ready() {
	count nodes "[.pools[] | select(.name == \"$1\") | .nodes[].ready_bytes
		/ 1048576] | join(\" \")" | tr -d '"'
}

for node in $nodes; do
	echo 12 >$sys/node"$node"/hugepages/hugepages-2048kB/nr_hugepages
done
start_slabd '[slabd]\nreserve_hugepages = no\n[balance]\nidle = never\npressure = off
[pool a]\nmax = 24M\nstart = 4M\n[pool b]\nmax = 24M\nstart = 4M'
echo | burst a 18 4 >"$dir/a" 2>&1 &
wait $!
result $? "pool a has a burst" "$dir/a"
echo "# a: $(ready a) MiB; b: $(ready b) MiB"
# While pool a is asked, pool b may be told that there is none.
said() {
	[ "$(grep -c freed "$dir/b")" -ge "$1" ]
}

# Three times, and on until it had all, which takes as long as pool a's looks.
bursts() {
	for i in $(seq 20); do
		echo
		within 100 said "$i" || return
		[ "$i" -lt 3 ] || ! tail -n 2 "$dir/b" | grep -q 'had 56' ||
			return
		sleep 3
	done
}
: >"$dir/b"
bursts | burst b 14 4 >>"$dir/b" 2>&1
result $? "pool b has some" "$dir/b"
equal "in the end of all that it wanted" "had 56 freed" \
	"$(tail -n 2 "$dir/b" | xargs)"
equal "pool a is left with its floor at least, and no more than it must" \
	'[true,true,true,true]' "$(count nodes '[.pools[] |
	select(.name == "a").nodes[].ready_bytes | . >= 4194304 and
	. <= 12582912]')"
echo "# a: $(ready a) MiB; b: $(ready b) MiB"
audit "after both"
stop_slabd
finish
