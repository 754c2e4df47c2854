meta:
  id: durakv_payload
  title: Payload of a block of a durakv snapshot of a keyspace
  license: Apache-2.0
  ks-version: '0.11'
  endian: be
doc: |
  One MessagePack value: a list of columns, each of them keys of one kind in one database and, in the same order, their
  values. Only the part of MessagePack that columns are made of is described here: integers, byte strings, floats, arrays,
  maps and nil. What the values of each kind are made of stands in the page, and is left to the program to compare, as
  is a `kind` that is none of the enumeration, which is a newer version's.
doc-ref: formats/snapshot-v1.md
seq:
  - id: head
    type: array_head
  - id: columns
    type: column
    repeat: expr
    repeat-expr: head.count
  - id: rest
    size-eos: true
    valid:
      expr: _.length == 0
types:
  column:
    seq:
      - id: head
        type: array_head
        valid:
          expr: _.count == 4
      - id: kind_number
        type: value
        valid:
          expr: _.is_integer
      - id: database_number
        type: value
        valid:
          expr: _.is_integer and _.integer >= 0 and _.integer <= 2147483647
      - id: key_head
        type: array_head
      - id: keys
        type: value
        repeat: expr
        repeat-expr: key_head.count
        valid:
          expr: _.is_bytes
      - id: value_head
        type: array_head
        valid:
          expr: _.count == key_head.count
      - id: values
        type: value
        repeat: expr
        repeat-expr: value_head.count
    instances:
      kind:
        value: kind_number.integer
        enum: kind
      database:
        value: database_number.integer
  array_head:
    seq:
      - id: tag
        type: u1
        valid:
          expr: (_ & 0xf0) == 0x90 or _ == 0xdc or _ == 0xdd
      - id: long_count
        type:
          switch-on: tag
          cases:
            0xdc: u2
            0xdd: u4
    instances:
      count:
        value: 'tag < 0xa0 ? tag & 0x0f : long_count'
  value:
    doc: Any value; `is_...` says of which sort it is.
    seq:
      - id: tag
        type: u1
        valid:
          expr: |
            _ < 0xa0 or _ >= 0xe0 or _ == 0xc0 or (_ >= 0xc4 and _ <= 0xc6) or (_ >= 0xca and _ <= 0xd3)
            or (_ >= 0xdc and _ <= 0xdf)
      - id: number
        type:
          switch-on: tag
          cases:
            0xc4: u1
            0xc5: u2
            0xc6: u4
            0xcc: u1
            0xcd: u2
            0xce: u4
            0xcf: u8
            0xd0: s1
            0xd1: s2
            0xd2: s4
            0xd3: s8
            0xdc: u2
            0xdd: u4
            0xde: u2
            0xdf: u4
        doc: The integer itself, or the length of what follows, where it does not fit into the tag.
      - id: real
        type:
          switch-on: tag
          cases:
            0xca: f4
            0xcb: f8
        doc: A float; writers only write those of 64 bits.
      - id: data
        size: number
        if: is_bytes
      - id: items
        type: value
        repeat: expr
        repeat-expr: 'tag < 0xa0 ? tag & 0x0f : number'
        if: is_array
      - id: pairs
        type: pair
        repeat: expr
        repeat-expr: 'tag < 0xa0 ? tag & 0x0f : number'
        if: is_map
    instances:
      is_nil:
        value: tag == 0xc0
      is_integer:
        value: tag < 0x80 or tag >= 0xe0 or (tag >= 0xcc and tag <= 0xd3)
      is_float:
        value: tag == 0xca or tag == 0xcb
      is_bytes:
        value: tag >= 0xc4 and tag <= 0xc6
      is_array:
        value: (tag >= 0x90 and tag < 0xa0) or tag == 0xdc or tag == 0xdd
      is_map:
        value: (tag >= 0x80 and tag < 0x90) or tag == 0xde or tag == 0xdf
      integer:
        value: 'tag < 0x80 ? tag : (tag >= 0xe0 ? tag - 256 : number)'
        if: is_integer
  pair:
    seq:
      - id: name
        type: value
      - id: content
        type: value
enums:
  kind:
    0: strings
    1: hashes
    2: lists
    3: sets
    4: sorted_sets
    5: streams
    129: more_hashes
    130: more_lists
    131: more_sets
    132: more_sorted_sets
    133: more_streams
    255: deadlines
