"""Regions in which everything of some classes is annotated, as a table and in other tools' files.

Only within them does a place without annotation mean that nothing is there. Files that can hold
a member of ours carry them under its name `exhaustive`, as JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import shapely

from curatome.annotations.model import KINDS, new_id
from curatome.errors import AnnotationError
from curatome.tables import ANNOTATIONS, Column, TableSpec

MEMBER = "exhaustive"
"""Name under which files hold regions, within the member or key `curatome`."""

Region = Mapping[str, Any]
"""A row of `EXHAUSTIVE`."""

EXHAUSTIVE = TableSpec(
    "exhaustive",
    (
        Column("region", pa.string(), "UUID"),
        Column("image", pa.string(), "slide or image that it lies on", nullable=True),
        Column("kind", pa.string(), "how to read the geometry, of annotations.model.KINDS"),
        Column("geometry", pa.binary(), "WKB; none for the whole image", "level-0 px", True),
        Column(
            "classes",
            ANNOTATIONS.schema.field("labels").type,
            "every object of these within the region is annotated",
        ),
        Column("reader", pa.string(), "who says so", nullable=True),
        Column("guideline", pa.string(), "version it was judged by", nullable=True),
        Column("time", pa.timestamp("us", "UTC"), "when it was judged", nullable=True),
    ),
)


def plain(region: Region, image: str | None = None) -> dict[str, Any]:
    """A region as JSON can hold it.

    Args:
        region: the region.
        image: what the file calls its image, where it holds several.
    """
    found = {
        "region": region["region"],
        "kind": region["kind"],
        "wkb": None if region["geometry"] is None else region["geometry"].hex(),
        "classes": list(region["classes"]),
        "reader": region["reader"],
        "guideline": region["guideline"],
        "time": None if region["time"] is None else region["time"].isoformat(),
    }
    return found if image is None else found | {"image": image}


def restored(member: Any, image: str | None, where: str) -> Region:
    """A region out of what `plain` made.

    Args:
        member: as JSON gave it.
        image: that it lies on.
        where: in the file, for the message.

    Raises:
        AnnotationError: it is none.
    """
    try:
        shape = None if member["wkb"] is None else shapely.from_wkb(member["wkb"])
        classes, time = member["classes"], member.get("time")
        if member["kind"] not in KINDS or not all(isinstance(one, str) for one in classes):
            raise ValueError("its kind or classes are not known")
        return {
            "region": str(member.get("region") or new_id()),
            "image": image,
            "kind": member["kind"],
            "geometry": None if shape is None else shapely.to_wkb(shape),
            "classes": list(classes),
            "reader": member.get("reader"),
            "guideline": member.get("guideline"),
            "time": None if time is None else datetime.fromisoformat(time).astimezone(UTC),
        }
    except (KeyError, TypeError, ValueError, AttributeError, shapely.errors.ShapelyError) as error:
        raise AnnotationError(
            f"{where}: {error} in a region of {MEMBER} annotation. Remove it, or export it again."
        ) from error


def as_annotations(regions: list[Region]) -> pa.Table:
    """Regions as the rows of `tables.ANNOTATIONS` that the store keeps them as."""
    same = {
        "cannot_judge": False,
        "read": 1,
        "basis": "imported",
        "parents": [],
        "properties": "{}",
    }
    columns = ("image", "kind", "geometry", "reader", "guideline", "time")
    return ANNOTATIONS.from_rows(
        [
            {
                **same,
                **{name: one[name] for name in columns},
                "annotation": one["region"],
                "labels": one["classes"],
            }
            for one in regions
        ]
    )
