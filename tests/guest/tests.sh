#!/bin/sh
# SPDX-License-Identifier: MIT
# In the machine: runs each test_*.sh, one after the other, as one TAP.
cd /guest || exit 1
count=/tmp/count
echo 0 >$count
echo "# booted in $1 s"

# Numbers a test's lines on, under its name; a test that ends without its plan
# has one more line, which fails.
merge() {
	awk -v name="$1" -v n="$(cat $count)" -v count=$count '
	/^(not )?ok / {
		seen++
		sub(/^ok [0-9]+ -/, "ok " (n + seen) " - " name ":")
		sub(/^not ok [0-9]+ -/, "not ok " (n + seen) " - " name ":")
	}
	/^1\.\.[0-9]+$/ { plan = substr($0, 4) + 0; next }
	{ print; fflush() }
	END {
		if (plan != seen || !seen)
			printf "not ok %d - %s: ran to its end\n",
				n + ++seen, name
		print (n + seen) >count
	}'
}

for file in test_*.sh; do
	name=${file#test_}
	name=${name%.sh}
	if grep -q . only && ! grep -qx "$name" only; then
		continue
	fi
	read -r from _ </proc/uptime
	timeout 1200 sh "./$file" 2>&1 | merge "$name"
	read -r to _ </proc/uptime
	echo "# $name: $from to $to s"
	# What a test left behind, where no systemd looks after it.
	pids=$(pidof slabd) && [ ! -d /run/systemd ] && kill -KILL $pids
	for node in /sys/devices/system/node/node*/hugepages/hugepages-2048kB; do
		echo 0 >"$node/nr_hugepages"
	done
done
echo "1..$(cat $count)"
