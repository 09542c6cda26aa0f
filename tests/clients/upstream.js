// The server of @fluent-org/logger as an upstream: TLS with client certificates, a shared key and users. Writes each
// entry to standard output as a line of JSON, after a first line with its port.
//
//   node upstream.js CERTS
"use strict";

const fs = require("fs");
const path = require("path");
const { FluentServer } = require("@fluent-org/logger");

const [certs] = process.argv.slice(2);
const read = (name) => fs.readFileSync(path.join(certs, name));

const server = new FluentServer({
  tlsOptions: {
    ca: read("ca.crt"),
    cert: read("server.crt"),
    key: read("server.key"),
    requestCert: true,
    rejectUnauthorized: true,
  },
  security: { serverHostname: "upstream", sharedKey: "sekrit", authorize: true, userDict: { engine: "pa55" } },
  listenOptions: { host: "127.0.0.1", port: 0 },
});
server.on("entry", (tag, time, record) => {
  process.stdout.write(JSON.stringify({ tag, record }) + "\n");
});
server.listen().then(() => process.stdout.write(JSON.stringify({ port: server.port }) + "\n"));
