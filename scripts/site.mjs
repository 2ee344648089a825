// Puts the site's files together: `node site.mjs WORK NODE_MODULES OUT`. Called by site.sh, from the project's root.
//
// OUT/hash.txt has the form that leptos reads (`js: HASH`, `wasm: HASH`, `css: HASH`), for files OUT/pkg/portico.HASH.js,
// .wasm and .css. In public/sw.js, `__PORTICO_BUILD__` becomes one hash over all files and `__PORTICO_ASSETS__` the list
// of the files that the first load needs, so that a service worker notices a new release and can keep it offline.

import { createHash } from "node:crypto";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { extname, join, relative } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";

const [work, nodeModules, out] = process.argv.slice(2);
if (!out) throw new Error("usage: node site.mjs WORK NODE_MODULES OUT");

const COMPRESSIBLE = new Set([".js", ".mjs", ".css", ".wasm", ".svg", ".json", ".webmanifest", ".html", ".txt", ".ico"]);
const SMALLEST_WORTH_COMPRESSING = 512;

const hash = (data) => createHash("sha256").update(data).digest("hex").slice(0, 16);
const pkg = join(out, "pkg");
mkdirSync(pkg, { recursive: true });

function* files(dir) {
  for (const entry of readdirSync(dir, { withFileTypes: true })) {
    const path = join(dir, entry.name);
    if (entry.isDirectory()) yield* files(path);
    else yield path;
  }
}

// Style sheets in a fixed order: what others build on first, then by name.
function stylesheet() {
  const first = ["tokens.css", "base.css"];
  const names = existsSync("style") ? readdirSync("style").filter((name) => name.endsWith(".css")) : [];
  const rank = (name) => (first.includes(name) ? first.indexOf(name) : first.length);
  names.sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
  const sheets = [join(nodeModules, "uplot/dist/uPlot.min.css"), ...names.map((name) => join("style", name))];
  return sheets.map((path) => readFileSync(path, "utf8").trim()).join("\n") + "\n";
}

if (existsSync("public")) cpSync("public", out, { recursive: true });
if (existsSync(join(work, "pkg/snippets"))) cpSync(join(work, "pkg/snippets"), join(pkg, "snippets"), { recursive: true });

const built = {
  js: readFileSync(join(work, "pkg/portico.js")),
  wasm: readFileSync(join(work, "pkg/portico_bg.wasm")),
  css: Buffer.from(stylesheet()),
};
for (const [kind, data] of Object.entries(built)) writeFileSync(join(pkg, `portico.${hash(data)}.${kind}`), data);
mkdirSync("target", { recursive: true });
writeFileSync("target/portico.css", built.css); // for `cargo leptos watch`
writeFileSync(join(out, "hash.txt"), Object.entries(built).map(([kind, data]) => `${kind}: ${hash(data)}\n`).join(""));

// The chart engine as an ES module (npm has it minified only as a script); its version is its cache key.
const uplot = JSON.parse(readFileSync(join(nodeModules, "uplot/package.json"), "utf8")).version;
const engine = readFileSync(join(nodeModules, "uplot/dist/uPlot.iife.min.js"), "utf8");
writeFileSync(join(pkg, `uplot-${uplot}.js`), `${engine.trim()}\nexport default uPlot;\n`);

const worker = join(out, "sw.js");
if (existsSync(worker)) {
  const paths = [...files(out)].sort();
  const build = hash(paths.map((path) => `${path} ${hash(readFileSync(path))}`).join("\n"));
  const assets = paths.filter((path) => path !== worker && !path.endsWith("hash.txt")).map((path) => "/" + relative(out, path));
  const text = readFileSync(worker, "utf8").replaceAll("__PORTICO_BUILD__", build);
  writeFileSync(worker, text.replaceAll("__PORTICO_ASSETS__", JSON.stringify(assets)));
}

for (const path of [...files(out)]) {
  if (!COMPRESSIBLE.has(extname(path)) || path.endsWith("hash.txt") || statSync(path).size < SMALLEST_WORTH_COMPRESSING) continue;
  const data = readFileSync(path);
  const params = { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: data.length };
  writeFileSync(`${path}.br`, brotliCompressSync(data, { params }));
  writeFileSync(`${path}.gz`, gzipSync(data, { level: 9 }));
}

const size = (kind) => statSync(join(pkg, `portico.${hash(built[kind])}.${kind}.br`)).size;
const kib = (bytes) => `${(bytes / 1024).toFixed(1)} KiB`;
const sizes = ["wasm", "js", "css"].map((kind) => [kind, size(kind)]);
const total = sizes.reduce((sum, [, bytes]) => sum + bytes, 0);
console.error(`==> site ready, first load ${kib(total)} (${sizes.map(([kind, bytes]) => `${kind} ${kib(bytes)}`).join(", ")}), brotli`);
