"""The bytes: codecs for every file format, without any input or output."""
