#!/bin/sh
# SPDX-License-Identifier: MIT
# shapes: systemd
# The unit's sandbox lets a program do what slabd has to do, and no more.
. ./lib.sh
. ./unit.sh
# The unit itself, with another program in it that runs once.
sed -e 's|^Type=.*|Type=oneshot|' -e '/^Restart/d' \
	-e 's|^ExecStart=.*|ExecStart=/guest/powers\nStandardOutput=file:/run/powers.out|' \
	"$(show FragmentPath)" >/run/systemd/system/powers.service
systemctl daemon-reload
program sh -c 'systemctl start powers.service; code=$?
	cat /run/powers.out; exit $code'
journalctl -q -u powers.service -o cat | sed 's/^/# /'
finish
