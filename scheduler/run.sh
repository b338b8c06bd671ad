#!/usr/bin/env bash
# Runs one command of the crontab.
#
#     run.sh NAME COMMAND...
#
# At most one of a NAME at a time: while the last one works, nothing is done. What it prints goes to
# the container's output, where there is one, and to $STATE/log/NAME.log, of which one older part is
# kept. When a command ends with 0, `python -m pipeline heartbeat` tells whoever watches for silence.
set -euo pipefail
name=$1
shift
cd "$(dirname "$0")/.."
run=${RUN:-/run/scheduler}
# cron starts its commands without the container's environment.
# shellcheck disable=SC1091
[ ! -f "$run/environment" ] || source "$run/environment"
export TZ=UTC
state=${STATE:-var/scheduler}
log=$state/log/$name.log
log_bytes=${LOG_BYTES:-10000000}
output=$run/output
[ -p "$output" ] || output=/dev/stdout

# Everything that is read, by line, each with its time.
write_log() {
    local line size now
    # What a command says when it is told to end is written too.
    trap '' TERM
    size=$(stat -c %s "$log" 2>/dev/null || echo 0)
    while IFS= read -r line || [ -n "$line" ]; do
        printf -v now '%(%FT%TZ)T' -1
        printf '%s %s: %s\n' "$now" "$name" "$line" >>"$output"
        if ((size > log_bytes)); then
            mv -f "$log" "$log.1"
            size=0
        fi
        printf '%s %s\n' "$now" "$line" >>"$log"
        size=$((size + ${#line} + ${#now} + 2))
    done
}

run() {
    # Not ignored, as that would be handed down: the command is told to end by whoever tells this.
    trap : TERM
    echo "begins: $*"
    local status=0
    "$@" || status=$?
    echo "ended with exit status $status"
    if [ "$status" -eq 0 ]; then
        python -m pipeline heartbeat || true
    fi
    return "$status"
}

mkdir -p "$state/log" "$state/lock"
exec {lock}>"$state/lock/$name"
if ! flock -n "$lock"; then
    echo "the last one still works, nothing is done" | write_log
    exit 0
fi
trap : TERM
run "$@" </dev/null 2>&1 | write_log
