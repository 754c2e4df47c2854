meta:
  id: durakv_manifest
  title: durakv manifest, version 1
  file-extension: manifest
  license: Apache-2.0
  ks-version: '0.11'
doc: |
  `appendonly.aof.manifest`: which files of a directory count, in lines of words. Words come in pairs of a key, in any
  case, and a value. Left to the program that uses this parser:

  - The checksum: `header.crc32c` is the CRC-32C of the first 74 bytes of the header, continued over everything behind
    the header.
  - What the pairs mean, and which lines may follow which: see the page.
  - A header that is damaged: without `is_ours`, a first line of exactly 83 bytes that begins with `#`, and pairs whose
    keys begin with `dkv-`, are damage. (A first line that begins with `#DKVM` and is none of this version is refused.)
doc-ref: formats/manifest.md
seq:
  - id: is_of_this_version
    size: 0
    valid:
      expr: is_ours or _io.size < 5 or start != [0x23, 0x44, 0x4b, 0x56, 0x4d]
  - id: header
    type: header
    if: is_ours
  - id: lines
    type: line
    repeat: eos
instances:
  is_ours:
    value: _io.size >= 7 and prefix == [0x23, 0x44, 0x4b, 0x56, 0x4d, 0x31, 0x20]
    doc: Whether durakv wrote it. A stock server writes no header.
  prefix:
    pos: 0
    size: 7
  start:
    pos: 0
    size: 5
types:
  header:
    doc: The first line, of 83 bytes.
    seq:
      - id: magic
        contents: '#DKVM1 '
      - id: identity
        type: octet
        repeat: expr
        repeat-expr: 16
        doc: The directory's identity.
      - id: space_1
        contents: ' '
      - id: generation_field
        size: 16
        type: hexadecimal_16
      - id: space_2
        contents: ' '
      - id: synced_seq_field
        size: 16
        type: hexadecimal_16
      - id: space_3
        contents: ' '
      - id: crc32c_field
        size: 8
        type: hexadecimal_8
      - id: line_end
        contents: [0x0a]
      - id: numbers_are_bounded
        size: 0
        valid:
          expr: generation_field.is_below_2_to_63 and synced_seq_field.is_below_2_to_63
    instances:
      generation:
        value: generation_field.number
        doc: One more at each replacement.
      synced_seq:
        value: synced_seq_field.number
        doc: Everything up to this number was synced when the manifest was written.
      crc32c:
        value: crc32c_field.number
  octet:
    doc: A byte in two lower-case hexadecimal digits.
    seq:
      - id: digits
        type: u1
        repeat: expr
        repeat-expr: 2
        valid:
          expr: (_ >= 0x30 and _ <= 0x39) or (_ >= 0x61 and _ <= 0x66)
    instances:
      byte:
        value: ((digits[0] & 0x0f) + (digits[0] >> 6) * 9) * 16 + (digits[1] & 0x0f) + (digits[1] >> 6) * 9
  hexadecimal_16:
    doc: A number of 64 bits in 16 lower-case hexadecimal digits.
    seq:
      - id: high
        size: 8
        type: hexadecimal_8
      - id: low
        size: 8
        type: hexadecimal_8
    instances:
      text:
        pos: 0
        size-eos: true
        type: str
        encoding: ASCII
        doc: The digits; as good as the number where a language has no numbers of 64 bits.
      number:
        value: (high.number * 4294967296 + low.number).as<u8>
      is_below_2_to_63:
        value: high.digits[0] < 0x38
  hexadecimal_8:
    doc: A number of 32 bits in 8 lower-case hexadecimal digits.
    seq:
      - id: digits
        type: u1
        repeat: expr
        repeat-expr: 8
        valid:
          expr: (_ >= 0x30 and _ <= 0x39) or (_ >= 0x61 and _ <= 0x66)
    instances:
      number:
        value: |
            (((digits[0] & 0x0f) + (digits[0] >> 6) * 9).as<u8> * 268435456
            + ((digits[1] & 0x0f) + (digits[1] >> 6) * 9).as<u8> * 16777216
            + ((digits[2] & 0x0f) + (digits[2] >> 6) * 9).as<u8> * 1048576
            + ((digits[3] & 0x0f) + (digits[3] >> 6) * 9).as<u8> * 65536
            + ((digits[4] & 0x0f) + (digits[4] >> 6) * 9).as<u8> * 4096
            + ((digits[5] & 0x0f) + (digits[5] >> 6) * 9).as<u8> * 256
            + ((digits[6] & 0x0f) + (digits[6] >> 6) * 9).as<u8> * 16
            + ((digits[7] & 0x0f) + (digits[7] >> 6) * 9).as<u8>).as<u8>
        doc: |
          Added up digit by digit: in many of the languages a conversion from text stops at 31 bits. The low bits of a
          digit are its value, and nine less than its value for a letter, which has the bit of 0x40.
  escaped_octet:
    doc: Two hexadecimal digits in either case.
    seq:
      - id: digits
        type: u1
        repeat: eos
        valid:
          expr: (_ >= 0x30 and _ <= 0x39) or (_ >= 0x41 and _ <= 0x46) or (_ >= 0x61 and _ <= 0x66)
    instances:
      text:
        pos: 0
        size-eos: true
        type: str
        encoding: ASCII
      number:
        value: text.to_i(16)
  line:
    seq:
      - id: content
        terminator: 0x0a
        type: line_content
  line_content:
    seq:
      - id: raw
        size-eos: true
        valid:
          expr: _.length >= 1 and _.length <= 1023
    instances:
      is_comment:
        value: raw[0] == 0x23
      pieces:
        pos: 0
        type: piece
        repeat: eos
        if: not is_comment
        doc: The words of the line, and the spaces between them.
  piece:
    doc: |
      A space, or a word: the bytes of `bare.characters`, or what the characters of `quoted` stand for, but for the last
      one, which is the closing quote.
    seq:
      - id: space
        type: u1
        if: is_space
      - id: quoted
        type: quoted
        if: is_quoted
      - id: bare
        type: bare
        if: not is_space and not is_quoted
      - id: word_ends_at_a_space
        size: 0
        valid:
          expr: is_space or _io.eof or end == 0x20 or (end >= 0x09 and end <= 0x0d)
    instances:
      offset:
        value: _io.pos
      first:
        pos: offset
        type: u1
      end:
        pos: _io.pos
        type: u1
        doc: The byte behind a word.
      is_space:
        value: first == 0x20 or (first >= 0x09 and first <= 0x0d)
      is_quoted:
        value: first == 0x22 or first == 0x27
  bare:
    seq:
      - id: characters
        type: bare_character
        repeat: until
        repeat-until: _.is_last
  bare_character:
    seq:
      - id: byte
        type: u1
        valid:
          expr: _ != 0 and _ != 0x22 and _ != 0x27
    instances:
      following:
        pos: _io.pos
        type: u1
      is_last:
        value: _io.eof or following == 0x20 or (following >= 0x09 and following <= 0x0d)
  quoted:
    seq:
      - id: quote
        type: u1
      - id: characters
        type: character(quote)
        repeat: until
        repeat-until: _.closes
  character:
    doc: A byte in quotes, or an escape that stands for one.
    params:
      - id: quote
        type: u1
    seq:
      - id: byte
        type: u1
      - id: letter
        type: u1
        if: is_escape
        doc: What follows a backslash.
      - id: octet
        size: 2
        type: escaped_octet
        if: is_escape and quote == 0x22 and letter == 0x78
    instances:
      following:
        pos: _io.pos
        type: u1
      is_escape:
        value: byte == 0x5c and (quote == 0x22 or following == 0x27)
        doc: In single quotes only a single quote is escaped.
      closes:
        value: byte == quote
      meaning:
        value: |
          not is_escape ? byte :
          quote == 0x27 ? letter :
          letter == 0x78 ? octet.number :
          letter == 0x6e ? 0x0a :
          letter == 0x72 ? 0x0d :
          letter == 0x74 ? 0x09 :
          letter == 0x61 ? 0x07 :
          letter == 0x62 ? 0x08 : letter
