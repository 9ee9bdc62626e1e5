"""Units of work of a source: which images are standardized together."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from curatome.project import Project
from curatome.tiles.regions import Item, RegionUnit
from curatome.workflows.added import AddedSource, duplicates_of, known_scale

_UNIT_BYTES = 64 << 20  # of image files, and
_UNIT_IMAGES = 1024  # images at the most make up a unit of work


def units_of(project: Project, added: AddedSource) -> list[RegionUnit]:
    """The units of a source: images in their order, each content once, cut by size of files."""
    copies, numbers = duplicates_of(added), _numbers(added)
    groups: dict[int, list[Item]] = {}
    for index, entry in enumerate(added.entries):
        if index not in copies:
            item = Item(entry, added.images[index], known_scale(added, entry))
            groups.setdefault(numbers[index], []).append(item)
    build = project.protocol.build
    return [
        RegionUnit(added.source.name, number, tuple(group), added.column, added.wishes.crop, build)
        for number, group in groups.items()
    ]


def without(added: AddedSource, gone: Collection[int]) -> AddedSource:
    """A source without some of its images; the others stay in the units that they were in.

    Args:
        added: the source.
        gone: positions of what is left out.
    """
    if not gone:
        return added
    numbers = _numbers(added)
    kept = [index for index in range(len(added.entries)) if index not in gone]
    return replace(
        added,
        entries=tuple(added.entries[index] for index in kept),
        images=tuple(added.images[index] for index in kept),
        sizes=tuple(added.sizes[index] for index in kept),
        units=tuple(numbers[index] for index in kept),
    )


def _numbers(added: AddedSource) -> tuple[int, ...]:
    """The number of each image's unit; a copy has that of the image before it."""
    if added.units:
        return added.units
    copies = duplicates_of(added)
    numbers: list[int] = []
    number, images, room = -1, 0, 0
    for index, size in enumerate(added.sizes):
        if index not in copies:
            if number < 0 or room <= 0 or images >= _UNIT_IMAGES:
                number, images, room = number + 1, 0, _UNIT_BYTES
            images, room = images + 1, room - size
        numbers.append(number)
    return tuple(numbers)
