#!/usr/bin/env bash
# The scheduler's container, from its start to its end: luigid, cron, and the log of what cron starts.
#
# luigid listens on this machine alone and keeps what it knows in STATE, so that it goes on where it
# was. It is started again when it dies; when cron dies, or somebody wants an end, all ends.
set -euo pipefail
state=${STATE:-/state}
user=orchestrator
luigid="" cron="" tail=""

as_user() {
    exec setpriv --reuid "$user" --regid "$user" --clear-groups "$@"
}

start_luigid() {
    (LUIGI_CONFIG_PATH=/srv/scheduler/luigid.cfg as_user luigid --address 127.0.0.1 \
        --port 8082 --state-path "$state/luigid.pickle") &
    luigid=$!
}

end() {
    trap - EXIT
    # A luigid that is told to end writes its state.
    kill "$cron" "$luigid" "$tail" 2>/dev/null || true
    wait || true
    exit "$1"
}

install --directory --owner="$user" --group="$user" "$state" "$state/log"
# What cron starts gets these from here, as cron itself hands on nothing.
install --directory --mode=0750 --group="$user" /run/scheduler
(umask 027 && export -p >/run/scheduler/environment && chgrp "$user" /run/scheduler/environment)

trap 'end 143' TERM
trap 'end 130' INT
trap 'end $?' EXIT
touch "$state/log/training.txt" "$state/log/backfill.txt"
chown "$user:$user" "$state"/log/*.txt
start_luigid
cron -f &
cron=$!
tail --quiet --lines=0 --follow=name --retry "$state/log/training.txt" "$state/log/backfill.txt" &
tail=$!

while true; do
    wait -n || true
    kill -0 "$cron" 2>/dev/null || { echo "cron has ended"; exit 1; }
    if ! kill -0 "$luigid" 2>/dev/null; then
        echo "luigid has ended and is started again"
        sleep 1
        start_luigid
    fi
done
