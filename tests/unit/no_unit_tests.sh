#!/bin/sh
# SPDX-License-Identifier: MIT
# Stands in for the unit tests where this build cannot run them.
echo "1..0 # SKIP unit tests: $SLABD_NO_UNIT_TESTS"
