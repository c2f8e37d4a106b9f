// node side.js IN OUT '{"width":…,"height":…,"fit":…}': one picture as sharp's users make it, the output's extension naming the format.
import sharp from "sharp";
const [input, output, options] = process.argv.slice(2);
const { animated, flatten, ...size } = JSON.parse(options);
let picture = sharp(input, { animated: !!animated }).rotate().resize({ withoutEnlargement: true, ...size });
if (flatten) picture = picture.flatten({ background: flatten });
await picture.toFile(output);
