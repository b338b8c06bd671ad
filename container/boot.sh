#!/bin/bash
# What a machine does, from its boot to its own deletion: it runs one job's container, and tells why
# that ended when the container could not tell it itself (docs/protocol.md).
#
#     boot.sh         run the job, then delete this machine
#     boot.sh end     the last guard, for when the above was killed: tell so, delete this machine
#
# Needs bash, curl and docker. Every value comes from the metadata server. A machine that is not
# deleted here is deleted by Compute Engine when the limit of its run time is reached. It is never
# switched off instead: a stopped machine keeps its disk, which is billed, and loses that limit.
set -uo pipefail

metadata=${METADATA:-http://metadata.google.internal/computeMetadata/v1}
storage=${STORAGE:-https://storage.googleapis.com}
compute=${COMPUTE:-https://compute.googleapis.com}
folder=${FOLDER:-/var/lib/job}
memory_file=${MEMORY_FILE:-/proc/meminfo}
pull_pause_seconds=${PULL_PAUSE_SECONDS:-10}
delete_pause_seconds=${DELETE_PAUSE_SECONDS:-5}

# run.py's exit statuses: the job is done; it is not, and why is in storage.
done_status=0
told_status=3
# What the system itself may use.
reserved_kib=524288
log_lines=2000
detail_lines=12

ask() {
    curl -sf --retry 8 --retry-delay 1 --retry-connrefused -m 10 \
        -H "Metadata-Flavor: Google" "$metadata/$1"
}

attribute() {
    ask "instance/attributes/$1"
}

# The header that says who we are. curl reads it from a file, as others see a command's arguments.
authorization() {
    ask instance/service-accounts/default/token |
        sed -n 's/.*"access_token" *: *"\([^"]*\)".*/Authorization: Bearer \1/p'
}

is_preempted() {
    [ "$(ask instance/preempted)" = TRUE ]
}

# upload FILE NAME [QUERY]: put a file into the job's folder in storage, within some minutes.
upload() {
    local object=${job_folder#gs://*/}/$2
    curl -s -o /dev/null --retry 12 --retry-all-errors --retry-max-time 300 -m 60 -X POST \
        -H @<(authorization) -H "Content-Type: application/octet-stream" --data-binary @"$1" \
        "$storage/upload/storage/v1/b/$bucket/o?uploadType=media&name=${object//\//%2F}${3:-}"
}

# quote TEXT: as a string of JSON.
quote() {
    local text=${1//\\/\\\\}
    text=${text//\"/\\\"}
    text=${text//$'\n'/\\n}
    text=${text//$'\t'/\\t}
    printf '"%s"' "$(printf %s "$text" | tr -d '\000-\037')"
}

# tell KIND STATUS REASON: the job's failure, unless somebody told one before. STATUS is empty when an
# engine that ends did not say.
tell() {
    echo "$3" >&2
    # The container prints all that is in its log, and may have had no time to copy it.
    docker logs --tail "$log_lines" job >"$folder/log.txt" 2>&1 ||
        cp "$folder/pull.txt" "$folder/log.txt" 2>/dev/null || : >"$folder/log.txt"
    printf '{"format": 1, "kind": %s, "by": "machine", "reason": %s, "detail": %s, "exit_status": %s}' \
        "$(quote "$1")" "$(quote "$3")" "$(quote "$(tail -n "$detail_lines" "$folder/log.txt")")" \
        "${2:-null}" >"$folder/failure.json"
    upload "$folder/log.txt" log.txt
    upload "$folder/failure.json" failure.json "&ifGenerationMatch=0"
}

# Until it is accepted; a machine that is gone is as good. One that is "not ready", 400, is being
# deleted already only if the system ends: it would be held up then.
delete_machine() {
    local code
    while true; do
        code=$(curl -s -o "$folder/deletion.txt" -w '%{http_code}' -m 30 -X DELETE \
            -H @<(authorization) \
            "$compute/compute/v1/projects/$project/zones/$zone/instances/$name")
        case $code in
            2?? | 404) return ;;
            400) [ -z "$ending" ] || return ;;
        esac
        echo "The machine can't be deleted, trying on: $code $(head -c 300 "$folder/deletion.txt")" >&2
        sleep "$delete_pause_seconds"
    done
}

# finish [KIND STATUS REASON]: the end, whatever came before.
finish() {
    trap 'ending=yes' TERM INT
    trap - EXIT
    [ "$#" -eq 0 ] || tell "$@"
    : >"$folder/told"
    delete_machine
    : >"$folder/deleted"
    exit 0
}

# Whether the container ended by itself, and left no question.
has_told() {
    case $(docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' job 2>/dev/null) in
        "exited $done_status" | "exited $told_status") return 0 ;;
    esac
    return 1
}

# The system ends: the machine is taken away, deleted, or shut down by somebody.
# shellcheck disable=SC2329 # a trap calls it
end_early() {
    trap '' TERM INT
    ending=yes
    # What is told first stands, and the container knows only that it was told to end.
    if is_preempted; then
        tell preempted 143 "the machine was preempted"
    fi
    docker stop -t 10 job >/dev/null 2>&1
    has_told && finish
    finish killed 143 "the machine was told to end"
}

pull() {
    local said
    # Nobody but Google sees the machine's token.
    case ${image%%/*} in
        *.pkg.dev | gcr.io | *.gcr.io)
            docker-credential-gcr configure-docker --registries "${image%%/*}" >/dev/null 2>&1
            ;;
    esac
    for _ in 1 2 3 4 5; do
        # Waited for in the background, so that a signal is heeded at once.
        docker pull -q "$image" >"$folder/pull.txt" 2>&1 &
        wait "$!" && return
        said=$(tail -n 1 "$folder/pull.txt")
        echo "$said" >&2
        if grep -qiE 'manifest unknown|manifest .* not found|name unknown' "$folder/pull.txt"; then
            finish error 125 "there is no image $image ($said): push it, or correct image in luigi.cfg"
        fi
        sleep "$pull_pause_seconds" &
        wait "$!"
    done
    finish "pull failed" 125 "$image can't be pulled: $said"
}

# Memory for the container, so that the kernel kills there, and not what tells of it.
memory_kib() {
    local key value _
    while read -r key value _; do
        if [ "$key" = MemTotal: ]; then
            echo $((value > 2 * reserved_kib ? value - reserved_kib : value / 2))
        fi
    done <"$memory_file"
}

run() {
    mkdir -p "$folder/work"
    # The container is somebody else than root, and has the disk for its files.
    chmod 1777 "$folder/work"
    docker create --name job --network host --read-only --tmpfs /tmp --volume "$folder/work:/work" \
        --memory "$(memory_kib)k" --cap-drop ALL --security-opt no-new-privileges \
        --env "GOOGLE_CLOUD_PROJECT=$storage_project" "$image" "$job_folder" \
        >"$folder/pull.txt" 2>&1 ||
        finish killed 125 "the container can't be made: $(tail -n 1 "$folder/pull.txt")"
    docker start --attach job &
    local running=$!
    (
        sleep "$limit_seconds"
        # run.py keeps the deadline; here it did not.
        tell deadline 143 "not ended $limit_seconds seconds after its container began"
        docker stop -t 20 job
    ) >/dev/null 2>&1 &
    local limit=$!
    wait "$running"
    kill "$limit" 2>/dev/null
    # However whoever watched it ended.
    status=$(docker wait job)
}

if [ -e "$folder/deleted" ]; then
    exit 0
fi
# Whether the system ends, as far as this script knows: not empty when it does.
ending=""
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
    ending=yes
    if [ ! -e "$folder/told" ] && ! has_told; then
        is_preempted && tell preempted 137 "the machine was preempted"
        tell killed 137 "the boot script was killed"
        docker stop -t 10 job >/dev/null 2>&1
    fi
    finish
fi
if [ -e "$folder/booted" ]; then
    finish killed 143 "the machine was started again"
fi
: >"$folder/booted"
trap end_early TERM INT
trap 'finish killed "$?" "the boot script ended before its time"' EXIT

pull
run
has_told && finish
if [ "$(docker inspect -f '{{.State.OOMKilled}}' job)" = true ]; then
    finish "out of memory" "$status" \
        "$(memory_kib) KiB of memory were not enough: set a larger machine_type in luigi.cfg"
fi
finish killed "$status" "the container ended with exit status $status: $(docker logs --tail 1 job 2>&1)"
