// Build the islands and the styles into ../emr/web/static, under names that hold a digest of their content, and gzip them once.
import { createHash } from "node:crypto";
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";

const out = new URL("../emr/web/static/", import.meta.url);
const result = await build({
  entryPoints: { app: "src/main.ts", style: "styles/main.css" },
  bundle: true,
  minify: true,
  write: false,
  outdir: "out",
  // Ward PCs run browsers of the last five years, not of the last five months.
  target: ["chrome90", "edge90", "firefox90", "safari14"],
  format: "iife",
  legalComments: "none",
  charset: "utf8",
});

await mkdir(out, { recursive: true });
for (const name of await readdir(out)) await rm(new URL(name, out));
const names = {};
const icon = { path: "icon.svg", contents: await readFile("icon.svg") };
for (const file of [...result.outputFiles, icon]) {
  const plain = file.path.split(/[\\/]/).pop();
  const digest = createHash("sha256").update(file.contents).digest("hex").slice(0, 12);
  const named = plain.replace(/\.(js|css|svg)$/, `-${digest}.$1`);
  const gzipped = gzipSync(file.contents, { level: 9 });
  await writeFile(new URL(named, out), file.contents);
  await writeFile(new URL(`${named}.gz`, out), gzipped);
  names[plain] = named;
  console.log(`${named}  ${file.contents.length} bytes, ${gzipped.length} gzipped`);
}
await writeFile(new URL("manifest.json", out), JSON.stringify(names));
