#!/usr/bin/env bash
# Makes a base for images where no registry can be reached: Debian's own Python, copied from the
# packages that this machine has installed, so that apt and pip work in it as they do here.
#
#     .ci/base.sh TAG
set -euo pipefail
docker=${DOCKER:-docker}

wanted=(apt ca-certificates debian-archive-keyring libstdc++6 mawk netbase python3 python3-venv tzdata)
unwanted='/usr/share/(doc|info|lintian|locale|man)'

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT

# show FIELD: of every package that is installed.
show() {
    dpkg-query -W -f '${db:Status-Abbrev}'"$1"'\n' | sed -n 's/^ii *//p'
}

# Those, what is essential, and all that they need.
list_packages() {
    local essential
    # shellcheck disable=SC2016  # dpkg's fields, not variables
    mapfile -t essential < <(show '${Essential} ${Package}' | sed -n 's/^yes //p')
    # shellcheck disable=SC2016
    apt-cache depends --recurse --installed --no-recommends --no-suggests --no-conflicts \
        --no-breaks --no-replaces --no-enhances "${essential[@]}" "${wanted[@]}" |
        sed -n 's/^\([a-z0-9][^:]*\).*/\1/p' | sort -u | comm -12 - <(show '${Package}' | sort -u)
}

copy_files() {
    dpkg-query --listfiles "$@" | sed -n 's#^/##p' | grep -vE "^${unwanted#/}(/|$)" | sort -u |
        tar -C / -c --no-recursion --files-from - \
            --transform 'flags=rSH;s#^\(bin\|sbin\|lib\|lib64\)/#usr/\1/#' |
        tar -C "$root" -x
}

# So that apt knows what is there.
write_status() {
    mkdir -p "$root"/var/lib/dpkg/{info,updates,triggers} "$root"/var/lib/apt/lists/partial \
        "$root"/var/cache/apt/archives/partial
    dpkg-query --status "$@" >"$root/var/lib/dpkg/status"
    local package
    for package; do
        cp -a "/var/lib/dpkg/info/$package".[a-z]* "/var/lib/dpkg/info/$package:"* \
            "$root/var/lib/dpkg/info" 2>/dev/null || true
    done
    cp -a /etc/apt "$root/etc"
}

# What the packages' own scripts would have made.
configure() {
    cp "$root/usr/share/base-passwd/passwd.master" "$root/etc/passwd"
    cp "$root/usr/share/base-passwd/group.master" "$root/etc/group"
    sed 's/:.*/:*:19000:0:99999:7:::/' "$root/etc/passwd" >"$root/etc/shadow"
    sed 's/:.*/:*::/' "$root/etc/group" >"$root/etc/gshadow"
    cp -L /etc/nsswitch.conf "$root/etc"
    cp /etc/ca-certificates.conf "$root/etc"
    mkdir -p "$root"/usr/local/{bin,lib,share}
    cp -r /usr/local/share/ca-certificates "$root/usr/local/share"
    cp -L /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs"
    ln -sf mawk "$root/usr/bin/awk"
    ldconfig -r "$root"
}

mapfile -t packages < <(list_packages)
copy_files "${packages[@]}"
write_status "${packages[@]}"
configure
tar -C "$root" --numeric-owner -c . | "$docker" import - "$1"
