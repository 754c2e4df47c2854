meta:
  id: durakv_manifest
  title: durakv manifest, version 1
  file-extension: manifest
  license: Apache-2.0
  ks-version: '0.11'
doc: |
  `appendonly.aof.manifest`: which files of a directory count, in lines of words. Words come in pairs of a key, in any
  case, and a value; what the pairs mean, and which lines may follow which, stands in the page and is left to the
  program. So are the checksum (`header.crc32c`: CRC-32C of the first 74 bytes of the header, then of everything after
  it), and a header that is damaged or of a newer version: only the text of version 1 makes a header here, and any
  other first line with `#` is a comment that the program should look at.
doc-ref: formats/manifest.md
seq:
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
        type: hexadecimal
      - id: space_2
        contents: ' '
      - id: synced_seq_field
        size: 16
        type: hexadecimal
      - id: space_3
        contents: ' '
      - id: crc32c_field
        size: 8
        type: hexadecimal
      - id: line_end
        contents: [0x0a]
      - id: numbers_are_bounded
        size: 0
        valid:
          expr: generation <= 9223372036854775807 and synced_seq <= 9223372036854775807
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
    doc: A byte in two hexadecimal digits.
    seq:
      - id: field
        size: 2
        type: hexadecimal
    instances:
      byte:
        value: field.number
  hexadecimal:
    doc: A number in lower-case hexadecimal digits, as wide as its field.
    seq:
      - id: digits
        type: u1
        repeat: eos
        valid:
          expr: (_ >= 0x30 and _ <= 0x39) or (_ >= 0x61 and _ <= 0x66)
    instances:
      text:
        pos: 0
        size-eos: true
        type: str
        encoding: ASCII
      number:
        value: text.to_i(16)
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
      A space or a word. The bytes of a word are those of `bare`, or the `meaning` of each item of `quoted.characters`
      but the last, which is the closing quote.
    seq:
      - id: first
        type: u1
        valid:
          expr: _ != 0
      - id: quoted
        type: quoted(first)
        if: is_quoted
      - id: rest
        terminator: 0x20
        consume: false
        eos-error: false
        if: not is_quoted and not is_space
    instances:
      is_space:
        value: first == 0x20
      is_quoted:
        value: first == 0x22 or first == 0x27
  quoted:
    params:
      - id: quote
        type: u1
    seq:
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
