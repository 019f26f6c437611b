#!/bin/sh
# SPDX-License-Identifier: MIT
# shapes: four
# While a node may still grow, its threads get nothing of another's.
. ./lib.sh
start_slabd '[pool default]\nmax = 96M\nstart = 4M'
program local
within 50 nothing_used
result $? "nothing is left in use"
audit "all freed"
stop_slabd
finish
