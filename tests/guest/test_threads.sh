#!/bin/sh
# SPDX-License-Identifier: MIT
# shapes: four six
# Threads get objects of the node that they run on; objects go home.
. ./lib.sh
start_slabd '[pool default]\nmax = 64M\nstart = 32M'
program threads
within 50 nothing_used
result $? "nothing is left in use"
audit "all freed"
stop_slabd
finish
