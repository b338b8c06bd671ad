#!/usr/bin/env bash
# Builds the image of this checkout, for linux/amd64 on whatever machine, and prints its id.
#
#     container/build.sh TAG
#
# By environment variables:
#     PREDICTION   the folder of the model package, within the checkout; prediction
#     BASE_IMAGE   an image with Python 3.11 to begin with; see the Dockerfile
#     PIP_CONF     a pip.conf for a private index; it is not kept in the image
#     DOCKER       the docker program; docker
set -euo pipefail
cd "$(dirname "$0")/.."
tag=$1
docker=${DOCKER:-docker}

# Without attestations the image of the same layers has the same digest, whoever pushes it.
export DOCKER_BUILDKIT=1 BUILDX_NO_DEFAULT_ATTESTATIONS=1

revision=$(git rev-parse --short=12 HEAD 2>/dev/null || echo unknown)
[ -z "$(git status --porcelain 2>/dev/null)" ] || revision+=-dirty

options=(--file container/Dockerfile --platform linux/amd64 --tag "$tag")
options+=(--build-arg VERSION="${tag##*:}" --build-arg REVISION="$revision")
[ -z "${BASE_IMAGE:-}" ] || options+=(--build-arg BASE_IMAGE="$BASE_IMAGE")
[ -z "${PREDICTION:-}" ] || options+=(--build-arg PREDICTION="$PREDICTION")
[ -z "${PIP_CONF:-}" ] || options+=(--secret "id=pip.conf,src=$PIP_CONF")
# An engine without a network of its own, such as CI's, builds in the machine's.
"$docker" network inspect bridge >/dev/null 2>&1 || options+=(--network host)

id=$(mktemp)
trap 'rm -f "$id"' EXIT
"$docker" build "${options[@]}" --iidfile "$id" . >&2
cat "$id"
