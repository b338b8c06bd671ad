#!/usr/bin/env bash
# A Docker engine and a registry for a machine that has none and whose network is to stay as it is:
# no bridge, no iptables, no systemd. Containers share the machine's network.
#
#     .ci/engine.sh FOLDER REGISTRY_ADDRESS
#
# Prints "ready" when the engine answers at FOLDER/docker.sock. Its input ends when its caller does,
# be it by kill -9. Then everything goes: engine, FOLDER, and the group of processes that the last
# line of the input named.
set -euo pipefail
folder=$1 address=$2
engine="" registry="" group=""

start_engine() {
    dockerd --data-root "$folder/data" --exec-root "$folder/exec" --pidfile "$folder/dockerd.pid" \
        --host "unix://$folder/docker.sock" --bridge=none --iptables=false --ip6tables=false \
        --ip-forward=false --oom-score-adjust 0 --exec-opt native.cgroupdriver=cgroupfs \
        >"$folder/dockerd.log" 2>&1 </dev/null &
    engine=$!
}

start_registry() {
    printf 'version: 0.1\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: "%s"}\n' \
        "$folder/registry" "$address" >"$folder/registry.yml"
    docker-registry serve "$folder/registry.yml" >"$folder/registry.log" 2>&1 </dev/null &
    registry=$!
}

# wait_for COMMAND: until it succeeds; gives up, with the engine's last words, after 30 seconds.
wait_for() {
    for _ in {1..300}; do
        "$@" >/dev/null 2>&1 && return
        sleep 0.1
    done
    tail -n 20 "$folder/dockerd.log" "$folder/registry.log" >&2
    exit 1
}

clean_up() {
    trap - EXIT
    [ -z "$group" ] || kill -KILL -- "-$group" 2>/dev/null || true
    kill "$engine" "$registry" 2>/dev/null || true
    wait
    umount "$folder/exec/netns/default" 2>/dev/null || true
    # What was killed a moment ago may still write.
    until rm -rf "$folder" 2>/dev/null; do sleep 0.5; done
}

trap clean_up EXIT
trap 'exit 143' HUP INT TERM
start_engine
start_registry
wait_for docker --host "unix://$folder/docker.sock" info
wait_for curl -sf "http://$address/v2/"
echo ready
while read -r line; do group=$line; done
