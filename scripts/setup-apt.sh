#!/usr/bin/env bash
# Installs the Debian packages that are missing, by group:
#   run   what building and running Portico needs beyond Rust, Node and npm
#   test  the browser, broker and database that the tests use
#   load  the load generator of scripts/load.sh
#   wasm  Debian's compiler for wasm32, for machines where rustup cannot fetch that target
set -euo pipefail
. "$(dirname "$0")/env.sh"

[ $# -gt 0 ] || set -- run
packages=()
for group in "$@"; do
    case $group in
    run) packages+=(gcc libc6-dev make ca-certificates) ;;
    test) packages+=(chromium fonts-dejavu-core mosquitto mosquitto-clients postgresql postgresql-client shellcheck curl python3-venv) ;;
    load) packages+=(wrk) ;;
    wasm) packages+=(rustc-web cargo-web rust-web-src lld-22) ;;
    *) die "unknown group '$group' (run, test, load, wasm)" ;;
    esac
done

is_installed() { [ "$(dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null | cut -c2)" = i ]; }

if ! command -v dpkg-query >/dev/null; then
    case " ${packages[*]} " in
    *" gcc "*) command -v cc >/dev/null || die "this is no Debian: install a C compiler, then try again" ;;
    *) die "this is no Debian: install the equivalents of: ${packages[*]}" ;;
    esac
    exit 0
fi

missing=()
for package in "${packages[@]}"; do
    is_installed "$package" || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

say "installing Debian packages: ${missing[*]}"
as_root apt-get update -q
as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"

# The tests start their own, on free ports; a service of the same name would only hold Portico's port.
if [ -d /run/systemd/system ]; then
    for package in "${missing[@]}"; do
        case $package in
        mosquitto | postgresql) as_root systemctl disable --quiet --now "$package" || true ;;
        esac
    done
fi
