import sharp from "sharp"; import fs from "fs";
sharp.concurrency(1); sharp.cache(false);
const [fmt, o, input, output, rounds] = process.argv.slice(2);
const b = fs.readFileSync(input); const m = /^P6\n(\d+) (\d+)\n255\n/.exec(b.subarray(0, 40).toString("latin1"));
const width = +m[1], height = +m[2], raw = b.subarray(m[0].length);
let best = 1e9, out;
for (let i = 0; i <= rounds; i++) { const t = process.cpuUsage();
  out = await sharp(raw, { raw: { width, height, channels: 3 } }).toFormat(fmt, JSON.parse(o)).toBuffer();
  const s = process.cpuUsage(t); const ms = (s.user + s.system) / 1000; if (i > 0 && ms < best) best = ms; }
const d = await sharp(out).removeAlpha().raw().toBuffer();
fs.writeFileSync(output, Buffer.concat([Buffer.from(`P6\n${width} ${height}\n255\n`), d]));
console.log(best.toFixed(2), out.length, sharp.versions.webp, sharp.versions.aom, sharp.versions.vips, sharp.versions.heif);
