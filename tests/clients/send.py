"""Sends events with fluent-logger over plain TCP.

    python3 send.py PORT COUNT

The client knows no acknowledgements; it exits 0 once the last byte is handed to the kernel and the connection closed.
"""

import sys

from fluent import sender

port, count = int(sys.argv[1]), int(sys.argv[2])
logger = sender.FluentSender("nginx", host="127.0.0.1", port=port, nanosecond_precision=True, timeout=30.0)
for number in range(count):
    event = {
        "customer_name": "acme",
        "fqdn": "www.example.com",
        "log_type": "nginx",
        "mode": "python",
        "number": number,
    }
    if not logger.emit("access", event):
        sys.exit(f"event {number} was not sent: {logger.last_error}")
logger.close()
