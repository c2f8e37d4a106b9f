// node resize.js COUNT IN OUT: resizes one picture COUNT times on one thread as sharp's users do; prints CPU ms a picture.
import sharp from "sharp";
const [count, input, output] = process.argv.slice(2);
sharp.concurrency(1);
sharp.cache(false);
await sharp(input).rotate().resize({ width: 800, withoutEnlargement: true }).flatten({ background: "white" }).jpeg({ quality: 80 }).toFile(output);
const before = process.cpuUsage();
for (let i = 0; i < count; i++)
  await sharp(input).rotate().resize({ width: 800, withoutEnlargement: true }).flatten({ background: "white" }).jpeg({ quality: 80 }).toFile(output);
const spent = process.cpuUsage(before);
console.log(JSON.stringify({ cpuMs: (spent.user + spent.system) / 1000 / count, peakMB: process.resourceUsage().maxRSS / 1000 }));
