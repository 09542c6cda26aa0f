#!/usr/bin/env bash
# Installs what the tests need, and runs all of them: format, lints, scripts, unit and integration tests, and real
# clients. Meant for a fresh machine with Rust, Node.js and Python 3.
set -euo pipefail
cd "$(dirname "$0")"

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
install_packages curl:curl openssl:openssl shellcheck:shellcheck python3:python3 node:nodejs npm:npm
if ! have cargo-nextest; then cargo install --locked cargo-nextest; fi

step "Scripts"
shellcheck test.sh .ci/run scripts/*.sh

step "Lints"
cargo clippy --all-targets --locked -- -D warnings

step "Real clients"
mkdir -p "$clients"
cp tests/clients/package.json tests/clients/package-lock.json "$clients/"
npm ci --prefix "$clients" --silent --no-audit --no-fund
if [ ! -x "$clients/python/bin/python3" ]; then
  python3 -m venv "$clients/python"
fi
"$clients/python/bin/python3" -m pip install --quiet --requirement tests/clients/requirements.txt

step "Tests"
cargo nextest run --locked --no-fail-fast
cargo test --locked --doc --quiet

step "Tests with real clients"
HIKYAKU_CLIENTS="$PWD/$clients" cargo nextest run --locked --no-fail-fast --run-ignored only -E 'binary(real_clients)'
