"""Folder per class: what an image is stands in its path."""

from __future__ import annotations

import re

from curatome.sources.listing import Entry, Listing, SourceFiles, surplus_of
from curatome.sources.model import Layout

FOLDER_PER_CLASS = (
    r"(?:(?P<split>train|training|val|valid|validation|test|testing)/)?(?P<class>[^/]+)/[^/]+"
)
"""The usual layout: `class/image.png`, or `train/class/image.png`."""


def list_folders(files: SourceFiles, layout: Layout) -> Listing:
    """Images whose path fits the layout's pattern.

    The pattern must fit the end of the path from any folder on, so that the copy may lie deeper
    or be named higher than the layout begins.
    """
    pattern = re.compile(rf"(?:^|.*?/)(?:{layout.pattern})$")
    ignore = re.compile(layout.ignore) if layout.ignore else None
    entries = []
    for name in files.images():
        full = files.full(name)
        found = pattern.match(full)
        if found is None or (ignore is not None and ignore.search(full)):
            continue
        said = found.groupdict()
        flat = layout.pattern == FOLDER_PER_CLASS and "/" not in name
        label = None if flat else said.get("class")  # the copy's own folder is no class
        entries.append(
            Entry(
                name,
                label=layout.classes.get(label, label) if label else None,
                case=said.get("case"),
                split=said.get("split"),
                part=said.get("part"),
            )
        )
    whole = tuple(entries)
    return Listing(whole, surplus_of(files, whole, layout.ignore))
