"""Tests of the rewrite: the merge, its steps, its crashes and its child process."""
