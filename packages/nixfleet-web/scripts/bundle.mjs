/**
 * Makes static/built/ from static/js/main.js and static/css/page.css: two files that a browser gets at once instead of a
 * hundred one after the other, and one for each part of the page that is fetched when it is first needed.
 *
 *   node packages/nixfleet-web/scripts/bundle.mjs [DIRECTORY]
 *
 * Needs the packages that `python -m scripts.prepare` installs. A test makes the files again and compares.
 */

import { rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const require = createRequire(join(here, "../../../.tools/"));
const { rollup } = require("rollup");
const esbuild = require("esbuild");

const site = join(here, "../src/nixfleet_web/static");
const built = process.argv[2] ?? join(site, "built");
const target = "es2022"; // private fields as they are; every browser of the last four years

const served = { name: "served", resolveId: (/** @type {string} */ path) => (path.startsWith("/static/") ? join(site, path.slice("/static/".length)) : null) };
const small = { name: "small", renderChunk: (/** @type {string} */ code) => esbuild.transform(code, { minify: true, target, legalComments: "none" }) };

rmSync(built, { recursive: true, force: true });
const bundle = await rollup({ input: join(site, "js/main.js"), plugins: [served, small], onwarn: (warning) => { throw new Error(warning.message); } });
await bundle.write({ dir: built, format: "es", chunkFileNames: "[name].js", sanitizeFileName: (name) => name.replace(/[^a-z.-]/g, "-") });
await bundle.close();
await esbuild.build({ entryPoints: [join(site, "css/page.css")], outfile: join(built, "page.css"), bundle: true, minify: true, external: ["/static/*"], logLevel: "warning" });
