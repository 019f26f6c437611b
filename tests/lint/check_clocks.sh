#!/bin/sh
# SPDX-License-Identifier: MIT
# The time of day may be set by a day at any moment: nothing is waited for or
# compared by it, and who reads it shows it to people. Those are listed here.
. "$(dirname "$0")/lint.sh"

shown='daemon/base/clock.[ch]|daemon/base/log.c'
shown="$shown|daemon/admin/report_log.c|daemon/admin/report_clients.c"
shown="$shown|daemon/admin/report_history.c|daemon/ctl/top.c"
shown="$shown|daemon/ctl/slabctl.c"

look() {
	sources | grep -v '^tests/' | xargs -r awk "$lint_awk"'
	{ split_line($0); $0 = code }
	/CLOCK_REALTIME|clock_wall_ns|gettimeofday|(^|[^_a-z])time\(/ &&
	FILENAME !~ "^('"$shown"')$" {
		found("reads the time of day")
	}
	/mutex_timedlock|rwlock_timed|sem_timedwait|mq_timed|TIMER_ABSTIME.*REAL/ {
		found("waits by the time of day")
	}
	/pthread_cond_init\(.*NULL\)|PTHREAD_COND_INITIALIZER/ { by_day[FILENAME] = 1 }
	/pthread_cond_timedwait/ && by_day[FILENAME] {
		found("waits by the time of day")
	}'
}

while read -r path line; do
	echo "$line" | sample "$path"
	names "$path with $line" "^$path:1: "
done <<'EOT'
client/x.c clock_gettime(CLOCK_REALTIME, &at);
daemon/serve/x.c int64_t at_ns = clock_wall_ns();
daemon/watch/x.c gettimeofday(&now, NULL);
daemon/pool/x.c time_t now = time(NULL);
client/x.c r = pthread_mutex_timedlock(&lock, &at);
client/x.c r = sem_timedwait(&sem, &at);
EOT
sample client/x.c <<'EOT'
pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
r = pthread_cond_timedwait(&cond, &lock, &at);
EOT
names "a condition that is as it was made" "x.c:2: "
while read -r path line; do
	echo "$line" | sample "$path"
	passes "$path with $line"
done <<'EOT'
daemon/base/log.c int64_t ns = clock_wall_ns();
daemon/ctl/slabctl.c time_t now = time(NULL);
client/x.c clock_gettime(CLOCK_MONOTONIC, &at); /* not CLOCK_REALTIME */
daemon/x.c run_time(3); downtime(4);
tests/x.c time_t now = time(NULL);
EOT
finish "nothing is compared with the time of day"
