"""The door to the disk, its POSIX implementation, and the few dances done through it."""
