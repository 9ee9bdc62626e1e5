"""What other tools train from: one module per format, each writes a version's items."""

from __future__ import annotations

import importlib
from functools import lru_cache

from curatome.dataset.export.base import Entry, Export, Job, Loss
from curatome.errors import VersionError

__all__ = ["Entry", "Export", "Job", "Loss", "all_exports", "export_named"]

_MODULES = (
    "webdataset",
    "huggingface",
    "class_folders",
    "coco",
    "yolo",
    "masks_png",
    "masks_ome",
    "dicom_seg",
    "dicom_ann",
    "csv_files",
)


@lru_cache(maxsize=1)
def all_exports() -> tuple[Export, ...]:
    """Every format, by the order of the docs."""
    modules = (importlib.import_module(f"{__name__}.{name}") for name in _MODULES)
    return tuple(module.EXPORT for module in modules)


def export_named(name: str) -> Export:
    """The format of a name.

    Raises:
        VersionError: there is none; lists them all.
    """
    formats = all_exports()
    for one in formats:
        if one.name == name:
            return one
    known = ", ".join(one.name for one in formats)
    raise VersionError(f'there is no export "{name}". Use one of {known}.')
