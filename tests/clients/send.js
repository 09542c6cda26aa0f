// Sends events with @fluent-org/logger over TLS with a client certificate, and waits for every acknowledgement.
//
//   node send.js PORT CERTS MODE COUNT
//
// MODE is Message, Forward, PackedForward or CompressedPackedForward. Exits 0 once all events are acknowledged.
"use strict";

const fs = require("fs");
const path = require("path");
const { FluentClient } = require("@fluent-org/logger");

const [port, certs, eventMode, count] = process.argv.slice(2);
const read = (name) => fs.readFileSync(path.join(certs, name));

const client = new FluentClient("nginx", {
  eventMode,
  ack: { ackTimeout: 30000 },
  milliseconds: true,
  flushInterval: 50,
  sendQueueIntervalFlushLimit: { length: 500 },
  socket: {
    host: "localhost",
    port: Number(port),
    timeout: 30000,
    tls: { ca: read("ca.crt"), cert: read("client.crt"), key: read("client.key") },
  },
});

async function main() {
  const acknowledgements = [];
  for (let number = 0; number < Number(count); number++) {
    acknowledgements.push(
      client.emit("access", {
        customer_name: "acme",
        fqdn: "www.example.com",
        log_type: "nginx",
        mode: eventMode,
        number,
      }),
    );
    // The client keeps every event in memory until it is acknowledged: in slices, as an application would.
    if (acknowledgements.length >= 1000) {
      await Promise.all(acknowledgements.splice(0));
    }
  }
  await Promise.all(acknowledgements);
  await client.disconnect();
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(error);
    process.exit(1);
  },
);
