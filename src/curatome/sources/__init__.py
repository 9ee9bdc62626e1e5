"""Datasets of region images: what is known of public ones, and how a copy on disk is read.

A source is described by one small TOML file (`registry/`), and read by an adapter that says what
there is, without decoding any image.
"""

from curatome.sources.check import CountRow, SourceCheck, check_listing, recognize
from curatome.sources.listing import Entry, Listing, SourceFiles, read_bytes, walk
from curatome.sources.model import Counts, CpiaPart, Layout, ScaleRule, Source
from curatome.sources.registry import find_source, load_source, registered_sources

__all__ = [
    "CountRow",
    "Counts",
    "CpiaPart",
    "Entry",
    "Layout",
    "Listing",
    "ScaleRule",
    "Source",
    "SourceCheck",
    "SourceFiles",
    "check_listing",
    "find_source",
    "load_source",
    "read_bytes",
    "recognize",
    "registered_sources",
    "walk",
]
