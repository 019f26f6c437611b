#!/bin/sh
# SPDX-License-Identifier: MIT
# shapes: four six
# A node that has nothing left: the nearest by distance comes next.
. ./lib.sh
start_slabd '[balance]\nenabled = no\n[pool default]\nmax = 16M\nstart = 16M'
program nearest 16
audit "all freed"
stop_slabd
finish
