# shellcheck shell=bash
# SPDX-License-Identifier: GPL-3.0-or-later
# What every script needs before it starts: tools of the distribution, the virtual environment, the image of the
# test hosts. Sourced; changes into the checkout. Quiet when all is there; what fails is shown with its own words.
#
#   setup_tools       Python environment with locked versions, piquet itself, the collection by its full name
#   setup_packages …  packages of the distribution
#   setup_servers     nginx, Apache, HAProxy and certbot on this machine, installed but not started
#   setup_fronts      Varnish and Caddy on this machine, installed but not started
#   setup_modules     Apache modules whose packages would switch this machine's Apache to another MPM, only unpacked
#   setup_browser     a Chromium for the tests on pages
#   setup_pdf         what draws a PDF
#   setup_hosts       what boots test hosts, and their base image
#   setup_suites      the base images of the other Debian releases that the mixed fleet of the tests runs

cd "$(dirname "${BASH_SOURCE[0]}")/../.." || exit 1
unset PYTHONDONTWRITEBYTECODE # hundreds of short processes would compile all of it, each anew
export LC_ALL=C.UTF-8 # Ansible refuses other encodings, and messages are compared
export PATH="$PWD/.venv/bin:$PATH:/usr/sbin:/sbin"

fail() {
  printf 'error: %s\n' "$1" >&2
  [ -z "${2-}" ] || printf '\nhint: %s\n' "$2" >&2
  exit 1
}

# quietly TITLE COMMAND…: run one step; its output is shown only when it fails.
quietly() {
  local title=$1 log
  shift
  log=$(mktemp)
  printf '%s … ' "$title" >&2
  if "$@" >"$log" 2>&1 </dev/null; then
    printf 'done\n' >&2
    rm -f "$log"
  else
    printf 'failed\n\n' >&2
    tail -n 40 "$log" >&2
    rm -f "$log"
    fail "$title failed: $*"
  fi
}

# Two scripts started at once must not build the same environment.
setup_lock() {
  mkdir -p .cache
  exec 9>.cache/setup.lock
  flock 9
}

setup_unlock() {
  exec 9>&-
}

is_installed() {
  [ "$(dpkg-query --show --showformat '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

setup_packages() {
  local package missing=()
  for package in "$@"; do
    is_installed "$package" || missing+=("$package")
  done
  [ "${#missing[@]}" -gt 0 ] || return 0
  command -v apt-get >/dev/null || fail "this needs Debian or Ubuntu: there is no apt-get" "install by hand: ${missing[*]}"
  [ "$(id -u)" -eq 0 ] || fail "packages are missing: ${missing[*]}" "run it as root, or: sudo apt-get install ${missing[*]}"
  [ -n "${lists_are_fresh-}" ] || quietly "package lists" apt-get update
  lists_are_fresh=yes
  quietly "install ${missing[*]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install --yes --no-install-recommends "${missing[@]}"
}

# nginx's modules that owners may have loaded: a test loads the one that it needs. Not perl, image and xslt filters,
# which are for single locations, and not geoip, which answers nothing.
readonly nginx_modules=(
  libnginx-mod-http-{auth-pam,brotli-filter,brotli-static,cache-purge,dav-ext,echo,fancyindex,headers-more-filter,lua}
  libnginx-mod-http-{modsecurity,set-misc,srcache-filter,subs-filter,uploadprogress} libnginx-mod-nchan modsecurity-crs
)

# Tests start servers of their own on ports of their own. A service that was not here before must not start, now or
# at the next boot; one that was here is not touched, and not restarted for the sake of a module either.
setup_servers() {
  setup_unstarted "nginx apache2 haproxy certbot.timer" nginx "${nginx_modules[@]}" apache2 libapache2-mod-security2 \
    haproxy python3-certbot-nginx libfaketime openssl curl
}

setup_fronts() {
  setup_unstarted "varnish caddy" varnish caddy
}

# setup_unstarted UNITS PACKAGE…: a unit is called as its package, but for `.timer`.
setup_unstarted() {
  local unit package units=$1 policy=/usr/sbin/policy-rc.d new=() is_complete=yes is_held=
  shift
  for unit in $units; do
    is_installed "${unit%.timer}" || new+=("$unit")
  done
  for package in "$@"; do
    is_installed "$package" || is_complete=
  done
  if [ -z "$is_complete" ] && [ ! -e "$policy" ] && [ "$(id -u)" -eq 0 ]; then
    is_held=yes
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
  fi
  setup_packages "$@"
  if [ -n "$is_held" ]; then
    rm -f "$policy"
    trap - EXIT
  fi
  [ "${#new[@]}" -gt 0 ] || return 0
  [ ! -d /run/systemd/system ] || quietly "leave ${new[*]} off" systemctl disable "${new[@]}"
}

# libapache2-mpm-itk makes itself the MPM as it is installed; tests load its file from .cache/modules instead.
setup_modules() {
  local folder=.cache/modules work
  [ ! -e "$folder/mpm_itk.so" ] || return 0
  mkdir -p "$folder"
  work=$(mktemp -d "$folder/new.XXXXXX")
  quietly "package lists" apt-get update
  (cd "$work" && quietly "fetch libapache2-mpm-itk" apt-get download libapache2-mpm-itk)
  quietly "unpack libapache2-mpm-itk" dpkg-deb --extract "$work"/libapache2-mpm-itk_*.deb "$work"
  mv "$work"/usr/lib/apache2/modules/mpm_itk.so "$folder"
  rm -rf "$work"
}

# Ubuntu has no package of it: there, one that is on PATH already is as good.
setup_browser() {
  local name
  for name in chromium chromium-browser google-chrome google-chrome-stable; do
    command -v "$name" >/dev/null && return 0
  done
  setup_packages chromium fonts-dejavu-core
}

# What WeasyPrint draws with: a decision as PDF.
setup_pdf() {
  setup_packages libpango-1.0-0 libpangoft2-1.0-0 fonts-dejavu-core
}

setup_tools() {
  python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    fail "Python 3.11 or later is needed as python3" "Debian 12, Ubuntu 24.04 and later have it: apt-get install python3"
  python3 -c 'import ensurepip, venv' 2>/dev/null || setup_packages python3-venv
  local stamp
  stamp=$({ pwd; python3 --version; cat requirements.lock pyproject.toml; } | sha256sum)
  [ "$(cat .venv/.stamp 2>/dev/null)" = "$stamp" ] && return 0
  if [ "$(.venv/bin/python --version 2>/dev/null)" != "$(python3 --version)" ]; then
    quietly "Python environment" python3 -m venv --clear .venv
  fi
  local pip=(.venv/bin/python -m pip --disable-pip-version-check --quiet install)
  quietly "locked Python packages" "${pip[@]}" --require-hashes --requirement requirements.lock
  quietly "piquet" "${pip[@]}" --no-deps --no-build-isolation --editable .
  link_collection
  printf '%s\n' "$stamp" >.venv/.stamp
}

# Ansible finds piquet.fleet by its full name from any folder, straight from this checkout.
link_collection() {
  local packages
  packages=$(.venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
  mkdir -p "$packages/ansible_collections/piquet"
  ln -sfn "$PWD" "$packages/ansible_collections/piquet/fleet"
}

setup_hosts() {
  [ "$(id -u)" -eq 0 ] || fail "test hosts need root" "run it again with sudo"
  setup_packages systemd-container mmdebstrap iproute2 openssh-client ca-certificates
  python -m testbed image --check 2>/dev/null || quietly "base image of the test hosts" python -m testbed image
}

setup_suites() {
  local suite building=()
  for suite in $(python -m tests.suites); do
    python -m testbed image --suite "$suite" --check 2>/dev/null || building+=("$suite")
  done
  [ "${#building[@]}" -eq 0 ] || quietly "base images of ${building[*]}" build_images "${building[@]}"
}

# Side by side: each of them mostly waits for the mirror.
build_images() {
  local suite build builds=() failed=0
  for suite in "$@"; do
    python -m testbed image --suite "$suite" &
    builds+=("$!")
  done
  for build in "${builds[@]}"; do wait "$build" || failed=1; done
  return "$failed"
}
