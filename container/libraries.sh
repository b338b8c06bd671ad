#!/usr/bin/env bash
# Makes /opt/venv, the environment with the libraries of requirements.lock and wheels/ beside this file,
# when an image is built.
set -euo pipefail
here=$(dirname "$0")

# Wheels alone, each with a checksum in the lock, so nothing is built here and nothing can be
# exchanged. pip.conf may name a private index and its password; it does not stay in the image.
install_libraries() {
    python3 -m venv /opt/venv
    /opt/venv/bin/pip install --require-hashes --no-deps --only-binary=:all: --no-compile \
        --find-links "$here/wheels" -r "$here/requirements.lock"
    /opt/venv/bin/pip check
    /opt/venv/bin/pip uninstall --yes --quiet setuptools pip
}

# What runs nowhere, some 20 MB as pushed: libraries' own tests; the sources of Cython modules; and of
# pyarrow, the largest, its network services (Flight, S3, Google, Azure, HDFS), as storage is the job's
# part and the model has files, and what a compiler or a linker would read. Not libarrow_substrait,
# which all of pyarrow is linked to; and no stripping, which numpy does not survive.
leave_out() {
    find . -type d '(' -name tests -o -path '*/joblib/test' ')' -prune -exec rm -rf {} +
    find . '(' -name '*.pyx' -o -name '*.px[di]' ')' -delete
    find python3*/site-packages/pyarrow -maxdepth 1 '(' \
        -name '*flight*' -o -name '_s3fs.*' -o -name '_gcsfs.*' -o -name '_azurefs.*' \
        -o -name '_hdfs.*' -o -name 'libarrow_s3.*' -o -name include -o -name src \
        -o -name 'libarrow_python*.so' -o -name 'libarrow_python*.so.*.*.*' ')' -exec rm -rf {} +
}

install_libraries
cd /opt/venv/lib
leave_out
# Byte code is made here, as nobody can write it later, and is believed without a look at the
# source, whose time the layers may change.
/opt/venv/bin/python -m compileall -q --invalidation-mode unchecked-hash .
# Some bring the same library along, such as Fortran's.
! command -v hardlink >/dev/null || hardlink --quiet --content .
