# This is a generated file! Please edit source .ksy file and use kaitai-struct-compiler to rebuild
# type: ignore

import kaitaistruct
from kaitaistruct import KaitaiStruct, KaitaiStream, BytesIO
from enum import IntEnum


if getattr(kaitaistruct, 'API_VERSION', (0, 9)) < (0, 11):
    raise Exception("Incompatible Kaitai Struct Python API: 0.11 or later is required, but you have %s" % (kaitaistruct.__version__))

class DurakvSnapshot(KaitaiStruct):
    """A file `appendonly.aof.<N>.base.dkv`: the state after command `header.seq`, cut into blocks, and a footer that adds
    them up. Left to the program that uses this parser:
    
    - The checksums, all CRC-32C. The header's covers the 80 bytes before it. The seed of all others is the checksum of
      `header.identity` followed by `header.number` as u4: a block's covers the 16 bytes before it and then `stored`, the
      footer's the 40 bytes before it, and `footer.chain` the checksums of the header and of all blocks as u4.
    - That `slot` never decreases, and that the footer's totals are the sums that they should be.
    - Decompression of `stored` where `codec` is `lz4`: one LZ4 block without a size in front, of `raw_bytes` bytes.
    
    If `header.content` is `keyspace`, the payload of each block is what `durakv_payload.ksy` describes.
    
    .. seealso::
       formats/snapshot-v1.md
    """

    class Codec(IntEnum):
        none = 0
        lz4 = 1

    class Tag(IntEnum):
        block = 66
        footer = 69
    def __init__(self, _io, _parent=None, _root=None):
        super(DurakvSnapshot, self).__init__(_io)
        self._parent = _parent
        self._root = _root or self
        self._read()

    def _read(self):
        self.header = DurakvSnapshot.Header(self._io, self, self._root)
        self.parts = []
        i = 0
        while True:
            _ = DurakvSnapshot.Part(self.header.slot_count, self._io, self, self._root)
            self.parts.append(_)
            if _.tag == DurakvSnapshot.Tag.footer:
                break
            i += 1
        self.rest = self._io.read_bytes_full()
        _ = self.rest
        if not len(_) == 0:
            raise kaitaistruct.ValidationExprError(self.rest, self._io, u"/seq/2")


    def _fetch_instances(self):
        pass
        self.header._fetch_instances()
        for i in range(len(self.parts)):
            pass
            self.parts[i]._fetch_instances()


    class Block(KaitaiStruct):
        def __init__(self, slot_count, _io, _parent=None, _root=None):
            super(DurakvSnapshot.Block, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self.slot_count = slot_count
            self._read()

        def _read(self):
            self.codec = KaitaiStream.resolve_enum(DurakvSnapshot.Codec, self._io.read_u1())
            if not isinstance(self.codec, DurakvSnapshot.Codec):
                raise kaitaistruct.ValidationNotInEnumError(self.codec, self._io, u"/types/block/seq/0")
            self.slot = self._io.read_u2le()
            _ = self.slot
            if not _ < self.slot_count:
                raise kaitaistruct.ValidationExprError(self.slot, self._io, u"/types/block/seq/1")
            self.count = self._io.read_u4le()
            self.raw_bytes = self._io.read_u4le()
            if not self.raw_bytes <= 1073741824:
                raise kaitaistruct.ValidationGreaterThanError(1073741824, self.raw_bytes, self._io, u"/types/block/seq/3")
            self.stored_bytes = self._io.read_u4le()
            _ = self.stored_bytes
            if not (_ == self.raw_bytes if self.codec == DurakvSnapshot.Codec.none else  ((_ < self.raw_bytes) and (self.raw_bytes <= 255 * _)) ):
                raise kaitaistruct.ValidationExprError(self.stored_bytes, self._io, u"/types/block/seq/4")
            self.crc32c = self._io.read_u4le()
            self.stored = self._io.read_bytes(self.stored_bytes)


        def _fetch_instances(self):
            pass


    class Footer(KaitaiStruct):
        def __init__(self, _io, _parent=None, _root=None):
            super(DurakvSnapshot.Footer, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.zeros = self._io.read_bytes(3)
            if not self.zeros == b"\x00\x00\x00":
                raise kaitaistruct.ValidationNotEqualError(b"\x00\x00\x00", self.zeros, self._io, u"/types/footer/seq/0")
            self.chain = self._io.read_u4le()
            self.block_count = self._io.read_u8le()
            self.count = self._io.read_u8le()
            self.raw_bytes = self._io.read_u8le()
            self.file_bytes = self._io.read_u8le()
            self.crc32c = self._io.read_u4le()


        def _fetch_instances(self):
            pass


    class Header(KaitaiStruct):
        def __init__(self, _io, _parent=None, _root=None):
            super(DurakvSnapshot.Header, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.magic = self._io.read_bytes(8)
            if not self.magic == b"\x44\x4B\x56\x53\x4E\x41\x50\x31":
                raise kaitaistruct.ValidationNotEqualError(b"\x44\x4B\x56\x53\x4E\x41\x50\x31", self.magic, self._io, u"/types/header/seq/0")
            self.identity = self._io.read_bytes(16)
            self.number = self._io.read_u4le()
            self.slot_count = self._io.read_u4le()
            if not self.slot_count >= 1:
                raise kaitaistruct.ValidationLessThanError(1, self.slot_count, self._io, u"/types/header/seq/3")
            if not self.slot_count <= 16384:
                raise kaitaistruct.ValidationGreaterThanError(16384, self.slot_count, self._io, u"/types/header/seq/3")
            self.seq = self._io.read_u8le()
            _ = self.seq
            if not _ <= 9223372036854775807:
                raise kaitaistruct.ValidationExprError(self.seq, self._io, u"/types/header/seq/4")
            self.created_ms = self._io.read_u8le()
            _ = self.created_ms
            if not _ <= 9223372036854775807:
                raise kaitaistruct.ValidationExprError(self.created_ms, self._io, u"/types/header/seq/5")
            self._raw_content = self._io.read_bytes(32)
            _io__raw_content = KaitaiStream(BytesIO(self._raw_content))
            self.content = DurakvSnapshot.Word(_io__raw_content, self, self._root)
            self.crc32c = self._io.read_u4le()


        def _fetch_instances(self):
            pass
            self.content._fetch_instances()


    class Part(KaitaiStruct):
        def __init__(self, slot_count, _io, _parent=None, _root=None):
            super(DurakvSnapshot.Part, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self.slot_count = slot_count
            self._read()

        def _read(self):
            self.tag = KaitaiStream.resolve_enum(DurakvSnapshot.Tag, self._io.read_u1())
            if not isinstance(self.tag, DurakvSnapshot.Tag):
                raise kaitaistruct.ValidationNotInEnumError(self.tag, self._io, u"/types/part/seq/0")
            _on = self.tag
            if _on == DurakvSnapshot.Tag.block:
                pass
                self.body = DurakvSnapshot.Block(self.slot_count, self._io, self, self._root)
            elif _on == DurakvSnapshot.Tag.footer:
                pass
                self.body = DurakvSnapshot.Footer(self._io, self, self._root)


        def _fetch_instances(self):
            pass
            _on = self.tag
            if _on == DurakvSnapshot.Tag.block:
                pass
                self.body._fetch_instances()
            elif _on == DurakvSnapshot.Tag.footer:
                pass
                self.body._fetch_instances()


    class Word(KaitaiStruct):
        """Printable ASCII characters, padded with zeros."""
        def __init__(self, _io, _parent=None, _root=None):
            super(DurakvSnapshot.Word, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.characters = []
            i = 0
            while True:
                _ = self._io.read_u1()
                self.characters.append(_)
                _ = self.characters[i]
                if not  ((_ == 0) or ( ((_ >= 33) and (_ <= 126)) )) :
                    raise kaitaistruct.ValidationExprError(self.characters[i], self._io, u"/types/word/seq/0")
                if  ((_ == 0) or (self._io.is_eof())) :
                    break
                i += 1
            self.padding = []
            i = 0
            while not self._io.is_eof():
                self.padding.append(self._io.read_u1())
                if not self.padding[i] == 0:
                    raise kaitaistruct.ValidationNotEqualError(0, self.padding[i], self._io, u"/types/word/seq/1")
                i += 1

            self.is_not_empty = self._io.read_bytes(0)
            _ = self.is_not_empty
            if not self.characters[0] != 0:
                raise kaitaistruct.ValidationExprError(self.is_not_empty, self._io, u"/types/word/seq/2")


        def _fetch_instances(self):
            pass
            for i in range(len(self.characters)):
                pass

            for i in range(len(self.padding)):
                pass

            _ = self.text
            if hasattr(self, '_m_text'):
                pass


        @property
        def text(self):
            if hasattr(self, '_m_text'):
                return self._m_text

            _pos = self._io.pos()
            self._io.seek(0)
            self._m_text = (KaitaiStream.bytes_terminate(self._io.read_bytes_full(), 0, False)).decode(u"ASCII")
            self._io.seek(_pos)
            return getattr(self, '_m_text', None)



