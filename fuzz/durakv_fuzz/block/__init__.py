"""A real ext4, XFS or btrfs on a recording device, and every state that a power cut may have left of that device.

What is seen here was done by the file system itself: no model of ours stands between a program and its loss.
"""
