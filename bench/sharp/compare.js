// node compare.js '{"input":…,"outputs":[{"path":…,"width":…,"options":{…}}],"count":…,"warm":…}': makes the outputs of one picture `count` times on
// one thread as sharp's users do, after once to warm up; prints CPU and wall ms of one time. The outputs' extensions name their formats.
import sharp from "sharp";
const { input, outputs, count, warm } = JSON.parse(process.argv[2]);
sharp.concurrency(1);
sharp.cache(false);
const encode = { jpg: "jpeg", png: "png", webp: "webp", avif: "avif" };
async function once() {
  for (const { path, width, options } of outputs) {
    const format = encode[path.split(".").pop()];
    let picture = sharp(input, { limitInputPixels: false }).rotate().resize({ width, withoutEnlargement: true });
    if (format === "jpeg") picture = picture.flatten({ background: "white" });
    await picture[format](options).toFile(path);
  }
}
if (warm) await once();
const cpu = process.cpuUsage(), wall = performance.now();
for (let i = 0; i < count; i++) await once();
const spent = process.cpuUsage(cpu);
console.log(JSON.stringify({ cpu_ms: (spent.user + spent.system) / 1000 / count, wall_ms: (performance.now() - wall) / count }));
