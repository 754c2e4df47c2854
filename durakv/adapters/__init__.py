"""Adapters: other programs' storage interfaces on durakv, one module for each program, and nothing imported until used.

They use durakv's public API only, and each needs its program: ``pip install 'durakv[scrapy]'`` and so on.
"""
