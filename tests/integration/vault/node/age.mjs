// Open and seal many age files in one process: age.mjs JOBS.json
// A job is {open: file, identity, to: file} or {seal: file, recipients, to: file}.
import { readFileSync, writeFileSync } from "node:fs";
import { Decrypter, Encrypter } from "age-encryption";

for (const job of JSON.parse(readFileSync(process.argv.at(-1), "utf8"))) {
  const given = readFileSync(job.open ?? job.seal);
  const worker = job.open ? new Decrypter() : new Encrypter();
  if (job.open) worker.addIdentity(job.identity);
  else job.recipients.forEach((one) => worker.addRecipient(one));
  const made = job.open ? await worker.decrypt(given) : await worker.encrypt(given);
  writeFileSync(job.to, made);
}
