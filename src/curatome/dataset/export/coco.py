"""COCO: objects with outlines, by split, https://cocodataset.org/#format-data.

Where a class was not searched for, a crowd (`iscrowd` 1) of that class covers the place, which
COCO's evaluation takes for neither hit nor miss. The member `curatome` says the same in outlines:
`exhaustive` lists, as in files of annotations, where everything of which classes was annotated.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely

from curatome.annotations.exhaustive import EXHAUSTIVE, MEMBER, plain
from curatome.annotations.formats.rows import OURS
from curatome.annotations.formats.run_lengths import packed
from curatome.dataset.export.base import Entry, Export, Job, write_image
from curatome.dataset.export.scenes import Placed, Scene, Scenes, pixels_of
from curatome.durable import write_file
from curatome.errors import VersionError

Value = dict[str, Any]


class Coco:
    """The format."""

    name = "coco"
    title = "COCO"
    layout = "SPLIT/NAME.jpg (or .png), annotations/SPLIT.json"
    note = (
        "Shapes are cut to the item and in its pixels; those with holes and masks are run lengths, "
        "points are keypoints. Crowds cover what was not searched."
    )

    def write(self, job: Job, folder: Path) -> None:
        """See `Export`."""
        if not job.classes:
            raise VersionError("COCO needs classes, and this version has none.")
        scenes = Scenes(job)
        for split in job.splits:
            file = _File(job, scenes)
            for entry in job.entries(split):
                write_image(folder / split / entry.file, entry.data)
                file.add(entry, scenes.on(entry))
            write_file(folder / "annotations" / f"{split}.json", file.text())
        scenes.finish()


class _File:
    """What one JSON file holds."""

    def __init__(self, job: Job, scenes: Scenes) -> None:
        self._job, self._scenes = job, scenes
        self._categories = {name: at for at, name in enumerate(job.classes, start=1)}
        self._images: list[Value] = []
        self._annotations: list[Value] = []
        self._regions: list[Value] = []

    def text(self) -> str:
        """The file."""
        info = self._job.version.info
        return json.dumps(
            {
                "info": {"description": "written by Curatome", "version": info.name},
                "images": self._images,
                "categories": [{"id": key, "name": name} for name, key in self._categories.items()],
                "annotations": self._annotations,
                OURS: {"version": info.id, MEMBER: self._regions},
            },
            ensure_ascii=False,
        )

    def add(self, entry: Entry, scene: Scene) -> None:
        """One item and all that lies on it."""
        image = len(self._images) + 1
        self._images.append(
            {
                "id": image,
                "file_name": entry.file,
                "width": scene.side,
                "height": scene.side,
                "item": entry.plain(),
            }
        )
        for one in scene.objects:
            self._object(image, scene, one)
        for one in scene.unsure:
            self._crowd(image, pixels_of(one.shape, scene.side), one.labels or self._job.classes)
        self._unsearched(image, scene)

    def _object(self, image: int, scene: Scene, placed: Placed) -> None:
        name = placed.labels[0] if placed.labels else None
        if name is None:
            told = "COCO needs a category, and it has no label; left out."
            self._scenes.tell(placed, "labels", told)
            return
        if len(placed.labels) > 1:
            told = f'COCO has one category; of {", ".join(placed.labels)}, "{name}" was kept.'
            self._scenes.tell(placed, "labels", told)
        said = {"iscrowd": 0, "truncated": not placed.whole, "annotation": placed.annotation}
        self._append(image, name, _drawn(placed, scene.side) | said)

    def _unsearched(self, image: int, scene: Scene) -> None:
        """Crowds where a class was not searched for, and outlines of where it was."""
        together: dict[bytes, list[str]] = {}
        for name in self._job.classes:
            area = scene.searched.get(name)
            if area is not None:
                together.setdefault(shapely.to_wkb(shapely.normalize(area)), []).append(name)
            self._crowd(image, scene.unknown([name]), [name])
        for wkb, classes in together.items():
            whole = shapely.from_wkb(wkb).geom_type == "Polygon"
            region = {
                **dict.fromkeys(EXHAUSTIVE.schema.names),
                "kind": "polygon" if whole else "multipolygon",
                "geometry": wkb,
                "classes": classes,
            }
            self._regions.append(plain(region, self._images[-1]["file_name"]))

    def _crowd(self, image: int, mask: npt.NDArray[np.bool_], classes: Any) -> None:
        if mask.any():
            shape = _run_lengths(mask) | {"iscrowd": 1}
            for name in classes:
                self._append(image, name, shape)

    def _append(self, image: int, name: str, said: Value) -> None:
        key = len(self._annotations) + 1
        known = {"id": key, "image_id": image, "category_id": self._categories[name]}
        self._annotations.append(known | said)


def _drawn(placed: Placed, side: int) -> Value:
    """The members that say a shape."""
    shape = placed.shape
    left, top, right, bottom = (round(v, 3) for v in shape.bounds)
    box = {"bbox": [left, top, round(right - left, 3), round(bottom - top, 3)]}
    if shape.geom_type == "Point":
        point = [round(shape.x, 3), round(shape.y, 3), 2]
        return box | {"area": 0.0, "segmentation": [], "keypoints": point, "num_keypoints": 1}
    parts = shapely.get_parts(shape)
    mask = pixels_of(shape, side)
    if mask.any() and (placed.kind == "mask" or shapely.get_num_interior_rings(parts).any()):
        return _run_lengths(mask)
    rings = [
        np.round(shapely.get_coordinates(shapely.get_exterior_ring(one))[:-1], 3).ravel().tolist()
        for one in parts
    ]
    return box | {"area": round(shape.area, 3), "segmentation": rings}


def _run_lengths(mask: npt.NDArray[np.bool_]) -> Value:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    left, top = int(columns[0]), int(rows[0])
    box = [left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top]
    coded = {"size": list(mask.shape), "counts": packed(mask)}
    return {"bbox": box, "area": int(mask.sum()), "segmentation": coded}


EXPORT: Export = Coco()
