import sharp from "sharp"; sharp.concurrency(1); sharp.cache(false);
const [input, fmt, o, n] = process.argv.slice(2); let best=1e9,size;
for (let i=0;i<=n;i++){const t=process.cpuUsage(); size=(await sharp(input).rotate().resize({width:800}).toFormat(fmt,JSON.parse(o)).toBuffer()).length; const s=process.cpuUsage(t); const ms=(s.user+s.system)/1000; if(i>0&&ms<best)best=ms;}
console.log(input,fmt,best.toFixed(1),size);
