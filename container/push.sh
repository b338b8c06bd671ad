#!/usr/bin/env bash
# Pushes an image that is here, and prints the line of luigi.cfg that names it by its digest:
# KEY = REPOSITORY@sha256:..., with `image` for KEY.
#
#     container/push.sh IMAGE REPOSITORY [KEY]
#
# The tag of IMAGE is kept, for people: machines go by the digest, which nobody can exchange.
set -euo pipefail
docker=${DOCKER:-docker}
image=$1
repository=${2:-}

case ${repository##*/} in
"" | *[:@]*)
    echo "Name the repository, without a tag: make push" \
        "IMAGE=europe-west1-docker.pkg.dev/my-project/models/churn" >&2
    exit 1
    ;;
esac

"$docker" tag "$image" "$repository:${image##*:}"
digest=$("$docker" push "$repository:${image##*:}" | tee /dev/stderr |
    sed -n 's/.*digest: \(sha256:[0-9a-f]*\).*/\1/p')
echo "${3:-image} = $repository@$digest"
