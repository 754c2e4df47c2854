// Generates parsers from the definitions in this folder: node generate.mjs FOLDER [LANGUAGE], after `npm ci` here.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import compiler from "kaitai-struct-compiler";
import * as yaml from "js-yaml";

const [folder, language = "python"] = process.argv.slice(2);
if (!folder || !compiler.languages.includes(language)) {
  console.error(`usage: node generate.mjs FOLDER [LANGUAGE], with one of ${compiler.languages.join(", ")}`);
  process.exit(2);
}
const source = dirname(fileURLToPath(import.meta.url));
for (const name of readdirSync(source).filter((name) => name.endsWith(".ksy")).sort()) {
  const files = await compiler.compile(language, yaml.load(readFileSync(join(source, name), "utf8")), null, false);
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}
