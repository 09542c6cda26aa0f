#!/usr/bin/env bash
# Makes a CA, a server certificate and client certificates; what exists is kept.
#
#   scripts/generate-certs.sh [--client NAME]... [--server-name NAME]...     see `hikyaku certs --help`
#
# CERT_DIR  the folder (default: certs/ beside scripts/)
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CERT_DIR=${CERT_DIR:-$root/certs}

if command -v hikyaku >/dev/null; then
  exec hikyaku certs --dir "$CERT_DIR" "$@"
fi
if command -v cargo >/dev/null; then
  exec cargo run --quiet --release --manifest-path "$root/Cargo.toml" -- certs --dir "$CERT_DIR" "$@"
fi
echo "error: neither hikyaku nor cargo is installed; install one of them and try again" >&2
exit 1
