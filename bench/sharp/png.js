// node png.js COUNT IN...: writes each picture as PNG with sharp's defaults; prints {name: [bytes, CPU ms]}, the least of COUNT.
import sharp from "sharp";
const [count, ...inputs] = process.argv.slice(2);
sharp.concurrency(1);
sharp.cache(false);
const out = {};
for (const input of inputs) {
  let bytes = (await sharp(input).png().toBuffer()).length, least = Infinity;
  for (let i = 0; i < count; i++) {
    const before = process.cpuUsage();
    bytes = (await sharp(input).png().toBuffer()).length;
    const spent = process.cpuUsage(before);
    least = Math.min(least, (spent.user + spent.system) / 1000);
  }
  out[input] = [bytes, least];
}
console.log(JSON.stringify(out));
