"""Bases on disk: streaming a snapshot out of a file and into one.  The bytes are the business of durakv_formats."""
