"""Adapters: durakv as the storage of other programs, each in the shape that the program asks for.

They use durakv's public names only, and import the program that they are for when they are imported themselves; each
needs the extra of its name: ``pip install 'durakv[scrapy]'``.
"""
