"""Masks as OME-TIFF, with the size of a pixel: https://docs.openmicroscopy.org/ome-model/."""

from __future__ import annotations

import io
import uuid
from typing import Any

import tifffile

from curatome.dataset.export.base import Entry, Export, Job
from curatome.dataset.export.masks_png import Labels, MasksPng


class MasksOme(MasksPng):
    """The format."""

    name = "masks-ome"
    title = "Masks, OME-TIFF"
    layout = "SPLIT/images/NAME.jpg (or .png), SPLIT/masks/NAME.ome.tif, classes.csv"
    suffix = ".ome.tif"

    def encoded(self, mask: Labels, entry: Entry, job: Job) -> bytes:
        """A mask as the bytes of a file."""
        name = f"{job.version.info.id}/{entry.item}"
        said: dict[str, Any] = {
            "axes": "YX",
            "UUID": str(uuid.uuid5(uuid.NAMESPACE_OID, name)),
            "Name": entry.item,
        }
        for axis in ("x", "y"):
            if entry.row[f"mpp_{axis}"] is not None:
                said[f"PhysicalSize{axis.upper()}"] = entry.row[f"mpp_{axis}"]
        stream = io.BytesIO()
        tifffile.imwrite(stream, mask, ome=True, metadata=said, compression="deflate")
        return stream.getvalue()


EXPORT: Export = MasksOme()
