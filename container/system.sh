#!/usr/bin/env bash
# Makes the system that jobs run on out of the base's, when the image is built: with the packages of
# packages.txt and a user for the job, without the packages of unneeded.txt.
set -euo pipefail
shopt -s nullglob
here=$(dirname "$0")

# read_names FILE: the words of a file without its comments, sorted, a line each.
read_names() {
    sed 's/#.*//' "$here/$1" | xargs --no-run-if-empty printf '%s\n' | sort -u
}

# install_packages PACKAGE...
install_packages() {
    apt-get update
    apt-get install --yes --no-install-recommends "$@"
    rm -rf /var/lib/apt/lists/*
}

# Python's own library comes without byte code: half a second at each start. Nobody installs anything
# later, so pip goes, and with it what only a person at a terminal has a use for.
prepare_python() {
    local library
    library=$(python3 -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')
    rm -rf /usr/local/lib/python3*/site-packages/* /usr/local/bin/{pip,wheel}* \
        "$library"/{ensurepip,idlelib,lib2to3,pydoc_data,test,tkinter,turtledemo,lib-dynload/nis.*}
    python3 -m compileall -q --invalidation-mode unchecked-hash -x '/(.*-packages|distutils)/' "$library"
}

add_user() {
    useradd --uid 10001 --user-group --no-create-home --home-dir /work job
    install --directory --owner=job --group=job --mode=1777 /work
}

# list_needed PACKAGE...: those, and all that they need.
list_needed() {
    apt-cache depends --recurse --installed --no-recommends --no-suggests --no-conflicts \
        --no-breaks --no-replaces --no-enhances "$@" | sed -n 's/^\([a-z0-9][^:]*\).*/\1/p'
}

# list_unneeded PACKAGE...: what is installed of unneeded.txt, but not what these need.
list_unneeded() {
    # shellcheck disable=SC2016  # dpkg's field, not a variable
    read_names unneeded.txt |
        comm -12 - <(dpkg-query --show --showformat '${Package}\n' | sort -u) |
        comm -23 - <([ $# = 0 ] || list_needed "$@" | sort -u)
}

# remove_packages PACKAGE...: dpkg keeps account of it, so that a scanner finds what is there.
remove_packages() {
    local said
    # Their scripts would miss what another one took along.
    rm -f /var/lib/dpkg/info/*.{prerm,postrm}
    said=$(dpkg --purge --force-remove-essential --force-depends "$@" 2>&1) || {
        echo "$said" >&2
        exit 1
    }
    find /var/lib/dpkg/info -type f ! -name '*.list' ! -name '*.md5sums' -delete
}

# Rare by glibc's own account, which keeps a list of its own for them. Python brings its encodings.
remove_rare_encodings() {
    local folder common module
    for folder in /usr/lib/*/gconv; do
        common=$(awk '$1 == "module" {print $4 ".so"}' "$folder/gconv-modules")
        for module in "$folder"/*.so; do
            grep -qxF "${module##*/}" <<<"$common" || rm "$module"
        done
        rm -rf "$folder"/gconv-modules.{cache,d}
    done
}

mapfile -t wanted < <(read_names packages.txt)
[ ${#wanted[@]} = 0 ] || install_packages "${wanted[@]}"
prepare_python
add_user
# Another system than Debian keeps its packages.
if command -v dpkg >/dev/null; then
    mapfile -t unneeded < <(list_unneeded "${wanted[@]}")
    remove_packages "${unneeded[@]}"
fi
remove_rare_encodings
rm -rf /var/cache/* /var/log/* /var/lib/dpkg/*-old /usr/share/zoneinfo/right
