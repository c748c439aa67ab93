// Split and combine many secrets: shamir.mjs JOBS.json, hexadecimal in and out, in order.
import { readFileSync } from "node:fs";
import { combine, split } from "shamir-secret-sharing";

const hex = (bytes) => Buffer.from(bytes).toString("hex");
const raw = (text) => new Uint8Array(Buffer.from(text, "hex"));

const done = [];
for (const job of JSON.parse(readFileSync(process.argv.at(-1), "utf8"))) {
  if (job.secret) done.push((await split(raw(job.secret), job.n, job.k)).map(hex));
  else done.push(hex(await combine(job.shares.map(raw))));
}
process.stdout.write(JSON.stringify(done));
