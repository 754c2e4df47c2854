"""The ``durakv`` command."""
