"""A running server of Redis's kind, from the outside: its address, and the plainest client for it.

The command line copies from and to such servers; the benchmark measures them.
"""
