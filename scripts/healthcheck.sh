#!/usr/bin/env bash
# Asks a running server whether it is healthy: exit 0 if so, else 1.
#
# HEALTH_ENDPOINT   default http://localhost:8889/health
# METRICS_ENDPOINT  default http://localhost:24231/metrics
# TIMEOUT           seconds that each request may take, default 10
# HIKYAKU_CONTAINER    where set: this container has to be running, too
set -euo pipefail

HEALTH_ENDPOINT=${HEALTH_ENDPOINT:-http://localhost:8889/health}
METRICS_ENDPOINT=${METRICS_ENDPOINT:-http://localhost:24231/metrics}
TIMEOUT=${TIMEOUT:-10}

readonly BUFFER_WARNING=$((1024 * 1024 * 1024))
readonly BUFFER_ERROR=$((1536 * 1024 * 1024))

failed=0

ok() { echo "OK:      $*"; }
warning() { echo "WARNING: $*"; }
error() {
  echo "ERROR:   $*"
  failed=1
}

# The sum over all samples of a metric, as an integer: awk prints large sums as 1e+09 unless it is told not to.
sum() {
  grep "$1" <<<"$metrics" | grep -v '#' | awk '{sum+=$2} END {printf "%.0f\n", sum}'
}

if [[ -n ${HIKYAKU_CONTAINER:-} ]]; then
  if [[ -n $(docker ps --quiet --filter "name=^${HIKYAKU_CONTAINER}\$") ]]; then
    ok "container $HIKYAKU_CONTAINER is running"
  else
    error "container $HIKYAKU_CONTAINER is not running"
  fi
fi

if curl --fail --silent --show-error --max-time "$TIMEOUT" --output /dev/null "$HEALTH_ENDPOINT"; then
  ok "$HEALTH_ENDPOINT"
else
  error "$HEALTH_ENDPOINT does not answer"
fi

if metrics=$(curl --fail --silent --show-error --max-time "$TIMEOUT" "$METRICS_ENDPOINT"); then
  ok "$METRICS_ENDPOINT"
else
  error "$METRICS_ENDPOINT does not answer"
  exit 1
fi

# A missing metric ends the check here: grep finds nothing and the assignment fails.
trap 'echo "ERROR:   a metric is missing at $METRICS_ENDPOINT"; exit 1' ERR
buffer=$(sum fluentd_output_status_buffer_total_bytes)
received=$(sum fluentd_input_status_num_records_total)
written=$(sum fluentd_output_status_num_records_total)
retries=$(sum fluentd_output_status_retry_count)
trap - ERR

if ((buffer > BUFFER_ERROR)); then
  error "buffers hold $buffer bytes, more than $BUFFER_ERROR"
elif ((buffer > BUFFER_WARNING)); then
  warning "buffers hold $buffer bytes, more than $BUFFER_WARNING"
else
  ok "buffers hold $buffer bytes"
fi
ok "received $received records, wrote $written"
if ((retries > 0)); then
  warning "$retries retries"
else
  ok "no retries"
fi

exit "$failed"
