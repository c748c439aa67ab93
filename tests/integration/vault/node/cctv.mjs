// Print every vector of npm's cctv-age as one JSON object: name to base64.
import * as vectors from "cctv-age";

const printed = {};
for (const [name, file] of Object.entries(vectors)) {
  printed[name] = Buffer.from(file).toString("base64");
}
process.stdout.write(JSON.stringify(printed));
