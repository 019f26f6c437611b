#!/bin/sh
# SPDX-License-Identifier: MIT
# shapes: systemd
# The unit as it is installed: enabled, started, ready, reloaded, stopped; and
# what becomes of one that is configured wrongly.
. ./lib.sh
. ./unit.sh
systemd-analyze verify --man=no "$(show FragmentPath)" >"$dir/verify" 2>&1
result $? "systemd-analyze verify" "$dir/verify"
equal "and has nothing to say" '' "$(cat "$dir/verify")"
exposure=$(systemd-analyze security --no-pager slabd.service 2>/dev/null |
	sed -n 's/.*Overall exposure level for slabd.service: \([0-9.]*\).*/\1/p')
echo "# systemd-analyze security: $exposure of 10"
awk -v is="${exposure:-10}" 'BEGIN { exit !(is <= 1.5) }'
result $? "exposure of 1.5 at the most"

equal "no hugepages at first" "$(all 0)" "$(hugepages)"
configure '[slabd]\nsocket_group = orders\n[balance]\nenabled = no\n[pool default]\nmax = 64M\nstart = 16M'
systemctl enable --now slabd.service >"$dir/start" 2>&1
status=$?
# At once: active means that it is ready.
slabctl status >"$dir/status" 2>&1
answered=$?
journal
result $status "systemctl enable --now" "$dir/journal"
result $answered "it answers as soon as it is active" "$dir/status"
equal "active" active "$(show ActiveState)"
equal "enabled" enabled "$(systemctl is-enabled slabd.service)"
text=$(show StatusText)
echo "# $text"
case $text in
"1 pool on 2 nodes, 32 MiB ready"*) true ;;
*) false ;;
esac
result $? "its status says what is ready"
equal "the sandbox lets it reserve hugepages" "$(all 8)" "$(hugepages)"
equal "and bind them" '["2m"]' \
	"$(count nodes '[.pools[0].nodes[].backing] | unique')"
equal "and be told of memory pressure, its own too" \
	'{"watched":true,"reason":"","remedy":""}' \
	"$(slabctl --json status | jq -c .pressure)"
equal "the socket is the group's" 'root:orders 660' \
	"$(stat -c '%U:%G %a' /run/slabd/slabd.sock)"
(as_orders env SLABD_SOCKET=/run/slabd/slabd.sock homes 64) >"$dir/homes" 2>&1
result $? "a client of that group fills it, page by page on its node" \
	"$dir/homes"
(exec setpriv --reuid=1501 --regid=1501 --clear-groups homes 64) \
	>"$dir/stranger" 2>&1
equal "another user is kept out" 1 $?
audit "with clients gone"

main=$(show MainPID)
said() {
	journal
	grep -q "$1" "$dir/journal"
}
configure '[slabd]\nsocket_group = orders\n[balance]\nenabled = no\n[pool default]\nmax = 64M\nstart = 16M\nmax_clients = 9'
systemctl reload slabd.service >"$dir/reload" 2>&1
result $? "systemctl reload" "$dir/reload"
within 50 said 'max_clients 1024 -> 9'
result $? "the journal names what holds from now on" "$dir/journal"
within 50 is ActiveState active
equal "and it is the same slabd" "$main active" \
	"$(show MainPID) $(show ActiveState)"
configure '[pool default]\nmax = much'
systemctl reload slabd.service >"$dir/reload" 2>&1
[ $? -ne 0 ]
result $? "a wrong configuration: the reload fails" "$dir/reload"
within 50 said 'slabd.conf:[0-9]*:.*max'
result $? "the journal names the key" "$dir/journal"
systemctl kill -s HUP slabd.service
within 50 said 'is not used, see above'
result $? "and slabd refuses it as well" "$dir/journal"
within 50 is ActiveState active
equal "and goes on" "$main active" "$(show MainPID) $(show ActiveState)"

systemctl stop slabd.service
result $? "systemctl stop"
equal "a clean end" 'success inactive 0' \
	"$(show Result) $(show ActiveState) $(show ExecMainStatus)"
slabctl status >"$dir/status" 2>&1
[ $? -ne 0 ] && grep -q 'nobody listens at /run/slabd' "$dir/status" &&
	grep -q 'systemctl start slabd' "$dir/status"
result $? "slabctl says that nobody listens, and what to do" "$dir/status"
equal "nothing is kept" 0 "$(show NFileDescriptorStore)"
within 50 hugepages_are "$(all 0)"
result $? "hugepages are given back"

configure '[slabd]\nsocket_mode = 9\n[balance]\nenabled = no\n[pool default]\nmax = much'
systemctl start slabd.service >"$dir/start" 2>&1
[ $? -ne 0 ]
result $? "a wrong configuration: the start fails" "$dir/start"
equal "with status 2, once" 'exit-code failed 2 0' "$(show Result) \
$(show ActiveState) $(show ExecMainStatus) $(show NRestarts)"
journal
for key in socket_mode max; do
	grep -q "slabd.conf:[0-9]*:.*$key" "$dir/journal"
	result $? "the journal names $key, file and line" "$dir/journal"
done
sleep 1
equal "and it is left at that" 'failed 0' "$(show ActiveState) $(show NRestarts)"
configure '[balance]\nenabled = no\n[pool default]\nmax = 64M\nstart = 16M'
start_unit
finish_unit
