# This is a generated file! Please edit source .ksy file and use kaitai-struct-compiler to rebuild
# type: ignore

import kaitaistruct
from kaitaistruct import KaitaiStruct, KaitaiStream, BytesIO
from enum import IntEnum


if getattr(kaitaistruct, 'API_VERSION', (0, 9)) < (0, 11):
    raise Exception("Incompatible Kaitai Struct Python API: 0.11 or later is required, but you have %s" % (kaitaistruct.__version__))

class DurakvPayload(KaitaiStruct):
    """One MessagePack value: a list of columns, each of them keys of one kind in one database and, in the same order, their
    values. Only the part of MessagePack that columns are made of is described here: integers, byte strings, floats, arrays,
    maps and nil. What the values of each kind are made of stands in the page, and is left to the program to compare, as
    is a `kind` that is none of the enumeration, which is a newer version's.
    
    .. seealso::
       formats/snapshot-v1.md
    """

    class Kind(IntEnum):
        strings = 0
        hashes = 1
        lists = 2
        sets = 3
        sorted_sets = 4
        streams = 5
        more_hashes = 129
        more_lists = 130
        more_sets = 131
        more_sorted_sets = 132
        more_streams = 133
        deadlines = 255
    def __init__(self, _io, _parent=None, _root=None):
        super(DurakvPayload, self).__init__(_io)
        self._parent = _parent
        self._root = _root or self
        self._read()

    def _read(self):
        self.head = DurakvPayload.ArrayHead(self._io, self, self._root)
        self.columns = []
        for i in range(self.head.count):
            self.columns.append(DurakvPayload.Column(self._io, self, self._root))

        self.rest = self._io.read_bytes_full()
        _ = self.rest
        if not len(_) == 0:
            raise kaitaistruct.ValidationExprError(self.rest, self._io, u"/seq/2")


    def _fetch_instances(self):
        pass
        self.head._fetch_instances()
        for i in range(len(self.columns)):
            pass
            self.columns[i]._fetch_instances()


    class ArrayHead(KaitaiStruct):
        def __init__(self, _io, _parent=None, _root=None):
            super(DurakvPayload.ArrayHead, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.tag = self._io.read_u1()
            _ = self.tag
            if not  ((_ & 240 == 144) or (_ == 220) or (_ == 221)) :
                raise kaitaistruct.ValidationExprError(self.tag, self._io, u"/types/array_head/seq/0")
            _on = self.tag
            if _on == 220:
                pass
                self.long_count = self._io.read_u2be()
            elif _on == 221:
                pass
                self.long_count = self._io.read_u4be()


        def _fetch_instances(self):
            pass
            _on = self.tag
            if _on == 220:
                pass
            elif _on == 221:
                pass

        @property
        def count(self):
            if hasattr(self, '_m_count'):
                return self._m_count

            self._m_count = (self.tag & 15 if self.tag < 160 else self.long_count)
            return getattr(self, '_m_count', None)


    class Column(KaitaiStruct):
        def __init__(self, _io, _parent=None, _root=None):
            super(DurakvPayload.Column, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.head = DurakvPayload.ArrayHead(self._io, self, self._root)
            _ = self.head
            if not _.count == 4:
                raise kaitaistruct.ValidationExprError(self.head, self._io, u"/types/column/seq/0")
            self.kind_number = DurakvPayload.Value(self._io, self, self._root)
            _ = self.kind_number
            if not _.is_integer:
                raise kaitaistruct.ValidationExprError(self.kind_number, self._io, u"/types/column/seq/1")
            self.database_number = DurakvPayload.Value(self._io, self, self._root)
            _ = self.database_number
            if not  ((_.is_integer) and (_.integer >= 0) and (_.integer <= 2147483647)) :
                raise kaitaistruct.ValidationExprError(self.database_number, self._io, u"/types/column/seq/2")
            self.key_head = DurakvPayload.ArrayHead(self._io, self, self._root)
            self.keys = []
            for i in range(self.key_head.count):
                self.keys.append(DurakvPayload.Value(self._io, self, self._root))
                _ = self.keys[i]
                if not _.is_bytes:
                    raise kaitaistruct.ValidationExprError(self.keys[i], self._io, u"/types/column/seq/4")

            self.value_head = DurakvPayload.ArrayHead(self._io, self, self._root)
            _ = self.value_head
            if not _.count == self.key_head.count:
                raise kaitaistruct.ValidationExprError(self.value_head, self._io, u"/types/column/seq/5")
            self.values = []
            for i in range(self.value_head.count):
                self.values.append(DurakvPayload.Value(self._io, self, self._root))



        def _fetch_instances(self):
            pass
            self.head._fetch_instances()
            self.kind_number._fetch_instances()
            self.database_number._fetch_instances()
            self.key_head._fetch_instances()
            for i in range(len(self.keys)):
                pass
                self.keys[i]._fetch_instances()

            self.value_head._fetch_instances()
            for i in range(len(self.values)):
                pass
                self.values[i]._fetch_instances()


        @property
        def database(self):
            if hasattr(self, '_m_database'):
                return self._m_database

            self._m_database = self.database_number.integer
            return getattr(self, '_m_database', None)

        @property
        def kind(self):
            if hasattr(self, '_m_kind'):
                return self._m_kind

            self._m_kind = KaitaiStream.resolve_enum(DurakvPayload.Kind, self.kind_number.integer)
            return getattr(self, '_m_kind', None)


    class Pair(KaitaiStruct):
        def __init__(self, _io, _parent=None, _root=None):
            super(DurakvPayload.Pair, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.name = DurakvPayload.Value(self._io, self, self._root)
            self.content = DurakvPayload.Value(self._io, self, self._root)


        def _fetch_instances(self):
            pass
            self.name._fetch_instances()
            self.content._fetch_instances()


    class Value(KaitaiStruct):
        """Any value; `is_...` says of which sort it is."""
        def __init__(self, _io, _parent=None, _root=None):
            super(DurakvPayload.Value, self).__init__(_io)
            self._parent = _parent
            self._root = _root
            self._read()

        def _read(self):
            self.tag = self._io.read_u1()
            _ = self.tag
            if not  ((_ < 160) or (_ >= 224) or (_ == 192) or ( ((_ >= 196) and (_ <= 198)) ) or ( ((_ >= 202) and (_ <= 211)) ) or ( ((_ >= 220) and (_ <= 223)) )) :
                raise kaitaistruct.ValidationExprError(self.tag, self._io, u"/types/value/seq/0")
            _on = self.tag
            if _on == 196:
                pass
                self.number = self._io.read_u1()
            elif _on == 197:
                pass
                self.number = self._io.read_u2be()
            elif _on == 198:
                pass
                self.number = self._io.read_u4be()
            elif _on == 204:
                pass
                self.number = self._io.read_u1()
            elif _on == 205:
                pass
                self.number = self._io.read_u2be()
            elif _on == 206:
                pass
                self.number = self._io.read_u4be()
            elif _on == 207:
                pass
                self.number = self._io.read_u8be()
            elif _on == 208:
                pass
                self.number = self._io.read_s1()
            elif _on == 209:
                pass
                self.number = self._io.read_s2be()
            elif _on == 210:
                pass
                self.number = self._io.read_s4be()
            elif _on == 211:
                pass
                self.number = self._io.read_s8be()
            elif _on == 220:
                pass
                self.number = self._io.read_u2be()
            elif _on == 221:
                pass
                self.number = self._io.read_u4be()
            elif _on == 222:
                pass
                self.number = self._io.read_u2be()
            elif _on == 223:
                pass
                self.number = self._io.read_u4be()
            _on = self.tag
            if _on == 202:
                pass
                self.real = self._io.read_f4be()
            elif _on == 203:
                pass
                self.real = self._io.read_f8be()
            if self.is_bytes:
                pass
                self.data = self._io.read_bytes(self.number)

            if self.is_array:
                pass
                self.items = []
                for i in range((self.tag & 15 if self.tag < 160 else self.number)):
                    self.items.append(DurakvPayload.Value(self._io, self, self._root))


            if self.is_map:
                pass
                self.pairs = []
                for i in range((self.tag & 15 if self.tag < 160 else self.number)):
                    self.pairs.append(DurakvPayload.Pair(self._io, self, self._root))




        def _fetch_instances(self):
            pass
            _on = self.tag
            if _on == 196:
                pass
            elif _on == 197:
                pass
            elif _on == 198:
                pass
            elif _on == 204:
                pass
            elif _on == 205:
                pass
            elif _on == 206:
                pass
            elif _on == 207:
                pass
            elif _on == 208:
                pass
            elif _on == 209:
                pass
            elif _on == 210:
                pass
            elif _on == 211:
                pass
            elif _on == 220:
                pass
            elif _on == 221:
                pass
            elif _on == 222:
                pass
            elif _on == 223:
                pass
            _on = self.tag
            if _on == 202:
                pass
            elif _on == 203:
                pass
            if self.is_bytes:
                pass

            if self.is_array:
                pass
                for i in range(len(self.items)):
                    pass
                    self.items[i]._fetch_instances()


            if self.is_map:
                pass
                for i in range(len(self.pairs)):
                    pass
                    self.pairs[i]._fetch_instances()



        @property
        def integer(self):
            if hasattr(self, '_m_integer'):
                return self._m_integer

            if self.is_integer:
                pass
                self._m_integer = (self.tag if self.tag < 128 else (self.tag - 256 if self.tag >= 224 else self.number))

            return getattr(self, '_m_integer', None)

        @property
        def is_array(self):
            if hasattr(self, '_m_is_array'):
                return self._m_is_array

            self._m_is_array =  (( ((self.tag >= 144) and (self.tag < 160)) ) or (self.tag == 220) or (self.tag == 221)) 
            return getattr(self, '_m_is_array', None)

        @property
        def is_bytes(self):
            if hasattr(self, '_m_is_bytes'):
                return self._m_is_bytes

            self._m_is_bytes =  ((self.tag >= 196) and (self.tag <= 198)) 
            return getattr(self, '_m_is_bytes', None)

        @property
        def is_float(self):
            if hasattr(self, '_m_is_float'):
                return self._m_is_float

            self._m_is_float =  ((self.tag == 202) or (self.tag == 203)) 
            return getattr(self, '_m_is_float', None)

        @property
        def is_integer(self):
            if hasattr(self, '_m_is_integer'):
                return self._m_is_integer

            self._m_is_integer =  ((self.tag < 128) or (self.tag >= 224) or ( ((self.tag >= 204) and (self.tag <= 211)) )) 
            return getattr(self, '_m_is_integer', None)

        @property
        def is_map(self):
            if hasattr(self, '_m_is_map'):
                return self._m_is_map

            self._m_is_map =  (( ((self.tag >= 128) and (self.tag < 144)) ) or (self.tag == 222) or (self.tag == 223)) 
            return getattr(self, '_m_is_map', None)

        @property
        def is_nil(self):
            if hasattr(self, '_m_is_nil'):
                return self._m_is_nil

            self._m_is_nil = self.tag == 192
            return getattr(self, '_m_is_nil', None)



