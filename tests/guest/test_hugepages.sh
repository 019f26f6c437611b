#!/bin/sh
# SPDX-License-Identifier: MIT
# Hugepages are reserved node by node, and given back: at once, or when the
# last client that still maps them is gone.
. ./lib.sh
equal "none at first" '0 0 0 0' "$(hugepages)"
start_slabd '[pool default]\nmax = 32M\nstart = 16M'
equal "eight on each node" '8 8 8 8' "$(hugepages)"
stop_slabd
equal "given back" '0 0 0 0' "$(hugepages)"

echo 3 >$sys/node2/hugepages/hugepages-2048kB/nr_hugepages
start_slabd '[pool default]\nmax = 32M\nstart = 16M'
equal "others' free ones are used first" '8 8 8 8' "$(hugepages)"
stop_slabd
equal "and left as they were" '0 0 3 0' "$(hugepages)"
echo 0 >$sys/node2/hugepages/hugepages-2048kB/nr_hugepages

start_slabd '[pool default]\nmax = 32M\nstart = 16M'
homes 32 --hold >"$dir/hold" 2>&1 &
client=$!
within 100 grep -q holding "$dir/hold"
result $? "a client fills the pool" "$dir/hold"
equal "grown to its most" '16 16 16 16' "$(hugepages)"
stop_slabd
kill -KILL $client
wait $client 2>/dev/null
within 50 hugepages_are '0 0 0 0'
result $? "given back when the client is gone"
finish
