#!/bin/sh
# SPDX-License-Identifier: MIT
# shapes: four six
# Hugepages are reserved node by node, and given back: at once, or when the
# last client that still maps them is gone.
. ./lib.sh
equal "none at first" "$(all 0)" "$(hugepages)"
start_slabd '[balance]\nenabled = no\n[pool default]\nmax = 32M\nstart = 16M'
equal "eight on each node" "$(all 8)" "$(hugepages)"
stop_slabd
equal "given back" "$(all 0)" "$(hugepages)"

reserve 2 3
start_slabd '[balance]\nenabled = no\n[pool default]\nmax = 32M\nstart = 16M'
equal "others' free ones are used first" "$(all 8)" "$(hugepages)"
stop_slabd
equal "and left as they were" "$(but 2 3 0)" "$(hugepages)"
reserve 2 0

start_slabd '[balance]\nenabled = no\n[pool default]\nmax = 32M\nstart = 16M'
homes 32 --hold >"$dir/hold" 2>&1 &
client=$!
within 100 grep -q holding "$dir/hold"
result $? "a client fills the pool" "$dir/hold"
equal "grown to its most" "$(all 16)" "$(hugepages)"
stop_slabd
equal "stopped under it: they are its own still" "$(all 16)" "$(hugepages)"
start_slabd '[balance]\nenabled = no\n[pool default]\nmax = 32M\nstart = 16M'
equal "the next one takes what it needs, beside them" "$(all 24)" "$(hugepages)"
stop_slabd
equal "and gives that back" "$(all 16)" "$(hugepages)"
kill -KILL $client
wait $client 2>/dev/null
within 50 hugepages_are "$(all 0)"
result $? "given back when the client is gone"
finish
