#!/usr/bin/env bash
# The first process of the scheduler's container: keeps luigid up, for this machine only, and cron
# in the foreground. When cron ends, so does the container.
#
# SIGTERM goes to cron, then to luigid, which writes down what it knows, and to the luigi commands,
# which leave the jobs that they watch alone.
set -uo pipefail
run=${RUN:-/run/scheduler}
port=${LUIGID_PORT:-8082}
restart_seconds=1
luigid="" cron="" echo=""

as_pipeline() {
    exec setpriv --reuid=pipeline --regid=pipeline --clear-groups "$@"
}

# Without a line for each request.
luigid_program='import logging; from luigi.cmdline import luigid;'
luigid_program+='logging.getLogger("tornado.access").setLevel(logging.WARNING); luigid()'

start_luigid() {
    as_pipeline python -c "$luigid_program" --address 127.0.0.1 --port "$port" \
        --state-path "$STATE/luigid.pickle" &
    luigid=$!
}

# What commands of the crontab print. Open for both, it never ends.
start_echo() {
    cat <>"$run/output" &
    echo=$!
}

# shellcheck disable=SC2329 # a trap calls it
end() {
    trap '' TERM INT
    kill "$cron" 2>/dev/null
    # Whatever this user has started, luigid among it.
    (as_pipeline bash -c 'kill -TERM -1') 2>/dev/null
    wait "$luigid"
    # The commands say farewell.
    for _ in {1..50}; do
        [ -n "$(find /proc -maxdepth 1 -user pipeline -print -quit 2>/dev/null)" ] || break
        sleep 0.1
    done
    kill "$echo" 2>/dev/null
    exit 0
}

if ! (as_pipeline test -w "$STATE"); then
    echo "$STATE can't be written to. On the machine: chown 10001:10001 the folder that is mounted there." >&2
    exit 1
fi
mkdir -p "$run"
chmod 755 "$run"
[ -p "$run/output" ] || mkfifo -m 622 "$run/output"
chmod 622 "$run/output"
export -p >"$run/environment"
trap end TERM INT
start_echo
start_luigid
cron -f &
cron=$!
while true; do
    wait -n -p ended
    case ${ended:-} in
    "$luigid")
        echo "luigid has ended, and is started again" >&2
        sleep "$restart_seconds"
        start_luigid
        ;;
    "$echo") start_echo ;;
    "$cron")
        echo "cron has ended" >&2
        exit 1
        ;;
    esac
done
