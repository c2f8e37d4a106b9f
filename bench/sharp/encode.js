// node encode.js COUNT IN OUT FORMAT OPTIONS: encodes one picture COUNT times on one thread, as it is; prints CPU ms and bytes.
import fs from "node:fs";
import sharp from "sharp";
const [count, input, output, format, options] = process.argv.slice(2);
sharp.concurrency(1);
sharp.cache(false);
let least = Infinity;
for (let i = 0; i < count; i++) {
  const before = process.cpuUsage();
  await sharp(input).toFormat(format, JSON.parse(options)).toFile(output);
  const spent = process.cpuUsage(before);
  least = Math.min(least, (spent.user + spent.system) / 1000);
}
console.log(JSON.stringify({ cpuMs: least, bytes: fs.statSync(output).size }));
