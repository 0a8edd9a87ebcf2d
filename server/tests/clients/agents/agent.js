// An agent on Node's own HTTP/2, which is nghttp2 and what @grpc/grpc-js stands on. The agent frames
// the messages and keeps the deadline, as grpc-js does.
"use strict";

const fs = require("node:fs");
const http2 = require("node:http2");
const readline = require("node:readline");

const [address, authority] = process.argv.slice(2);
const calls = new Map();
let session;

function connected() {
  if (!session || session.closed || session.destroyed) {
    session = authority
      ? http2.connect(`https://${address}`, { ca: fs.readFileSync(authority) })
      : http2.connect(`http://${address}`);
    // Node's default of 100 is for what servers push.
    session.setMaxListeners(0);
    session.on("error", () => {});
  }
  return session;
}

function framed(message) {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

function call(id, path, timeoutMs, file) {
  const parts = [];
  let status;
  let message = "";
  let failure = "";
  let gaveUp;
  const stream = connected().request({
    ":method": "POST",
    ":path": path,
    "content-type": "application/grpc",
    te: "trailers",
    "grpc-timeout": `${timeoutMs}m`,
  });
  const giveUp = (code) => {
    gaveUp = code;
    stream.close(http2.constants.NGHTTP2_CANCEL);
  };
  const timer = setTimeout(giveUp, Number(timeoutMs), 4);
  const take = (headers) => {
    status = headers["grpc-status"] ?? status;
    message = headers["grpc-message"] ?? message;
  };
  stream.on("response", take);
  stream.on("trailers", take);
  stream.on("data", (part) => parts.push(part));
  stream.on("error", (error) => (failure = error.message));
  stream.on("close", () => {
    clearTimeout(timer);
    calls.delete(id);
    const code = gaveUp ?? status ?? 14;
    const reply = Number(code) === 0 ? Buffer.concat(parts).subarray(5).toString("hex") : "";
    process.stdout.write(`${id} ${code} ${reply || "-"} ${message || failure}\n`);
  });
  stream.end(framed(fs.readFileSync(file)));
  calls.set(id, giveUp);
}

process.stdout.write(`ready ${process.versions.node}\n`);
readline
  .createInterface({ input: process.stdin })
  .on("line", (line) => {
    const [verb, id, ...rest] = line.split(" ");
    if (verb === "cancel") {
      calls.get(id)?.(1);
    } else {
      call(id, ...rest);
    }
  })
  .on("close", () => process.exit());
