"""YOLO: boxes as text beside the images, https://docs.ultralytics.com/datasets/detect/."""

from __future__ import annotations

import json
from pathlib import Path

from curatome.dataset.export.base import Entry, Export, Job, Loss, write_image
from curatome.dataset.export.scenes import Scene, Scenes
from curatome.durable import write_file
from curatome.errors import VersionError

_USUAL = ("train", "val", "test")


class Yolo:
    """The format."""

    name = "yolo"
    title = "YOLO boxes"
    layout = "images/SPLIT/NAME.jpg (or .png), labels/SPLIT/NAME.txt, data.yaml"
    note = (
        "Every shape becomes the box around it. A place without a box is background to YOLO: the "
        "report names items that were not searched all over."
    )

    def write(self, job: Job, folder: Path) -> None:
        """See `Export`."""
        if not job.classes:
            raise VersionError("YOLO needs classes, and this version has none.")
        scenes = Scenes(job)
        number = {name: at for at, name in enumerate(job.classes)}
        for split in job.splits:
            for entry in job.entries(split):
                scene = scenes.on(entry)
                write_image(folder / "images" / split / entry.file, entry.data)
                lines = "".join(_lines(scene, scenes, number)).encode()
                write_image(folder / "labels" / split / f"{entry.stem}.txt", lines)
                _tell(entry, scene, job)
                scenes.tell_unshaped(entry, scene, self.title)
        scenes.finish()
        write_file(folder / "data.yaml", _about(job))


def _lines(scene: Scene, scenes: Scenes, number: dict[str, int]) -> list[str]:
    found = []
    for one in scene.objects:
        if not one.labels or one.shape.geom_type == "Point":
            what = "boxes without a class" if not one.labels else "points"
            scenes.tell(one, "geometry", f"YOLO has no {what}; it was left out.")
            continue
        if len(one.labels) > 1:
            told = f'YOLO has one class; of {", ".join(one.labels)}, "{one.labels[0]}" was kept.'
            scenes.tell(one, "labels", told)
        if one.kind != "box":
            scenes.tell(one, "geometry", "YOLO boxes have no outline; the box around it was kept.")
        left, top, right, bottom = (value / scene.side for value in one.shape.bounds)
        values = (left + right) / 2, (top + bottom) / 2, right - left, bottom - top
        words = [str(number[one.labels[0]]), *(f"{value:.8g}" for value in values)]
        found.append(" ".join(words) + "\n")
    return found


def _tell(entry: Entry, scene: Scene, job: Job) -> None:
    unsearched = [name for name in job.classes if scene.unknown([name]).any()]
    if unsearched or scene.unsure:
        what = f"{', '.join(unsearched)} was not searched for" if unsearched else ""
        unsure = f"a reader could not judge {len(scene.unsure)} objects" if scene.unsure else ""
        why = " and ".join(one for one in (what, unsure) if one)
        told = f"YOLO takes what has no box for background, but in this item {why}."
        job.lose(Loss(entry.item, "exhaustive", told))


def _about(job: Job) -> str:
    """data.yaml, in which JSON's strings are YAML's; without `path`, paths begin where it lies."""
    order = [name for name in _USUAL if name in job.splits]
    order += [name for name in job.splits if name not in order]
    splits = "".join(f"{json.dumps(name)}: {json.dumps(f'images/{name}')}\n" for name in order)
    names = "".join(f"  {at}: {json.dumps(name)}\n" for at, name in enumerate(job.classes))
    return f"{splits}names:\n{names}"


EXPORT: Export = Yolo()
