#!/usr/bin/env bash
# Prints the commit of this checkout, with -dirty when something in it is not committed.
set -euo pipefail
cd "$(dirname "$0")/.."
revision=$(git rev-parse --short=12 HEAD 2>/dev/null) || { echo unknown; exit; }
[ -z "$(git status --porcelain)" ] || revision+=-dirty
echo "$revision"
