#!/bin/sh
# Installs Debian packages that the tests need, and nothing of what else such packages do: no
# service is started, now or at the next boot, no database cluster is made, and what is installed
# already, perhaps in use, is not upgraded. Needs root.
# Usage: install-packages.sh PACKAGE...
set -eu

# What dpkg asks before it starts a service, and what the packages of PostgreSQL read before they
# make a cluster. Where an administrator has one already, it stays.
policy=/usr/sbin/policy-rc.d
clusters=/etc/postgresql-common/createcluster.conf
made=

make() { # FILE TEXT
  if [ ! -e "$1" ]; then
    mkdir -p "$(dirname "$1")"
    printf '%s\n' "$2" >"$1"
    chmod 755 "$1"
    made="$made $1"
  fi
}

clean_up() {
  # shellcheck disable=SC2086 # Two paths without spaces.
  [ -z "$made" ] || rm -f $made
}

is_installed() { # PACKAGE
  dpkg-query --show --showformat='${Status}' "$1" 2>/dev/null | grep -q 'ok installed'
}

new=
for package in "$@"; do
  is_installed "$package" || new="$new $package"
done

trap clean_up EXIT
trap 'exit 1' HUP INT TERM
make "$policy" '#!/bin/sh
exit 101'
make "$clusters" 'create_main_cluster = false'

export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install --yes --no-upgrade --no-install-recommends "$@"

for package in $new; do
  if [ -e "/etc/init.d/$package" ]; then
    update-rc.d "$package" disable
  fi
done
