# SPDX-License-Identifier: MIT
# One line a page: dist_man_MANS += man/slabd.8
dist_man_MANS += man/slabd.8
dist_man_MANS += man/slabd.conf.5
dist_man_MANS += man/slabctl.1
dist_man_MANS += man/slab-record.1
dist_man_MANS += man/slabclient.3
dist_man_MANS += man/slabclient_arena.3
dist_man_MANS += man/slabclient_channel.3
dist_man_MANS += man/slabclient_abi.7
dist_man_MANS += man/slabclient_moving.7
dist_man_MANS += man/slabd_containers.7
dist_man_MANS += man/slabd_probes.7
dist_man_MANS += man/slabd_sizing.7
dist_man_MANS += man/slabd_trouble.7
EXTRA_DIST += man/page.png
