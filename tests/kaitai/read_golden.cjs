// What the parsers generated for JavaScript find in golden files, as JSON: node read_golden.cjs PARSERS FILE...
const { readFileSync } = require("node:fs");
const { join } = require("node:path");
const KaitaiStream = require("kaitai-struct/KaitaiStream");

const [parsers, ...files] = process.argv.slice(2);
const parser = (name) => require(join(parsers, `${name}.js`))[name];
const text = (bytes) => Buffer.from(bytes).toString("latin1");

const log = ({ records }) =>
  records.map(({ offset, body }) => [
    offset,
    body.space ? body.space.length : [body.seq, body.count, body.length, body.syncedSeq, body.segment, body.crc32c],
    body.space ? "" : body.identityField.text,
    body.payload?.batch?.commands.map((command) => command.arguments.map(({ data }) => text(data))) ?? [],
  ]);

const snapshot = ({ header, parts }) => [
  [header.number, header.slotCount, header.seq, header.createdMs, header.content.text, header.crc32c],
  parts.map(({ body }) => [body.count, body.rawBytes, body.crc32c, body.stored ? text(body.stored) : ""]),
];

const word = (piece) =>
  String.fromCharCode(...(piece.bare ? piece.bare.characters.map((character) => character.byte) : []));
const manifest = ({ header, lines }) => [
  text(header.identity.map((octet) => octet.byte)),
  [header.generation, header.syncedSeq, header.crc32c],
  lines.map((line) => line.content.pieces.filter((piece) => !piece.isSpace).map(word)),
];

const found = files.map((file) => {
  const stream = new KaitaiStream(readFileSync(file));
  if (file.endsWith(".aof")) return log(new (parser("DurakvLog"))(stream));
  if (file.endsWith(".dkv")) return snapshot(new (parser("DurakvSnapshot"))(stream));
  return manifest(new (parser("DurakvManifest"))(stream));
});
console.log(JSON.stringify(found));
