// Puts the site's files together: `node site.mjs WORK NODE_MODULES OUT`. Called by site.sh, from the project's root.
//
// OUT/hash.txt has the form that leptos reads (`js: HASH`, `wasm: HASH`, `css: HASH`, `split: HASH`, `manifest: HASH`), for
// files OUT/pkg/portico.HASH.js, .wasm and .css, the loader of the pages' modules and the list of what each page needs. In public/sw.js, `__PORTICO_BUILD__` becomes one hash over all files and `__PORTICO_ASSETS__` the list
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

// The modules of the pages, by the hash of their content, then the two scripts that name them and each other.
let loader = readFileSync(join(work, "pkg/__wasm_split.js"), "utf8");
const modules = new Map();
for (const name of readdirSync(join(work, "pkg"))) {
  if (!name.endsWith(".wasm") || name === "portico_bg.wasm") continue;
  const data = readFileSync(join(work, "pkg", name));
  const stem = name.slice(0, -".wasm".length);
  const hashed = `${stem.startsWith("chunk") ? "shared" : "page"}.${hash(data)}`;
  modules.set(stem, hashed);
  writeFileSync(join(pkg, `${hashed}.wasm`), data);
}
// Which modules a page needs: `"./split_X.wasm"` is its own, `__chunk_N` those that it shares with others.
const manifest = {};
for (const [, page, body] of loader.matchAll(/export const __wasm_split_load_(\w+) = ([\s\S]*?);\n(?=export|$)/g)) {
  const own = [...body.matchAll(/"\.\/(\w+)\.wasm"/g)].map(([, stem]) => stem);
  const shared = [...body.matchAll(/\b__(chunk_\d+)\b/g)].map(([, stem]) => stem);
  manifest[page] = [...shared, ...own].map((stem) => modules.get(stem));
}
if (Object.keys(manifest).length === 0 || Object.values(manifest).flat().includes(undefined)) throw new Error("the loader of the pages' modules has another form than site.mjs reads");
loader = loader.replace(/"\.\/(\w+)\.wasm"/g, (_, stem) => `"./${modules.get(stem)}.wasm"`);
let script = readFileSync(join(work, "pkg/portico.js"), "utf8");
const scripts = hash(script + loader);
// Only where it is loaded: the WASM knows the module by its plain name.
script = script.replaceAll('from "./__wasm_split.js"', `from "./__wasm_split.${scripts}.js"`);
loader = loader.replaceAll("./portico.js", `./portico.${scripts}.js`);

const built = {
  js: [`portico.${scripts}.js`, scripts, script],
  wasm: named("portico", "wasm", readFileSync(join(work, "pkg/portico_bg.wasm"))),
  css: named("portico", "css", stylesheet()),
  split: [`__wasm_split.${scripts}.js`, scripts, loader],
  manifest: named("__wasm_split_manifest", "json", JSON.stringify(manifest)),
};
function named(stem, kind, data) {
  return [`${stem}.${hash(data)}.${kind}`, hash(data), data];
}
for (const [name, , data] of Object.values(built)) writeFileSync(join(pkg, name), data);
mkdirSync("target", { recursive: true });
writeFileSync("target/portico.css", built.css[2]); // for `cargo leptos watch`
writeFileSync(join(out, "hash.txt"), Object.entries(built).map(([kind, [, hash]]) => `${kind}: ${hash}\n`).join(""));

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

const size = (name) => statSync(join(pkg, `${name}.br`)).size;
const kib = (bytes) => `${(bytes / 1024).toFixed(1)} KiB`;
const sizes = ["wasm", "js", "css"].map((kind) => [kind, size(built[kind][0])]);
const total = sizes.reduce((sum, [, bytes]) => sum + bytes, 0);
const ofPage = (page) => manifest[page].filter((module) => existsSync(join(pkg, `${module}.wasm.br`))).reduce((sum, module) => sum + size(`${module}.wasm`), 0);
const pages = Object.keys(manifest).map((page) => [page.replace(/_\d+$/, ""), ofPage(page)]);
pages.sort(([, a], [, b]) => b - a);
console.error(`==> site ready, first load ${kib(total)} (${sizes.map(([kind, bytes]) => `${kind} ${kib(bytes)}`).join(", ")}), brotli`);
console.error(`    and by its pages: ${pages.map(([page, bytes]) => `${page} ${kib(bytes)}`).join(", ")}`);
