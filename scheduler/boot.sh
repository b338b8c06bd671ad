#!/bin/bash
# The scheduler's machine, on Container-Optimized OS: keeps the container running whose image the
# machine's metadata names by digest. Another digest there is in force within a minute: the container
# is told to end, and jobs that work are adopted by the next one. Needs bash, curl and docker.
set -uo pipefail
state=/var/lib/scheduler/state
name=scheduler
running=""

attribute() {
    curl -sSf --retry 8 --retry-all-errors -H "Metadata-Flavor: Google" \
        "http://metadata.google.internal/computeMetadata/v1/instance/attributes/$1"
}

pull() { # IMAGE
    docker-credential-gcr configure-docker --registries="${1%%/*}" >/dev/null
    docker pull --quiet "$1"
}

start() { # IMAGE
    docker rm --force "$name" >/dev/null 2>&1
    # luigid's port is on loopback, which the machine and the container share.
    docker run --detach --name "$name" --restart=always --network=host --read-only \
        --tmpfs /run --tmpfs /tmp --volume "$state:/state" \
        --cap-drop=ALL --cap-add=CHOWN --cap-add=DAC_OVERRIDE --cap-add=FOWNER --cap-add=KILL \
        --cap-add=SETGID --cap-add=SETUID --security-opt=no-new-privileges \
        --log-opt=max-size=10m --log-opt=max-file=3 "$1"
}

mkdir -p "$state"
trap 'docker stop --time=20 "$name" >/dev/null; exit 0' TERM INT
while true; do
    image=$(attribute image | tr -d '[:space:]')
    if [ -n "$image" ] && [ "$image" != "$running" ]; then
        if pull "$image" && { docker stop --time=20 "$name" >/dev/null 2>&1 || true; } && start "$image"; then
            running=$image
            echo "$image is running"
        else
            echo "$image can't be started; what ran before goes on, and it is tried again"
        fi
    fi
    sleep 60 &
    wait $!
done
