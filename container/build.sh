#!/usr/bin/env bash
# Builds the image of this checkout, for linux/amd64 on whatever machine, and prints its id.
#
#     container/build.sh TAG
#
# By environment variables:
#     DOCKERFILE   what is built; container/Dockerfile
#     PREDICTION   the folder of the model package, within the checkout; prediction
#     VERSION      what the image's label says, as REVISION, which is the commit
#     BASE_IMAGE   an image with Python 3.11 to begin with; see the Dockerfile
#     PIP_CONF     a pip.conf for a private index; it is not kept in the image
#     NETWORK      the network of the build; host where a proxy or an index is on this machine
#     DOCKER       the docker program; docker
set -euo pipefail
cd "$(dirname "$0")/.."
docker=${DOCKER:-docker}
prediction=${PREDICTION:-prediction}

if [ ! -f "$prediction/main.py" ]; then
    echo "$prediction is no model package of this checkout: it has no main.py. Correct" \
        "\`prediction\` under [pipeline] in luigi.cfg." >&2
    exit 1
fi

# Without attestations the same layers have the same digest, whoever builds them.
export DOCKER_BUILDKIT=1 BUILDX_NO_DEFAULT_ATTESTATIONS=1

options=(--file "${DOCKERFILE:-container/Dockerfile}" --platform linux/amd64 --tag "$1")
options+=(--build-arg PREDICTION="$prediction" --build-arg VERSION="${VERSION:-unknown}")
options+=(--build-arg REVISION="${REVISION:-$(container/revision.sh)}")
[ -z "${BASE_IMAGE:-}" ] || options+=(--build-arg BASE_IMAGE="$BASE_IMAGE")
[ -z "${PIP_CONF:-}" ] || options+=(--secret "id=pip.conf,src=$PIP_CONF")
# An engine without a network of its own, such as CI's, builds in the machine's.
"$docker" network inspect bridge >/dev/null 2>&1 || options+=(--network host)
[ -z "${NETWORK:-}" ] || options+=(--network "$NETWORK")

id=$(mktemp)
trap 'rm -f "$id"' EXIT
"$docker" build "${options[@]}" --iidfile "$id" . >&2
cat "$id"
