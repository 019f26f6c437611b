#!/bin/sh
# SPDX-License-Identifier: MIT
# Metrics: at the control socket and over TCP the same families, which a real
# Prometheus takes in and evaluates the alert rules on. Prints TAP; no arguments.
# SLABD_PROMETHEUS: the folder of its programs.
. "$(dirname "$0")/../lib/shell.sh"
to_show="out log"
prometheus=
at_end() {
	[ -z "$prometheus" ] || end "$prometheus"
}

# With two pools.
set_up() {
	configure 64M 4M "metrics = 127.0.0.1:$port" "[pool second]
	page = 4k
	max = 8M
	start = 2M"
}
start_at_port set_up
"$builddir/client/examples/arena" 1000 2 \
	>"$here/out" 2>&1
result $? "slabd serves, and a program has used it"

curl -sf -D "$here/head" --unix-socket "$here/c" http://slabd/metrics \
	>"$here/metrics"
result $? "GET /metrics at the control socket"
grep -qi '^content-type: application/openmetrics-text' "$here/head"
result $? "as OpenMetrics"
[ "$(tail -n 1 "$here/metrics")" = "# EOF" ]
result $? "and whole"
curl -sf "http://127.0.0.1:$port/metrics" >"$here/tcp"
families() { sed -n 's/^# TYPE //p' "$1" | sort; }
families "$here/metrics" >"$here/out"
families "$here/tcp" >"$here/families"
cmp -s "$here/out" "$here/families" && [ -s "$here/out" ]
result $? "over TCP the same families"
[ -z "$(families "$here/tcp" | cut -d ' ' -f 1 | uniq -d)" ]
result $? "each family once"
grep -q '^slabd_node_ready_bytes{pool="second",node="0"} 2097152$' "$here/tcp"
result $? "a node's ready bytes"
grep -q '^slabd_pool_untold{pool="second"} 0$' "$here/tcp"
result $? "how many did not say what they hold"
curl -s "http://127.0.0.1:$port/metrics?pool=second" >"$here/out"
! grep -q 'pool="default"' "$here/out" && grep -q 'pool="second"' "$here/out"
result $? "one pool's alone"
curl -s "http://127.0.0.1:$port/doctor" >"$here/out"
grep -q '"error":"no such path"' "$here/out"
result $? "not all is there over TCP"
curl -s -X POST "http://127.0.0.1:$port/set" >"$here/out"
grep -q '"error"' "$here/out"
result $? "and nothing to change"

# The same port again: slabd goes on without, and says so.
mkdir "$here/other"
"$builddir/daemon/slabd" --config "$here/conf" --socket "$here/other/s" \
	--control "$here/other/c" >"$here/other/log" 2>&1 &
other=$!
until_true curl -sf --unix-socket "$here/other/c" http://slabd/metrics
result $? "a port that is taken: slabd serves without"
grep -q "another program listens at 127.0.0.1:$port; end it, or set metrics" \
	"$here/other/log"
result $? "and says what to do"
kill $other && wait $other

# By a reload, too.
refused() { ! curl -sf "http://127.0.0.1:$port/metrics"; }
sed -i 's/^metrics = .*/metrics = off/' "$here/conf"
kill -HUP "$pid"
until_true refused
result $? "switched off by a reload nobody answers"
sed -i "s/^metrics = .*/metrics = 127.0.0.1:$port/" "$here/conf"
kill -HUP "$pid"
until_true curl -sf "http://127.0.0.1:$port/metrics"
result $? "and switched on again slabd does"

# ---- a real Prometheus ---------------------------------------------------------
tools=${SLABD_PROMETHEUS:-/usr/bin}
rules=$srcdir/daemon/prometheus/slabd.rules.yml
dashboard=$srcdir/daemon/prometheus/slabd.dashboard.json
# What Grafana demands of one that it imports: each line is a fault.
jq -r '
	def twice: group_by(.)[] | select(length > 1)[0];
	def overlap($a; $b): $a.x < $b.x + $b.w and $b.x < $a.x + $a.w and
		$a.y < $b.y + $b.h and $b.y < $a.y + $a.h;
	([.templating.list[].name]) as $names |
	[.panels[] | {id, at: .gridPos}] as $places |
	(select((.title | length) == 0 or (.schemaVersion | type) != "number" or
		(.uid | test("^[A-Za-z0-9_-]{1,40}$") | not)) |
		"title, schemaVersion or uid"),
	(select(.id != null) | "it has the id of another Grafana"),
	(select(.panels | length < 6) | "few panels"),
	([.panels[].id] | twice | "two panels have id \(.)"),
	($names | twice | "two variables are called \(.)"),
	(.templating.list[] | select(.type == "query" and
		(.query | test("^label_values\\([a-z_]+, [a-z]+\\)$") | not)) |
		"variable \(.name): its query"),
	($places[] as $a | $places[] | select($a.id < .id and
		overlap($a.at; .at)) | "panel \($a.id) lies over panel \(.id)"),
	(.panels[] | . as $panel |
		(select(.type != "timeseries" or (.title | length) == 0) |
			"panel \(.id): its type or title"),
		(select(.gridPos | .x < 0 or .w < 1 or .h < 1 or .x + .w > 24) |
			"panel \(.id): outside of 24 columns"),
		([.targets[].refId] | twice | "panel \($panel.id): refId \(.)"),
		(([.datasource, .targets[].datasource] | .[] | select(. != null) |
			select(.type != "prometheus" or .uid != "${source}")) |
			"panel \($panel.id): its datasource"),
		(.targets[].expr | scan("\\$([a-z_]+)")[] |
			select(. as $name | $names | index($name) | not) |
			"panel \($panel.id): no variable \(.)"))' \
	"$dashboard" >"$here/out" 2>&1 && [ ! -s "$here/out" ]
result $? "the dashboard has what Grafana demands of one"
jq -r '.panels[].targets[].expr' "$dashboard" |
	cat - "$rules" | grep -o 'slabd_[a-z_]*' | sort -u | while read -r name; do
	family=${name%_total}
	family=${family%_bucket}
	grep -q "^# TYPE $family " "$here/tcp" || echo "no metric $name"
done >"$here/out"
[ ! -s "$here/out" ]
result $? "rules and dashboard name metrics that there are"
if [ ! -x "$tools/prometheus" ]; then
	skip "a real Prometheus" "no prometheus in $tools"
	stop
	finish
	exit
fi
"$tools/promtool" check rules "$rules" >"$here/out" 2>&1
result $? "promtool finds the rules good"
cat >"$here/prometheus.yml" <<EOT
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [$rules]
scrape_configs:
  - job_name: slabd
    static_configs: [{targets: ["127.0.0.1:$port"]}]
EOT
web=$((port + 1))
tries=0
ready() {
	kill -0 "$prometheus" 2>/dev/null || return 0
	curl -sf "http://127.0.0.1:$web/-/ready"
}
# Where the port is somebody's it ends at once.
while [ $tries -lt 20 ]; do
	"$tools/prometheus" --config.file="$here/prometheus.yml" \
		--storage.tsdb.path="$here/data" --log.level=warn \
		--web.listen-address="127.0.0.1:$web" >"$here/plog" 2>&1 &
	prometheus=$!
	until_true ready
	kill -0 "$prometheus" 2>/dev/null && break
	web=$((web + 1))
	tries=$((tries + 1))
done

# asks PATH FILTER: whether the answer of the API has that.
asks() {
	curl -sfg "http://127.0.0.1:$web/api/v1/$1" | jq -e "$2"
}
until_true asks targets '.data.activeTargets[0] | .health == "up"'
result $? "Prometheus scrapes it"
until_true asks 'query?query=slabd_node_ready_bytes' \
	'.data.result | map(select(.metric.pool == "second"))[0].value[1] == "2097152"'
result $? "and has the numbers"
until_true asks 'query?query=slabd_turn_seconds_count' \
	'.data.result[0].value[1] | tonumber > 0'
result $? "and the histograms"
until_true asks rules \
	'[.data.groups[].rules[]] | length > 5 and all(.health == "ok")'
result $? "each rule can be evaluated"
until_true asks rules '[.data.groups[].rules[] |
	select(.name == "SlabdUnsupervised")][0].state == "pending"'
result $? "that nobody supervises this one is seen"

# ---- each panel of the dashboard --------------------------------------------------
# A client that has more than was ready, while it is scraped.
mkfifo "$here/end"
"$builddir/tests/system/page_user" 20000 <"$here/end" >"$here/said" 2>&1 &
others=$!
exec 3>"$here/end"
until_true grep -q ready "$here/said"
result $? "a client makes the pool grow"

# query EXPRESSION: as Grafana asks, with all of each variable.
query() {
	curl -sf -G "http://127.0.0.1:$web/api/v1/query" --data-urlencode \
		"query=$(echo "$1" | sed 's/\$[a-z][a-z]*/.*/g')"
}
# has_data EXPRESSION LEGEND: a number at the least, with the labels of the legend.
has_data() {
	query "$1" | jq -e --arg legend "$2" '
		[$legend | scan("{{([a-z]+)}}")[]] as $labels |
		[.data.result[] | select(.value[1] != "NaN")] | length > 0 and
		all(.metric as $has | $labels | all(in($has)))'
}
jq -r '.panels[] | .title as $title | .targets[] |
	[$title, .refId, .expr, .legendFormat] | @tsv' "$dashboard" >"$here/panels"
tab=$(printf '\t')
while IFS=$tab read -r title ref expr legend <&4; do
	until_true has_data "$expr" "$legend"
	result $? "panel $title, $ref: it has data"
done 4<"$here/panels"
jq -r '.templating.list[] | select(.type == "query") | .query |
	capture("\\((?<of>[a-z_]+), (?<label>[a-z]+)") | [.of, .label] | @tsv' \
	"$dashboard" >"$here/variables"
while IFS=$tab read -r of label <&4; do
	until_true asks "label/$label/values?match[]=$of" '.data | length > 0'
	result $? "variable $label: it has values"
done 4<"$here/variables"
exec 3>&-
wait "$others"
result $? "the client ends well"
others=

stop
until_true asks rules '[.data.groups[].rules[] |
	select(.name == "SlabdDown")][0].state == "pending"'
result $? "and that it is down, once it is"
kill "$prometheus" && wait "$prometheus"
prometheus=
finish
