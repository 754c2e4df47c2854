"""A file system over /dev/fuse, in a process of its own: it serves a tree from memory and records what is done."""
