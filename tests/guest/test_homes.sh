#!/bin/sh
# SPDX-License-Identifier: MIT
# shapes: four six
# Each node's objects lie on that node, from the first page to the last.
. ./lib.sh
start_slabd '[balance]\nenabled = no\n[pool default]\nmax = 32M\nstart = 16M'
program homes 32
within 50 nothing_used
result $? "nothing is left in use"
audit "all freed"
stop_slabd
finish
