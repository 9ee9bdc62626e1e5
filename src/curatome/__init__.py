"""Curatome builds pathology image datasets the way good engineers build software."""

__version__ = "0.1.0"
