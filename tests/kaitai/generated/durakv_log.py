# This is a generated file! Please edit source .ksy file and use kaitai-struct-compiler to rebuild
# type: ignore

import kaitaistruct
from kaitaistruct import KaitaiStruct, KaitaiStream, BytesIO
from enum import IntEnum


if getattr(kaitaistruct, 'API_VERSION', (0, 9)) < (0, 11):
    raise Exception("Incompatible Kaitai Struct Python API: 0.11 or later is required, but you have %s" % (kaitaistruct.__version__))

class DurakvLog(KaitaiStruct):
    """A file `appendonly.aof.<N>.incr.aof`: an opening frame, then a frame for each batch of commands, then zeros if the
    file was made larger in advance. The first frame is the opening one; nothing else is a header of the file.
    
    Three things are left to the program that uses this parser.
    
    - The checksum: `frame.crc32c` is the CRC-32C of the 84 bytes before it, continued over `frame.payload.raw`. Compare
      it before `frame.payload.batch`, which is parsed when it is first asked for.
    - The place: `identity` and `segment` have to be those of the directory and of the file's name.
    - The order: the number of a frame's first command is one more than the `seq` of the frame before it.
    
    A file that ends inside a record makes the parser fail with the end of the stream: whether that is the torn end of a
    log that was being written is said by the promises (`synced_seq`), not by the bytes.
    
    .. seealso::
       formats/log-v1.md
    """

    class Kind(IntEnum):
        frame = 0
        comment = 1
        command = 2
        zeros = 3
    def __init__(self, _io, _parent=None, _root=None):
        super(DurakvLog, self).__init__(_io)
        self._parent = _parent
        self._root = _root or self
        self._read()

    def _read(self):
        self.records = []
        i = 0
        while not self._io.is_eof():
            self.records.append(DurakvLog.Record(self._io, self, self._root))
            i += 1



    def _fetch_instances(self):
        pass
        for i in range(len(self.records)):
            pass
            self.records[i]._fetch_instances()


    class Argument(KaitaiStruct):
        def __init__(self, _io, _parent=None, _root=None):
            super(DurakvLog.Argument, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.mark = self._io.read_bytes(1)
            if not self.mark == b"\x24":
                raise kaitaistruct.ValidationNotEqualError(b"\x24", self.mark, self._io, u"/types/argument/seq/0")
            self._raw_length = self._io.read_bytes_term(13, False, True, True)
            _io__raw_length = KaitaiStream(BytesIO(self._raw_length))
            self.length = DurakvLog.Decimal(_io__raw_length, self, self._root)
            _ = self.length
            if not _.number <= 536870912:
                raise kaitaistruct.ValidationExprError(self.length, self._io, u"/types/argument/seq/1")
            self.line_feed = self._io.read_bytes(1)
            if not self.line_feed == b"\x0A":
                raise kaitaistruct.ValidationNotEqualError(b"\x0A", self.line_feed, self._io, u"/types/argument/seq/2")
            self.data = self._io.read_bytes(self.length.number)
            self.line_end = self._io.read_bytes(2)
            if not self.line_end == b"\x0D\x0A":
                raise kaitaistruct.ValidationNotEqualError(b"\x0D\x0A", self.line_end, self._io, u"/types/argument/seq/4")


        def _fetch_instances(self):
            pass
            self.length._fetch_instances()


    class Batch(KaitaiStruct):
        """A command, or several between MULTI and EXEC, which are not counted.
        
        .. seealso::
           formats/resp.md
        """
        def __init__(self, count, _io, _parent=None, _root=None):
            super(DurakvLog.Batch, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self.count = count
            self._read()

        def _read(self):
            if self.count > 1:
                pass
                self.multi = self._io.read_bytes(15)
                if not self.multi == b"\x2A\x31\x0D\x0A\x24\x35\x0D\x0A\x4D\x55\x4C\x54\x49\x0D\x0A":
                    raise kaitaistruct.ValidationNotEqualError(b"\x2A\x31\x0D\x0A\x24\x35\x0D\x0A\x4D\x55\x4C\x54\x49\x0D\x0A", self.multi, self._io, u"/types/batch/seq/0")

            self.commands = []
            for i in range(self.count):
                self.commands.append(DurakvLog.Command(self._io, self, self._root))

            if self.count > 1:
                pass
                self.exec = self._io.read_bytes(14)
                if not self.exec == b"\x2A\x31\x0D\x0A\x24\x34\x0D\x0A\x45\x58\x45\x43\x0D\x0A":
                    raise kaitaistruct.ValidationNotEqualError(b"\x2A\x31\x0D\x0A\x24\x34\x0D\x0A\x45\x58\x45\x43\x0D\x0A", self.exec, self._io, u"/types/batch/seq/2")

            self.rest = self._io.read_bytes_full()
            _ = self.rest
            if not len(_) == 0:
                raise kaitaistruct.ValidationExprError(self.rest, self._io, u"/types/batch/seq/3")


        def _fetch_instances(self):
            pass
            if self.count > 1:
                pass

            for i in range(len(self.commands)):
                pass
                self.commands[i]._fetch_instances()

            if self.count > 1:
                pass



    class Command(KaitaiStruct):
        """A command of byte strings. Outside any frame it was written by a stock server, and a MULTI there groups what
        stands before the next EXEC.
        
        .. seealso::
           formats/resp.md
        """
        def __init__(self, _io, _parent=None, _root=None):
            super(DurakvLog.Command, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.mark = self._io.read_bytes(1)
            if not self.mark == b"\x2A":
                raise kaitaistruct.ValidationNotEqualError(b"\x2A", self.mark, self._io, u"/types/command/seq/0")
            self._raw_argument_count = self._io.read_bytes_term(13, False, True, True)
            _io__raw_argument_count = KaitaiStream(BytesIO(self._raw_argument_count))
            self.argument_count = DurakvLog.Decimal(_io__raw_argument_count, self, self._root)
            _ = self.argument_count
            if not  ((_.number >= 1) and (_.number <= 1048576)) :
                raise kaitaistruct.ValidationExprError(self.argument_count, self._io, u"/types/command/seq/1")
            self.line_feed = self._io.read_bytes(1)
            if not self.line_feed == b"\x0A":
                raise kaitaistruct.ValidationNotEqualError(b"\x0A", self.line_feed, self._io, u"/types/command/seq/2")
            self.arguments = []
            for i in range(self.argument_count.number):
                self.arguments.append(DurakvLog.Argument(self._io, self, self._root))



        def _fetch_instances(self):
            pass
            self.argument_count._fetch_instances()
            for i in range(len(self.arguments)):
                pass
                self.arguments[i]._fetch_instances()



    class Comment(KaitaiStruct):
        """A line of another program, such as the `#TS:` lines of stock servers. One of 94 bytes cannot be told from a frame
        header with a damaged prefix, and is refused. So is any that begins with `#DKV`: a number behind that is the
        version of a frame that this parser does not know. (Lines where it is followed by something else are comments;
        nobody writes them.)
        """
        def __init__(self, _io, _parent=None, _root=None):
            super(DurakvLog.Comment, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.line = self._io.read_bytes_term(10, True, True, True)
            _ = self.line
            if not  ((len(_) <= 1023) and (len(_) != 94) and ((not ( ((len(_) >= 4) and (KaitaiStream.byte_array_index(_, 1) == 68) and (KaitaiStream.byte_array_index(_, 2) == 75) and (KaitaiStream.byte_array_index(_, 3) == 86)) )))) :
                raise kaitaistruct.ValidationExprError(self.line, self._io, u"/types/comment/seq/0")


        def _fetch_instances(self):
            pass


    class Decimal(KaitaiStruct):
        """A number in decimal digits, without sign and without leading zeros."""
        def __init__(self, _io, _parent=None, _root=None):
            super(DurakvLog.Decimal, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.digits = []
            i = 0
            while not self._io.is_eof():
                self.digits.append(self._io.read_u1())
                if not self.digits[i] >= 48:
                    raise kaitaistruct.ValidationLessThanError(48, self.digits[i], self._io, u"/types/decimal/seq/0")
                if not self.digits[i] <= 57:
                    raise kaitaistruct.ValidationGreaterThanError(57, self.digits[i], self._io, u"/types/decimal/seq/0")
                i += 1

            self.has_one_form = self._io.read_bytes(0)
            _ = self.has_one_form
            if not  ((len(self.digits) >= 1) and (len(self.digits) <= 9) and ( ((len(self.digits) == 1) or (self.digits[0] != 48)) )) :
                raise kaitaistruct.ValidationExprError(self.has_one_form, self._io, u"/types/decimal/seq/1")


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

            self._m_number = int(self.text)
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


    class Frame(KaitaiStruct):
        """One batch, or the opening of a segment. Its header is a line of 94 bytes that a stock server passes over."""
        def __init__(self, _io, _parent=None, _root=None):
            super(DurakvLog.Frame, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.magic = self._io.read_bytes(6)
            if not self.magic == b"\x23\x44\x4B\x56\x31\x20":
                raise kaitaistruct.ValidationNotEqualError(b"\x23\x44\x4B\x56\x31\x20", self.magic, self._io, u"/types/frame/seq/0")
            self._raw_seq_field = self._io.read_bytes(16)
            _io__raw_seq_field = KaitaiStream(BytesIO(self._raw_seq_field))
            self.seq_field = DurakvLog.Hexadecimal16(_io__raw_seq_field, self, self._root)
            self.space_1 = self._io.read_bytes(1)
            if not self.space_1 == b"\x20":
                raise kaitaistruct.ValidationNotEqualError(b"\x20", self.space_1, self._io, u"/types/frame/seq/2")
            self._raw_count_field = self._io.read_bytes(8)
            _io__raw_count_field = KaitaiStream(BytesIO(self._raw_count_field))
            self.count_field = DurakvLog.Hexadecimal8(_io__raw_count_field, self, self._root)
            self.space_2 = self._io.read_bytes(1)
            if not self.space_2 == b"\x20":
                raise kaitaistruct.ValidationNotEqualError(b"\x20", self.space_2, self._io, u"/types/frame/seq/4")
            self._raw_length_field = self._io.read_bytes(8)
            _io__raw_length_field = KaitaiStream(BytesIO(self._raw_length_field))
            self.length_field = DurakvLog.Hexadecimal8(_io__raw_length_field, self, self._root)
            self.space_3 = self._io.read_bytes(1)
            if not self.space_3 == b"\x20":
                raise kaitaistruct.ValidationNotEqualError(b"\x20", self.space_3, self._io, u"/types/frame/seq/6")
            self._raw_synced_seq_field = self._io.read_bytes(16)
            _io__raw_synced_seq_field = KaitaiStream(BytesIO(self._raw_synced_seq_field))
            self.synced_seq_field = DurakvLog.Hexadecimal16(_io__raw_synced_seq_field, self, self._root)
            self.space_4 = self._io.read_bytes(1)
            if not self.space_4 == b"\x20":
                raise kaitaistruct.ValidationNotEqualError(b"\x20", self.space_4, self._io, u"/types/frame/seq/8")
            self._raw_identity_field = self._io.read_bytes(16)
            _io__raw_identity_field = KaitaiStream(BytesIO(self._raw_identity_field))
            self.identity_field = DurakvLog.Hexadecimal16(_io__raw_identity_field, self, self._root)
            self.space_5 = self._io.read_bytes(1)
            if not self.space_5 == b"\x20":
                raise kaitaistruct.ValidationNotEqualError(b"\x20", self.space_5, self._io, u"/types/frame/seq/10")
            self._raw_segment_field = self._io.read_bytes(8)
            _io__raw_segment_field = KaitaiStream(BytesIO(self._raw_segment_field))
            self.segment_field = DurakvLog.Hexadecimal8(_io__raw_segment_field, self, self._root)
            self.space_6 = self._io.read_bytes(1)
            if not self.space_6 == b"\x20":
                raise kaitaistruct.ValidationNotEqualError(b"\x20", self.space_6, self._io, u"/types/frame/seq/12")
            self._raw_crc32c_field = self._io.read_bytes(8)
            _io__raw_crc32c_field = KaitaiStream(BytesIO(self._raw_crc32c_field))
            self.crc32c_field = DurakvLog.Hexadecimal8(_io__raw_crc32c_field, self, self._root)
            self.line_end = self._io.read_bytes(2)
            if not self.line_end == b"\x0D\x0A":
                raise kaitaistruct.ValidationNotEqualError(b"\x0D\x0A", self.line_end, self._io, u"/types/frame/seq/14")
            self.length_is_bounded = self._io.read_bytes(0)
            _ = self.length_is_bounded
            if not self.length <= 1073741824:
                raise kaitaistruct.ValidationExprError(self.length_is_bounded, self._io, u"/types/frame/seq/15")
            self._raw_payload = self._io.read_bytes(self.length)
            _io__raw_payload = KaitaiStream(BytesIO(self._raw_payload))
            self.payload = DurakvLog.Payload(self.count, _io__raw_payload, self, self._root)
            self.numbers_are_plausible = self._io.read_bytes(0)
            _ = self.numbers_are_plausible
            if not  ((self.seq_field.is_below_2_to_63) and (self.count <= self.seq) and (self.synced_seq <= self.seq) and ( ((self.is_opening) or ( ((self.count >= 1) and (self.count <= 16777216) and (self.count <= self.length // 10)) )) )) :
                raise kaitaistruct.ValidationExprError(self.numbers_are_plausible, self._io, u"/types/frame/seq/17")


        def _fetch_instances(self):
            pass
            self.seq_field._fetch_instances()
            self.count_field._fetch_instances()
            self.length_field._fetch_instances()
            self.synced_seq_field._fetch_instances()
            self.identity_field._fetch_instances()
            self.segment_field._fetch_instances()
            self.crc32c_field._fetch_instances()
            self.payload._fetch_instances()

        @property
        def count(self):
            """How many commands the batch holds; of an opening frame, how many numbers up to `seq` are retired."""
            if hasattr(self, '_m_count'):
                return self._m_count

            self._m_count = self.count_field.number
            return getattr(self, '_m_count', None)

        @property
        def crc32c(self):
            """CRC-32C of the first 84 bytes of the header, then of the payload."""
            if hasattr(self, '_m_crc32c'):
                return self._m_crc32c

            self._m_crc32c = self.crc32c_field.number
            return getattr(self, '_m_crc32c', None)

        @property
        def identity(self):
            """The first 8 bytes of the directory's identity."""
            if hasattr(self, '_m_identity'):
                return self._m_identity

            self._m_identity = self.identity_field.number
            return getattr(self, '_m_identity', None)

        @property
        def is_opening(self):
            if hasattr(self, '_m_is_opening'):
                return self._m_is_opening

            self._m_is_opening = self.length == 0
            return getattr(self, '_m_is_opening', None)

        @property
        def length(self):
            """Bytes of the payload; 0 in an opening frame."""
            if hasattr(self, '_m_length'):
                return self._m_length

            self._m_length = self.length_field.number
            return getattr(self, '_m_length', None)

        @property
        def segment(self):
            """The number in the file's name."""
            if hasattr(self, '_m_segment'):
                return self._m_segment

            self._m_segment = self.segment_field.number
            return getattr(self, '_m_segment', None)

        @property
        def seq(self):
            """The number of the batch's last command; of an opening frame, the number before the segment's first command."""
            if hasattr(self, '_m_seq'):
                return self._m_seq

            self._m_seq = self.seq_field.number
            return getattr(self, '_m_seq', None)

        @property
        def synced_seq(self):
            """Everything up to this number was synced when the header was made."""
            if hasattr(self, '_m_synced_seq'):
                return self._m_synced_seq

            self._m_synced_seq = self.synced_seq_field.number
            return getattr(self, '_m_synced_seq', None)


    class Hexadecimal16(KaitaiStruct):
        """A number of 64 bits in 16 lower-case hexadecimal digits."""
        def __init__(self, _io, _parent=None, _root=None):
            super(DurakvLog.Hexadecimal16, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self._raw_high = self._io.read_bytes(8)
            _io__raw_high = KaitaiStream(BytesIO(self._raw_high))
            self.high = DurakvLog.Hexadecimal8(_io__raw_high, self, self._root)
            self._raw_low = self._io.read_bytes(8)
            _io__raw_low = KaitaiStream(BytesIO(self._raw_low))
            self.low = DurakvLog.Hexadecimal8(_io__raw_low, self, self._root)


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
            super(DurakvLog.Hexadecimal8, self).__init__(_io)
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


    class Payload(KaitaiStruct):
        def __init__(self, count, _io, _parent=None, _root=None):
            super(DurakvLog.Payload, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self.count = count
            self._read()

        def _read(self):
            self.raw = self._io.read_bytes_full()


        def _fetch_instances(self):
            pass
            _ = self.batch
            if hasattr(self, '_m_batch'):
                pass
                self._m_batch._fetch_instances()


        @property
        def batch(self):
            """The commands in the payload; only ask for them once the checksum was found right."""
            if hasattr(self, '_m_batch'):
                return self._m_batch

            if len(self.raw) != 0:
                pass
                _pos = self._io.pos()
                self._io.seek(0)
                self._m_batch = DurakvLog.Batch(self.count, self._io, self, self._root)
                self._io.seek(_pos)

            return getattr(self, '_m_batch', None)


    class Record(KaitaiStruct):
        """What may begin at any offset of a segment at which no frame is being read."""
        def __init__(self, _io, _parent=None, _root=None):
            super(DurakvLog.Record, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            _on = self.kind
            if _on == DurakvLog.Kind.command:
                pass
                self.body = DurakvLog.Command(self._io, self, self._root)
            elif _on == DurakvLog.Kind.comment:
                pass
                self.body = DurakvLog.Comment(self._io, self, self._root)
            elif _on == DurakvLog.Kind.frame:
                pass
                self.body = DurakvLog.Frame(self._io, self, self._root)
            elif _on == DurakvLog.Kind.zeros:
                pass
                self.body = DurakvLog.Zeros(self._io, self, self._root)


        def _fetch_instances(self):
            pass
            _on = self.kind
            if _on == DurakvLog.Kind.command:
                pass
                self.body._fetch_instances()
            elif _on == DurakvLog.Kind.comment:
                pass
                self.body._fetch_instances()
            elif _on == DurakvLog.Kind.frame:
                pass
                self.body._fetch_instances()
            elif _on == DurakvLog.Kind.zeros:
                pass
                self.body._fetch_instances()
            _ = self.prefix
            if hasattr(self, '_m_prefix'):
                pass


        @property
        def kind(self):
            if hasattr(self, '_m_kind'):
                return self._m_kind

            self._m_kind = (DurakvLog.Kind.frame if self.prefix == b"\x23\x44\x4B\x56\x31\x20" else (DurakvLog.Kind.comment if KaitaiStream.byte_array_index(self.prefix, 0) == 35 else (DurakvLog.Kind.command if KaitaiStream.byte_array_index(self.prefix, 0) == 42 else DurakvLog.Kind.zeros)))
            return getattr(self, '_m_kind', None)

        @property
        def left(self):
            if hasattr(self, '_m_left'):
                return self._m_left

            self._m_left = self._io.size() - self.offset
            return getattr(self, '_m_left', None)

        @property
        def offset(self):
            """Where the record begins."""
            if hasattr(self, '_m_offset'):
                return self._m_offset

            self._m_offset = self._io.pos()
            return getattr(self, '_m_offset', None)

        @property
        def prefix(self):
            if hasattr(self, '_m_prefix'):
                return self._m_prefix

            _pos = self._io.pos()
            self._io.seek(self.offset)
            self._m_prefix = self._io.read_bytes((self.left if self.left < 6 else 6))
            _ = self._m_prefix
            if not  ((KaitaiStream.byte_array_index(_, 0) == 35) or (KaitaiStream.byte_array_index(_, 0) == 42) or (KaitaiStream.byte_array_index(_, 0) == 0)) :
                raise kaitaistruct.ValidationExprError(self._m_prefix, self._io, u"/types/record/instances/prefix")
            self._io.seek(_pos)
            return getattr(self, '_m_prefix', None)


    class Zeros(KaitaiStruct):
        """Space that was never written, or was lost."""
        def __init__(self, _io, _parent=None, _root=None):
            super(DurakvLog.Zeros, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.space = self._io.read_bytes_full()


        def _fetch_instances(self):
            pass



