# This is a generated file! Please edit source .ksy file and use kaitai-struct-compiler to rebuild
# type: ignore

import kaitaistruct
from kaitaistruct import KaitaiStruct, KaitaiStream, BytesIO


if getattr(kaitaistruct, 'API_VERSION', (0, 9)) < (0, 11):
    raise Exception("Incompatible Kaitai Struct Python API: 0.11 or later is required, but you have %s" % (kaitaistruct.__version__))

class DurakvManifest(KaitaiStruct):
    """`appendonly.aof.manifest`: which files of a directory count, in lines of words. Words come in pairs of a key, in any
    case, and a value. Left to the program that uses this parser:
    
    - The checksum: `header.crc32c` is the CRC-32C of the first 74 bytes of the header, continued over everything behind
      the header.
    - What the pairs mean, and which lines may follow which: see the page.
    - A header that is damaged: without `is_ours`, a first line of exactly 83 bytes that begins with `#`, and pairs whose
      keys begin with `dkv-`, are damage. (A first line that begins with `#DKVM` and is none of this version is refused.)
    
    .. seealso::
       formats/manifest.md
    """
    def __init__(self, _io, _parent=None, _root=None):
        super(DurakvManifest, self).__init__(_io)
        self._parent = _parent
        self._root = _root or self
        self._read()

    def _read(self):
        self.is_of_this_version = self._io.read_bytes(0)
        _ = self.is_of_this_version
        if not  ((self.is_ours) or (self._io.size() < 5) or (self.start != b"\x23\x44\x4B\x56\x4D")) :
            raise kaitaistruct.ValidationExprError(self.is_of_this_version, self._io, u"/seq/0")
        if self.is_ours:
            pass
            self.header = DurakvManifest.Header(self._io, self, self._root)

        self.lines = []
        i = 0
        while not self._io.is_eof():
            self.lines.append(DurakvManifest.Line(self._io, self, self._root))
            i += 1



    def _fetch_instances(self):
        pass
        if self.is_ours:
            pass
            self.header._fetch_instances()

        for i in range(len(self.lines)):
            pass
            self.lines[i]._fetch_instances()

        _ = self.prefix
        if hasattr(self, '_m_prefix'):
            pass

        _ = self.start
        if hasattr(self, '_m_start'):
            pass


    class Bare(KaitaiStruct):
        def __init__(self, _io, _parent=None, _root=None):
            super(DurakvManifest.Bare, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.characters = []
            i = 0
            while True:
                _ = DurakvManifest.BareCharacter(self._io, self, self._root)
                self.characters.append(_)
                if _.is_last:
                    break
                i += 1


        def _fetch_instances(self):
            pass
            for i in range(len(self.characters)):
                pass
                self.characters[i]._fetch_instances()



    class BareCharacter(KaitaiStruct):
        def __init__(self, _io, _parent=None, _root=None):
            super(DurakvManifest.BareCharacter, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.byte = self._io.read_u1()
            _ = self.byte
            if not  ((_ != 0) and (_ != 34) and (_ != 39)) :
                raise kaitaistruct.ValidationExprError(self.byte, self._io, u"/types/bare_character/seq/0")


        def _fetch_instances(self):
            pass
            _ = self.following
            if hasattr(self, '_m_following'):
                pass


        @property
        def following(self):
            if hasattr(self, '_m_following'):
                return self._m_following

            _pos = self._io.pos()
            self._io.seek(self._io.pos())
            self._m_following = self._io.read_u1()
            self._io.seek(_pos)
            return getattr(self, '_m_following', None)

        @property
        def is_last(self):
            if hasattr(self, '_m_is_last'):
                return self._m_is_last

            self._m_is_last =  ((self._io.is_eof()) or (self.following == 32) or ( ((self.following >= 9) and (self.following <= 13)) )) 
            return getattr(self, '_m_is_last', None)


    class Character(KaitaiStruct):
        """A byte in quotes, or an escape that stands for one."""
        def __init__(self, quote, _io, _parent=None, _root=None):
            super(DurakvManifest.Character, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self.quote = quote
            self._read()

        def _read(self):
            self.byte = self._io.read_u1()
            if self.is_escape:
                pass
                self.letter = self._io.read_u1()

            if  ((self.is_escape) and (self.quote == 34) and (self.letter == 120)) :
                pass
                self._raw_octet = self._io.read_bytes(2)
                _io__raw_octet = KaitaiStream(BytesIO(self._raw_octet))
                self.octet = DurakvManifest.EscapedOctet(_io__raw_octet, self, self._root)



        def _fetch_instances(self):
            pass
            if self.is_escape:
                pass

            if  ((self.is_escape) and (self.quote == 34) and (self.letter == 120)) :
                pass
                self.octet._fetch_instances()

            _ = self.following
            if hasattr(self, '_m_following'):
                pass


        @property
        def closes(self):
            if hasattr(self, '_m_closes'):
                return self._m_closes

            self._m_closes = self.byte == self.quote
            return getattr(self, '_m_closes', None)

        @property
        def following(self):
            if hasattr(self, '_m_following'):
                return self._m_following

            _pos = self._io.pos()
            self._io.seek(self._io.pos())
            self._m_following = self._io.read_u1()
            self._io.seek(_pos)
            return getattr(self, '_m_following', None)

        @property
        def is_escape(self):
            """In single quotes only a single quote is escaped."""
            if hasattr(self, '_m_is_escape'):
                return self._m_is_escape

            self._m_is_escape =  ((self.byte == 92) and ( ((self.quote == 34) or (self.following == 39)) )) 
            return getattr(self, '_m_is_escape', None)

        @property
        def meaning(self):
            if hasattr(self, '_m_meaning'):
                return self._m_meaning

            self._m_meaning = (self.byte if (not (self.is_escape)) else (self.letter if self.quote == 39 else (self.octet.number if self.letter == 120 else (10 if self.letter == 110 else (13 if self.letter == 114 else (9 if self.letter == 116 else (7 if self.letter == 97 else (8 if self.letter == 98 else self.letter))))))))
            return getattr(self, '_m_meaning', None)


    class EscapedOctet(KaitaiStruct):
        """Two hexadecimal digits in either case."""
        def __init__(self, _io, _parent=None, _root=None):
            super(DurakvManifest.EscapedOctet, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.digits = []
            i = 0
            while not self._io.is_eof():
                self.digits.append(self._io.read_u1())
                _ = self.digits[i]
                if not  (( ((_ >= 48) and (_ <= 57)) ) or ( ((_ >= 65) and (_ <= 70)) ) or ( ((_ >= 97) and (_ <= 102)) )) :
                    raise kaitaistruct.ValidationExprError(self.digits[i], self._io, u"/types/escaped_octet/seq/0")
                i += 1



        def _fetch_instances(self):
            pass
            for i in range(len(self.digits)):
                pass

            _ = self.text
            if hasattr(self, '_m_text'):
                pass


        @property
        def number(self):
            if hasattr(self, '_m_number'):
                return self._m_number

            self._m_number = int(self.text, 16)
            return getattr(self, '_m_number', None)

        @property
        def text(self):
            if hasattr(self, '_m_text'):
                return self._m_text

            _pos = self._io.pos()
            self._io.seek(0)
            self._m_text = (self._io.read_bytes_full()).decode(u"ASCII")
            self._io.seek(_pos)
            return getattr(self, '_m_text', None)


    class Header(KaitaiStruct):
        """The first line, of 83 bytes."""
        def __init__(self, _io, _parent=None, _root=None):
            super(DurakvManifest.Header, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.magic = self._io.read_bytes(7)
            if not self.magic == b"\x23\x44\x4B\x56\x4D\x31\x20":
                raise kaitaistruct.ValidationNotEqualError(b"\x23\x44\x4B\x56\x4D\x31\x20", self.magic, self._io, u"/types/header/seq/0")
            self.identity = []
            for i in range(16):
                self.identity.append(DurakvManifest.Octet(self._io, self, self._root))

            self.space_1 = self._io.read_bytes(1)
            if not self.space_1 == b"\x20":
                raise kaitaistruct.ValidationNotEqualError(b"\x20", self.space_1, self._io, u"/types/header/seq/2")
            self._raw_generation_field = self._io.read_bytes(16)
            _io__raw_generation_field = KaitaiStream(BytesIO(self._raw_generation_field))
            self.generation_field = DurakvManifest.Hexadecimal16(_io__raw_generation_field, self, self._root)
            self.space_2 = self._io.read_bytes(1)
            if not self.space_2 == b"\x20":
                raise kaitaistruct.ValidationNotEqualError(b"\x20", self.space_2, self._io, u"/types/header/seq/4")
            self._raw_synced_seq_field = self._io.read_bytes(16)
            _io__raw_synced_seq_field = KaitaiStream(BytesIO(self._raw_synced_seq_field))
            self.synced_seq_field = DurakvManifest.Hexadecimal16(_io__raw_synced_seq_field, self, self._root)
            self.space_3 = self._io.read_bytes(1)
            if not self.space_3 == b"\x20":
                raise kaitaistruct.ValidationNotEqualError(b"\x20", self.space_3, self._io, u"/types/header/seq/6")
            self._raw_crc32c_field = self._io.read_bytes(8)
            _io__raw_crc32c_field = KaitaiStream(BytesIO(self._raw_crc32c_field))
            self.crc32c_field = DurakvManifest.Hexadecimal8(_io__raw_crc32c_field, self, self._root)
            self.line_end = self._io.read_bytes(1)
            if not self.line_end == b"\x0A":
                raise kaitaistruct.ValidationNotEqualError(b"\x0A", self.line_end, self._io, u"/types/header/seq/8")
            self.numbers_are_bounded = self._io.read_bytes(0)
            _ = self.numbers_are_bounded
            if not  ((self.generation_field.is_below_2_to_63) and (self.synced_seq_field.is_below_2_to_63)) :
                raise kaitaistruct.ValidationExprError(self.numbers_are_bounded, self._io, u"/types/header/seq/9")


        def _fetch_instances(self):
            pass
            for i in range(len(self.identity)):
                pass
                self.identity[i]._fetch_instances()

            self.generation_field._fetch_instances()
            self.synced_seq_field._fetch_instances()
            self.crc32c_field._fetch_instances()

        @property
        def crc32c(self):
            if hasattr(self, '_m_crc32c'):
                return self._m_crc32c

            self._m_crc32c = self.crc32c_field.number
            return getattr(self, '_m_crc32c', None)

        @property
        def generation(self):
            """One more at each replacement."""
            if hasattr(self, '_m_generation'):
                return self._m_generation

            self._m_generation = self.generation_field.number
            return getattr(self, '_m_generation', None)

        @property
        def synced_seq(self):
            """Everything up to this number was synced when the manifest was written."""
            if hasattr(self, '_m_synced_seq'):
                return self._m_synced_seq

            self._m_synced_seq = self.synced_seq_field.number
            return getattr(self, '_m_synced_seq', None)


    class Hexadecimal16(KaitaiStruct):
        """A number of 64 bits in 16 lower-case hexadecimal digits."""
        def __init__(self, _io, _parent=None, _root=None):
            super(DurakvManifest.Hexadecimal16, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self._raw_high = self._io.read_bytes(8)
            _io__raw_high = KaitaiStream(BytesIO(self._raw_high))
            self.high = DurakvManifest.Hexadecimal8(_io__raw_high, self, self._root)
            self._raw_low = self._io.read_bytes(8)
            _io__raw_low = KaitaiStream(BytesIO(self._raw_low))
            self.low = DurakvManifest.Hexadecimal8(_io__raw_low, self, self._root)


        def _fetch_instances(self):
            pass
            self.high._fetch_instances()
            self.low._fetch_instances()
            _ = self.text
            if hasattr(self, '_m_text'):
                pass


        @property
        def is_below_2_to_63(self):
            if hasattr(self, '_m_is_below_2_to_63'):
                return self._m_is_below_2_to_63

            self._m_is_below_2_to_63 = self.high.digits[0] < 56
            return getattr(self, '_m_is_below_2_to_63', None)

        @property
        def number(self):
            if hasattr(self, '_m_number'):
                return self._m_number

            self._m_number = (self.high.number * 4294967296 + self.low.number)
            return getattr(self, '_m_number', None)

        @property
        def text(self):
            """The digits; as good as the number where a language has no numbers of 64 bits."""
            if hasattr(self, '_m_text'):
                return self._m_text

            _pos = self._io.pos()
            self._io.seek(0)
            self._m_text = (self._io.read_bytes_full()).decode(u"ASCII")
            self._io.seek(_pos)
            return getattr(self, '_m_text', None)


    class Hexadecimal8(KaitaiStruct):
        """A number of 32 bits in 8 lower-case hexadecimal digits."""
        def __init__(self, _io, _parent=None, _root=None):
            super(DurakvManifest.Hexadecimal8, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.digits = []
            for i in range(8):
                self.digits.append(self._io.read_u1())
                _ = self.digits[i]
                if not  (( ((_ >= 48) and (_ <= 57)) ) or ( ((_ >= 97) and (_ <= 102)) )) :
                    raise kaitaistruct.ValidationExprError(self.digits[i], self._io, u"/types/hexadecimal_8/seq/0")



        def _fetch_instances(self):
            pass
            for i in range(len(self.digits)):
                pass


        @property
        def number(self):
            """Added up digit by digit: in many of the languages a conversion from text stops at 31 bits. The low bits of a
            digit are its value, and nine less than its value for a letter, which has the bit of 0x40.
            """
            if hasattr(self, '_m_number'):
                return self._m_number

            self._m_number = (((((((((self.digits[0] & 15) + (self.digits[0] >> 6) * 9) * 268435456 + ((self.digits[1] & 15) + (self.digits[1] >> 6) * 9) * 16777216) + ((self.digits[2] & 15) + (self.digits[2] >> 6) * 9) * 1048576) + ((self.digits[3] & 15) + (self.digits[3] >> 6) * 9) * 65536) + ((self.digits[4] & 15) + (self.digits[4] >> 6) * 9) * 4096) + ((self.digits[5] & 15) + (self.digits[5] >> 6) * 9) * 256) + ((self.digits[6] & 15) + (self.digits[6] >> 6) * 9) * 16) + ((self.digits[7] & 15) + (self.digits[7] >> 6) * 9))
            return getattr(self, '_m_number', None)


    class Line(KaitaiStruct):
        def __init__(self, _io, _parent=None, _root=None):
            super(DurakvManifest.Line, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self._raw_content = self._io.read_bytes_term(10, False, True, True)
            _io__raw_content = KaitaiStream(BytesIO(self._raw_content))
            self.content = DurakvManifest.LineContent(_io__raw_content, self, self._root)


        def _fetch_instances(self):
            pass
            self.content._fetch_instances()


    class LineContent(KaitaiStruct):
        def __init__(self, _io, _parent=None, _root=None):
            super(DurakvManifest.LineContent, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.raw = self._io.read_bytes_full()
            _ = self.raw
            if not  ((len(_) >= 1) and (len(_) <= 1023)) :
                raise kaitaistruct.ValidationExprError(self.raw, self._io, u"/types/line_content/seq/0")


        def _fetch_instances(self):
            pass
            _ = self.pieces
            if hasattr(self, '_m_pieces'):
                pass
                for i in range(len(self._m_pieces)):
                    pass
                    self._m_pieces[i]._fetch_instances()



        @property
        def is_comment(self):
            if hasattr(self, '_m_is_comment'):
                return self._m_is_comment

            self._m_is_comment = KaitaiStream.byte_array_index(self.raw, 0) == 35
            return getattr(self, '_m_is_comment', None)

        @property
        def pieces(self):
            """The words of the line, and the spaces between them."""
            if hasattr(self, '_m_pieces'):
                return self._m_pieces

            if (not (self.is_comment)):
                pass
                _pos = self._io.pos()
                self._io.seek(0)
                self._m_pieces = []
                i = 0
                while not self._io.is_eof():
                    self._m_pieces.append(DurakvManifest.Piece(self._io, self, self._root))
                    i += 1

                self._io.seek(_pos)

            return getattr(self, '_m_pieces', None)


    class Octet(KaitaiStruct):
        """A byte in two lower-case hexadecimal digits."""
        def __init__(self, _io, _parent=None, _root=None):
            super(DurakvManifest.Octet, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.digits = []
            for i in range(2):
                self.digits.append(self._io.read_u1())
                _ = self.digits[i]
                if not  (( ((_ >= 48) and (_ <= 57)) ) or ( ((_ >= 97) and (_ <= 102)) )) :
                    raise kaitaistruct.ValidationExprError(self.digits[i], self._io, u"/types/octet/seq/0")



        def _fetch_instances(self):
            pass
            for i in range(len(self.digits)):
                pass


        @property
        def byte(self):
            if hasattr(self, '_m_byte'):
                return self._m_byte

            self._m_byte = (((self.digits[0] & 15) + (self.digits[0] >> 6) * 9) * 16 + (self.digits[1] & 15)) + (self.digits[1] >> 6) * 9
            return getattr(self, '_m_byte', None)


    class Piece(KaitaiStruct):
        """A space, or a word: the bytes of `bare.characters`, or what the characters of `quoted` stand for, but for the last
        one, which is the closing quote.
        """
        def __init__(self, _io, _parent=None, _root=None):
            super(DurakvManifest.Piece, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            if self.is_space:
                pass
                self.space = self._io.read_u1()

            if self.is_quoted:
                pass
                self.quoted = DurakvManifest.Quoted(self._io, self, self._root)

            if  (((not (self.is_space))) and ((not (self.is_quoted)))) :
                pass
                self.bare = DurakvManifest.Bare(self._io, self, self._root)

            self.word_ends_at_a_space = self._io.read_bytes(0)
            _ = self.word_ends_at_a_space
            if not  ((self.is_space) or (self._io.is_eof()) or (self.end == 32) or ( ((self.end >= 9) and (self.end <= 13)) )) :
                raise kaitaistruct.ValidationExprError(self.word_ends_at_a_space, self._io, u"/types/piece/seq/3")


        def _fetch_instances(self):
            pass
            if self.is_space:
                pass

            if self.is_quoted:
                pass
                self.quoted._fetch_instances()

            if  (((not (self.is_space))) and ((not (self.is_quoted)))) :
                pass
                self.bare._fetch_instances()

            _ = self.end
            if hasattr(self, '_m_end'):
                pass

            _ = self.first
            if hasattr(self, '_m_first'):
                pass


        @property
        def end(self):
            """The byte behind a word."""
            if hasattr(self, '_m_end'):
                return self._m_end

            _pos = self._io.pos()
            self._io.seek(self._io.pos())
            self._m_end = self._io.read_u1()
            self._io.seek(_pos)
            return getattr(self, '_m_end', None)

        @property
        def first(self):
            if hasattr(self, '_m_first'):
                return self._m_first

            _pos = self._io.pos()
            self._io.seek(self.offset)
            self._m_first = self._io.read_u1()
            self._io.seek(_pos)
            return getattr(self, '_m_first', None)

        @property
        def is_quoted(self):
            if hasattr(self, '_m_is_quoted'):
                return self._m_is_quoted

            self._m_is_quoted =  ((self.first == 34) or (self.first == 39)) 
            return getattr(self, '_m_is_quoted', None)

        @property
        def is_space(self):
            if hasattr(self, '_m_is_space'):
                return self._m_is_space

            self._m_is_space =  ((self.first == 32) or ( ((self.first >= 9) and (self.first <= 13)) )) 
            return getattr(self, '_m_is_space', None)

        @property
        def offset(self):
            if hasattr(self, '_m_offset'):
                return self._m_offset

            self._m_offset = self._io.pos()
            return getattr(self, '_m_offset', None)


    class Quoted(KaitaiStruct):
        def __init__(self, _io, _parent=None, _root=None):
            super(DurakvManifest.Quoted, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.quote = self._io.read_u1()
            self.characters = []
            i = 0
            while True:
                _ = DurakvManifest.Character(self.quote, self._io, self, self._root)
                self.characters.append(_)
                if _.closes:
                    break
                i += 1


        def _fetch_instances(self):
            pass
            for i in range(len(self.characters)):
                pass
                self.characters[i]._fetch_instances()



    @property
    def is_ours(self):
        """Whether durakv wrote it. A stock server writes no header."""
        if hasattr(self, '_m_is_ours'):
            return self._m_is_ours

        self._m_is_ours =  ((self._io.size() >= 7) and (self.prefix == b"\x23\x44\x4B\x56\x4D\x31\x20")) 
        return getattr(self, '_m_is_ours', None)

    @property
    def prefix(self):
        if hasattr(self, '_m_prefix'):
            return self._m_prefix

        _pos = self._io.pos()
        self._io.seek(0)
        self._m_prefix = self._io.read_bytes(7)
        self._io.seek(_pos)
        return getattr(self, '_m_prefix', None)

    @property
    def start(self):
        if hasattr(self, '_m_start'):
            return self._m_start

        _pos = self._io.pos()
        self._io.seek(0)
        self._m_start = self._io.read_bytes(5)
        self._io.seek(_pos)
        return getattr(self, '_m_start', None)


