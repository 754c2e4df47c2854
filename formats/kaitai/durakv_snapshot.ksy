meta:
  id: durakv_snapshot
  title: durakv snapshot, version 1
  file-extension: dkv
  license: Apache-2.0
  ks-version: '0.11'
  endian: le
doc: |
  A file `appendonly.aof.<N>.base.dkv`: the state after command `header.seq`, cut into blocks, and a footer that adds
  them up. Left to the program that uses this parser:

  - The checksums, all CRC-32C. The header's covers the 80 bytes before it. The seed of all others is the checksum of
    `header.identity` followed by `header.number` as u4: a block's covers the 16 bytes before it and then `stored`, the
    footer's the 40 bytes before it, and `footer.chain` the checksums of the header and of all blocks as u4.
  - That `slot` never decreases, and that the footer's totals are the sums that they should be.
  - Decompression of `stored` where `codec` is `lz4`: one LZ4 block without a size in front, of `raw_bytes` bytes.

  If `header.content` is `keyspace`, the payload of each block is what `durakv_payload.ksy` describes.
doc-ref: formats/snapshot-v1.md
seq:
  - id: header
    type: header
  - id: parts
    type: part(header.slot_count)
    repeat: until
    repeat-until: _.tag == tag::footer
    doc: The blocks, and the footer.
  - id: rest
    size-eos: true
    valid:
      expr: _.length == 0
types:
  header:
    seq:
      - id: magic
        contents: DKVSNAP1
      - id: identity
        size: 16
        doc: The directory's identity.
      - id: number
        type: u4
        doc: The number in the file's name.
      - id: slot_count
        type: u4
        valid:
          min: 1
          max: 16384
        doc: How many slots the state is cut into.
      - id: seq
        type: u8
        valid:
          expr: _ <= 9223372036854775807
        doc: The last command that is part of the state.
      - id: created_ms
        type: u8
        valid:
          expr: _ <= 9223372036854775807
        doc: When it was made, in milliseconds since 1970.
      - id: content
        size: 32
        type: word
        doc: A word that says what the payloads are.
      - id: crc32c
        type: u4
        doc: CRC-32C of the 80 bytes before it.
  word:
    doc: Printable ASCII characters, padded with zeros.
    seq:
      - id: characters
        type: u1
        repeat: until
        repeat-until: _ == 0 or _io.eof
        valid:
          expr: _ == 0 or (_ >= 0x21 and _ <= 0x7e)
      - id: padding
        type: u1
        repeat: eos
        valid: 0
      - id: is_not_empty
        size: 0
        valid:
          expr: characters[0] != 0
    instances:
      text:
        pos: 0
        size-eos: true
        terminator: 0
        type: str
        encoding: ASCII
  part:
    params:
      - id: slot_count
        type: u4
    seq:
      - id: tag
        type: u1
        enum: tag
        valid:
          in-enum: true
      - id: body
        type:
          switch-on: tag
          cases:
            'tag::block': block(slot_count)
            'tag::footer': footer
  block:
    params:
      - id: slot_count
        type: u4
    seq:
      - id: codec
        type: u1
        enum: codec
        valid:
          in-enum: true
      - id: slot
        type: u2
        valid:
          expr: _ < slot_count
        doc: The slot that the block belongs to; several blocks in a row may belong to one.
      - id: count
        type: u4
        doc: How many things the payload holds.
      - id: raw_bytes
        type: u4
        valid:
          max: 1073741824
        doc: Size of the payload.
      - id: stored_bytes
        type: u4
        valid:
          expr: |
            codec == codec::none ? _ == raw_bytes : (_ < raw_bytes and raw_bytes <= 255 * _)
        doc: Size of what is stored.
      - id: crc32c
        type: u4
        doc: CRC-32C of the 16 bytes before it (the tag included), then of `stored`; seeded.
      - id: stored
        size: stored_bytes
        doc: The payload, or what LZ4 made of it.
  footer:
    seq:
      - id: zeros
        contents: [0, 0, 0]
      - id: chain
        type: u4
        doc: CRC-32C of the checksums of the header and of all blocks; seeded.
      - id: block_count
        type: u8
      - id: count
        type: u8
        doc: The sum of the blocks' `count`.
      - id: raw_bytes
        type: u8
        doc: The sum of the blocks' `raw_bytes`.
      - id: file_bytes
        type: u8
        doc: The size of the whole file.
      - id: crc32c
        type: u4
        doc: CRC-32C of the 40 bytes before it (the tag included); seeded.
enums:
  tag:
    0x42: block
    0x45: footer
  codec:
    0: none
    1: lz4
