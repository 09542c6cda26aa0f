#!/usr/bin/env bash
# Counts the instructions of a fixed piece of work, and compares them with benches/instructions.txt:
#
#   scripts/count-instructions.sh            fails where a count grew by more than MARGIN percent
#   scripts/count-instructions.sh --update   writes the counts of now into the file
#
# Times depend on the machine and on who else uses it; instructions hardly do. Builds with a profile of its own, which
# takes half a minute once the dependencies are built.
set -euo pipefail
cd "$(dirname "$0")/.."

MARGIN=5
counts=benches/instructions.txt

if [ "$(uname -m)" != x86_64 ] || ! command -v valgrind >/dev/null 2>&1; then
  printf '\n!! INSTRUCTIONS ARE NOT COUNTED: it takes an x86-64 machine and valgrind (apt-get install valgrind)\n\n' >&2
  exit 0
fi

cargo build --profile instructions --locked --quiet --example instructions
program="${CARGO_TARGET_DIR:-target}/instructions/examples/instructions"

# Only what happens in these functions, and in what they call, is counted.
count() {
  local within="*measured_$1*"
  [ "$1" = journal ] && within="hikyaku::journal::writer::Writer::step*"
  valgrind --tool=callgrind --callgrind-out-file=/dev/null "--toggle-collect=$within" "$program" "$1" 2>&1 |
    awk '/Collected *:/ { print $NF }'
}

failed=0
new=""
for part in decode json lines journal; do
  now=$(count "$part")
  if [ -z "$now" ] || [ "$now" -eq 0 ]; then
    echo "count-instructions.sh: valgrind counted nothing for $part; run: valgrind --tool=callgrind $program $part" >&2
    exit 1
  fi
  new+="$part $now"$'\n'
  before=$(awk -v part="$part" '$1 == part { print $2 }' "$counts" 2>/dev/null || true)
  percent=$(awk -v now="$now" -v before="${before:-$now}" 'BEGIN { printf "%.1f", 100 * (now - before) / before }')
  printf '%-8s %12d instructions, %12d before: %s %%\n' "$part" "$now" "${before:-0}" "$percent"
  if awk -v percent="$percent" -v margin="$MARGIN" 'BEGIN { exit !(percent > margin) }'; then failed=1; fi
done

if [ "${1:-}" = --update ]; then
  printf '%s' "$new" >"$counts"
elif [ "$failed" = 1 ]; then
  echo "A part takes over $MARGIN % more instructions than $counts says. If that is what it is worth, or the compiler" \
    "is a new one, run scripts/count-instructions.sh --update and commit the file with the reason." >&2
  exit 1
fi
