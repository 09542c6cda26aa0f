// Receives events with the server of @fluent-org/logger over TLS, asking for a client certificate and a shared key.
//
//   node receive.js CERTS SHARED_KEY
//
// Prints the port that it listens on, then one JSON object a line: {"tag", "seconds", "nanoseconds", "record"}. Ends when
// its standard input ends.
"use strict";

const fs = require("fs");
const path = require("path");
const { FluentServer, EventTime } = require("@fluent-org/logger");

const [certs, sharedKey] = process.argv.slice(2);
const read = (name) => fs.readFileSync(path.join(certs, name));

const server = new FluentServer({
  listenOptions: { port: 0, host: "127.0.0.1" },
  keepalive: true,
  security: {
    serverHostname: "node-1",
    sharedKey,
    authorize: true,
    userDict: { relay: "pa55" },
  },
  tlsOptions: {
    ca: read("ca.crt"),
    cert: read("server.crt"),
    key: read("server.key"),
    requestCert: true,
    rejectUnauthorized: true,
  },
});

server.on("entry", (tag, time, record) => {
  const at = time instanceof EventTime ? time : new EventTime(time, 0);
  console.log(JSON.stringify({ tag, seconds: at.epoch, nanoseconds: at.nano, record }));
});

process.stdin.on("end", () => process.exit(0)).resume();
server.listen().then(() => console.log(server.port));
