#!/usr/bin/env bash
# What a line of the crontab starts:
#
#     scheduler/run.sh NAME TASK [OPTIONS]
#
# `luigi --module pipeline TASK OPTIONS`, with its output in STATE/log/NAME.txt, unless the last one
# of that NAME still works. When it ends well, `python -m pipeline heartbeat` calls whoever watches
# that it does. The exit status is luigi's.
set -euo pipefail
state=${STATE:-/state}
largest_bytes=5000000

# Cron starts it without the container's variables, which say where the cloud is.
if [ -r /run/scheduler/environment ]; then
    # shellcheck source=/dev/null
    . /run/scheduler/environment
fi

cd "$(dirname "$0")/.."
name=$1
shift
mkdir -p "$state/log"
log=$state/log/$name.txt

say() {
    echo "$(date -u +%FT%TZ) $name: $*" >>"$log"
}

exec 9>"$state/$name.lock"
if ! flock --nonblock 9; then
    say "the last one still works, nothing is started"
    exit 0
fi
if [ -f "$log" ] && [ "$(stat --format %s "$log")" -gt "$largest_bytes" ]; then
    mv "$log" "$log.1"
fi

say "luigi --module pipeline $*"
status=0
# A job that goes on after its orchestrator must not hold the lock.
luigi --module pipeline "$@" >>"$log" 2>&1 9>&- || status=$?
say "ended with exit status $status"
if [ "$status" = 0 ]; then
    python -m pipeline heartbeat >>"$log" 2>&1 9>&- || say "the heartbeat could not be sent"
fi
exit "$status"
