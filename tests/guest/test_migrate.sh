#!/bin/sh
# SPDX-License-Identifier: MIT
# shapes: four
# Pages move between nodes while processes use them.
. ./lib.sh
echo advise >/sys/kernel/mm/transparent_hugepage/shmem_enabled
program migrate
equal "no hugepage is left" '0 0 0 0' "$(hugepages)"
finish
