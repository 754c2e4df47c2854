meta:
  id: durakv_log
  title: durakv log segment, version 1
  file-extension: aof
  license: Apache-2.0
  ks-version: '0.11'
  endian: be
doc: |
  A file `appendonly.aof.<N>.incr.aof`: an opening frame, then a frame for each batch of commands, then zeros if the
  file was made larger in advance. The first frame is the opening one; nothing else is a header of the file.

  Three things are left to the program that uses this parser.

  - The checksum: `frame.crc32c` is the CRC-32C of the 84 bytes before it, continued over `frame.payload.raw`. Compare
    it before `frame.payload.batch`, which is parsed when it is first asked for.
  - The place: `identity` and `segment` have to be those of the directory and of the file's name.
  - The order: the number of a frame's first command is one more than the `seq` of the frame before it.

  A file that ends inside a record makes the parser fail with the end of the stream: whether that is the torn end of a
  log that was being written is said by the promises (`synced_seq`), not by the bytes.
doc-ref: formats/log-v1.md
seq:
  - id: records
    type: record
    repeat: eos
types:
  record:
    doc: What may begin at any offset of a segment at which no frame is being read.
    seq:
      - id: body
        type:
          switch-on: kind
          cases:
            'kind::frame': frame
            'kind::comment': comment
            'kind::command': command
            'kind::zeros': zeros
    instances:
      offset:
        value: _io.pos
        doc: Where the record begins.
      left:
        value: _io.size - offset
      prefix:
        pos: offset
        size: 'left < 6 ? left : 6'
        valid:
          expr: _[0] == 0x23 or _[0] == 0x2a or _[0] == 0
      kind:
        value: |
          prefix == [0x23, 0x44, 0x4b, 0x56, 0x31, 0x20] ? kind::frame :
          prefix[0] == 0x23 ? kind::comment :
          prefix[0] == 0x2a ? kind::command : kind::zeros
  frame:
    doc: One batch, or the opening of a segment. Its header is a line of 94 bytes that a stock server passes over.
    seq:
      - id: magic
        contents: '#DKV1 '
      - id: seq_field
        size: 16
        type: hexadecimal_16
      - id: space_1
        contents: ' '
      - id: count_field
        size: 8
        type: hexadecimal_8
      - id: space_2
        contents: ' '
      - id: length_field
        size: 8
        type: hexadecimal_8
      - id: space_3
        contents: ' '
      - id: synced_seq_field
        size: 16
        type: hexadecimal_16
      - id: space_4
        contents: ' '
      - id: identity_field
        size: 16
        type: hexadecimal_16
      - id: space_5
        contents: ' '
      - id: segment_field
        size: 8
        type: hexadecimal_8
      - id: space_6
        contents: ' '
      - id: crc32c_field
        size: 8
        type: hexadecimal_8
      - id: line_end
        contents: [0x0d, 0x0a]
      - id: length_is_bounded
        size: 0
        valid:
          expr: length <= 1073741824
      - id: payload
        size: length
        type: payload(count)
      - id: numbers_are_plausible
        size: 0
        valid:
          expr: |
            seq_field.is_below_2_to_63 and count <= seq and synced_seq <= seq
            and (is_opening or (count >= 1 and count <= 16777216 and count <= length / 10))
    instances:
      seq:
        value: seq_field.number
        doc: The number of the batch's last command; of an opening frame, the number before the segment's first command.
      count:
        value: count_field.number
        doc: How many commands the batch holds; of an opening frame, how many numbers up to `seq` are retired.
      length:
        value: length_field.number
        doc: Bytes of the payload; 0 in an opening frame.
      synced_seq:
        value: synced_seq_field.number
        doc: Everything up to this number was synced when the header was made.
      identity:
        value: identity_field.number
        doc: The first 8 bytes of the directory's identity.
      segment:
        value: segment_field.number
        doc: The number in the file's name.
      crc32c:
        value: crc32c_field.number
        doc: CRC-32C of the first 84 bytes of the header, then of the payload.
      is_opening:
        value: length == 0
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
  payload:
    params:
      - id: count
        type: u8
    seq:
      - id: raw
        size-eos: true
        doc: The bytes that the checksum goes on over.
    instances:
      batch:
        pos: 0
        type: batch(count)
        if: raw.length != 0
        doc: The commands in the payload; only ask for them once the checksum was found right.
  batch:
    doc: A command, or several between MULTI and EXEC, which are not counted.
    doc-ref: formats/resp.md
    params:
      - id: count
        type: u8
    seq:
      - id: multi
        contents: "*1\r\n$5\r\nMULTI\r\n"
        if: count > 1
      - id: commands
        type: command
        repeat: expr
        repeat-expr: count
      - id: exec
        contents: "*1\r\n$4\r\nEXEC\r\n"
        if: count > 1
      - id: rest
        size-eos: true
        valid:
          expr: _.length == 0
  command:
    doc: |
      A command of byte strings. Outside any frame it was written by a stock server, and a MULTI there groups what
      stands before the next EXEC.
    doc-ref: formats/resp.md
    seq:
      - id: mark
        contents: '*'
      - id: argument_count
        terminator: 0x0d
        type: decimal
        valid:
          expr: _.number >= 1 and _.number <= 1048576
      - id: line_feed
        contents: [0x0a]
      - id: arguments
        type: argument
        repeat: expr
        repeat-expr: argument_count.number
  argument:
    seq:
      - id: mark
        contents: '$'
      - id: length
        terminator: 0x0d
        type: decimal
        valid:
          expr: _.number <= 536870912
      - id: line_feed
        contents: [0x0a]
      - id: data
        size: length.number
      - id: line_end
        contents: [0x0d, 0x0a]
  decimal:
    doc: A number in decimal digits, without sign and without leading zeros.
    seq:
      - id: digits
        type: u1
        repeat: eos
        valid:
          min: 0x30
          max: 0x39
      - id: has_one_form
        size: 0
        valid:
          expr: digits.size >= 1 and digits.size <= 9 and (digits.size == 1 or digits[0] != 0x30)
    instances:
      text:
        pos: 0
        size-eos: true
        type: str
        encoding: ASCII
      number:
        value: text.to_i
  comment:
    doc: |
      A line of another program, such as the `#TS:` lines of stock servers. One of 94 bytes cannot be told from a frame
      header with a damaged prefix, and is refused. So is any that begins with `#DKV`: a number behind that is the
      version of a frame that this parser does not know. (Lines where it is followed by something else are comments;
      nobody writes them.)
    seq:
      - id: line
        terminator: 0x0a
        include: true
        valid:
          expr: |
            _.length <= 1023 and _.length != 94
            and not (_.length >= 4 and _[1] == 0x44 and _[2] == 0x4b and _[3] == 0x56)
  zeros:
    doc: Space that was never written, or was lost.
    seq:
      - id: space
        size-eos: true
        doc: |
          Everything from the first NUL on. After an interrupted write it need not be zeros to the end: frames may stand
          behind lost ones.
enums:
  kind:
    0: frame
    1: comment
    2: command
    3: zeros
