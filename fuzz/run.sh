#!/usr/bin/env bash
# Fuzzes targets one after the other, from the corpus that the tests keep, and adds what is new and interesting to it.
#
#   fuzz/run.sh [SECONDS] [TARGET...]      600 seconds each, all targets
#
# Needs a nightly compiler and cargo-fuzz. A crash leaves its input in fuzz/artifacts/TARGET/: copy it to
# tests/fixtures/corpus/TARGET/, where it becomes a test.
set -euo pipefail
cd "$(dirname "$0")"

seconds=${1:-600}
shift || true
targets=("$@")
[ ${#targets[@]} -gt 0 ] || mapfile -t targets < <(cargo +nightly fuzz list)

for target in "${targets[@]}"; do
  printf '\n== %s, %s seconds\n' "$target" "$seconds"
  kept=../tests/fixtures/corpus/$target
  mkdir -p "corpus/$target"
  cargo +nightly fuzz run "$target" "corpus/$target" "$kept" -- -max_total_time="$seconds" -max_len=4096 -rss_limit_mb=4096 -print_final_stats=1
  # Only what reaches code that nothing kept reaches, and nothing large.
  cargo +nightly fuzz run "$target" "$kept" "corpus/$target" -- -merge=1 -use_counters=0 -max_len=1024
done
