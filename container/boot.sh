#!/bin/bash
# What a machine does, from its boot to its own deletion: it runs one job's container, and tells why
# that ended when the container could not tell it itself (docs/protocol.md).
#
#     boot.sh         run the job, then delete this machine
#     boot.sh end     the last guard, for when the above was killed: tell so, delete this machine
#
# Needs bash, curl and docker. Every value comes from the metadata server. A machine that is not
# deleted here is deleted by Compute Engine when the limit of its run time is reached.
set -uo pipefail

metadata=${METADATA:-http://metadata.google.internal/computeMetadata/v1}
storage=${STORAGE:-https://storage.googleapis.com}
compute=${COMPUTE:-https://compute.googleapis.com}
folder=${FOLDER:-/var/lib/job}
pull_pause_seconds=${PULL_PAUSE_SECONDS:-10}
delete_pause_seconds=${DELETE_PAUSE_SECONDS:-5}
log_lines=2000

ask() {
    curl -sf --retry 8 --retry-delay 1 --retry-connrefused -m 10 \
        -H "Metadata-Flavor: Google" "$metadata/$1"
}

token() {
    ask instance/service-accounts/default/token | sed -n 's/.*"access_token" *: *"\([^"]*\)".*/\1/p'
}

attribute() {
    ask "instance/attributes/$1"
}

# upload FILE NAME [QUERY]: put a file into the job's folder in storage.
upload() {
    local object=${job_folder#gs://*/}/$2
    curl -s -o /dev/null --retry 5 --retry-all-errors -m 60 -X POST \
        -H "Authorization: Bearer $(token)" -H "Content-Type: application/octet-stream" \
        --data-binary @"$1" \
        "$storage/upload/storage/v1/b/$bucket/o?uploadType=media&name=${object//\//%2F}${3:-}"
}

# quote TEXT: as a string of JSON.
quote() {
    local text=${1//\\/\\\\}
    text=${text//\"/\\\"}
    text=${text//$'\n'/\\n}
    printf '"%s"' "$(printf %s "$text" | tr -d '\000-\037')"
}

# tell KIND STATUS REASON: the job's failure, unless the container or somebody else told one before.
tell() {
    local detail
    docker logs --tail "$log_lines" job >"$folder/log.txt" 2>&1 ||
        cp "$folder/pull.txt" "$folder/log.txt"
    detail=$(tail -n 12 "$folder/log.txt")
    printf '{"format": 1, "kind": %s, "by": "machine", "reason": %s, "detail": %s, "exit_status": %s}' \
        "$(quote "$1")" "$(quote "$3")" "$(quote "$detail")" "$2" >"$folder/failure.json"
    upload "$folder/log.txt" log.txt "&ifGenerationMatch=0"
    upload "$folder/failure.json" failure.json "&ifGenerationMatch=0"
}

delete_machine() {
    until curl -sf -o /dev/null -m 30 -X DELETE -H "Authorization: Bearer $(token)" \
        "$compute/compute/v1/projects/$project/zones/$zone/instances/$name"; do
        sleep "$delete_pause_seconds"
    done
    : >"$folder/deleted"
}

# finish KIND STATUS REASON: the end, whatever came before. Without KIND there is nothing to tell.
finish() {
    trap - EXIT TERM INT
    if [ "$(ask instance/preempted)" = TRUE ]; then
        tell preempted "$2" "the machine was preempted"
    elif [ -n "$1" ]; then
        tell "$1" "$2" "$3"
    fi
    delete_machine
    exit 0
}

pull() {
    docker-credential-gcr configure-docker --registries "${image%%/*}" >/dev/null 2>&1
    for _ in 1 2 3 4 5; do
        # Waited for in the background, so that a signal is heeded at once.
        docker pull -q "$image" >"$folder/pull.txt" 2>&1 &
        wait "$!" && return
        cat "$folder/pull.txt"
        sleep "$pull_pause_seconds" &
        wait "$!"
    done
    return 1
}

run() {
    docker run --name job --network host --init --env GOOGLE_CLOUD_PROJECT="$storage_project" \
        "$image" "$job_folder" &
    local running=$!
    (
        sleep "$limit_seconds"
        # run.py keeps the deadline; here it did not.
        tell deadline 143 "not ended $limit_seconds seconds after its container began"
        docker stop -t 20 job
    ) >/dev/null 2>&1 &
    local limit=$!
    wait "$running"
    local status=$?
    kill "$limit" 2>/dev/null
    return "$status"
}

mkdir -p "$folder/docker"
export HOME=$folder DOCKER_CONFIG=$folder/docker
job_folder=$(attribute job-folder)
image=$(attribute job-image)
limit_seconds=$(attribute job-deadline-seconds)
storage_project=$(attribute storage-project)
project=$(ask project/project-id)
name=$(ask instance/name)
zone=$(ask instance/zone)
zone=${zone##*/}
bucket=${job_folder#gs://}
bucket=${bucket%%/*}

if [ "${1:-}" = end ]; then
    [ -e "$folder/deleted" ] && exit 0
    docker stop -t 10 job >/dev/null 2>&1
    finish killed 137 "the boot script was killed"
fi
if [ -e "$folder/booted" ]; then
    finish killed 143 "the machine was started again"
fi
: >"$folder/booted"
trap 'docker stop -t 10 job >/dev/null 2>&1; finish killed 143 "the machine was told to end"' TERM INT
trap 'finish killed "$?" "the boot script ended before its time"' EXIT

pull || finish "pull failed" 125 "$image can't be pulled: $(tail -n 1 "$folder/pull.txt")"
run
status=$?
if [ "$(docker inspect -f '{{.State.OOMKilled}}' job 2>/dev/null)" = true ]; then
    finish "out of memory" "$status" "the container had not enough memory"
elif [ "$status" -gt 1 ]; then
    finish killed "$status" "the container ended with exit status $status"
fi
finish "" "$status" ""
