"""Masks as PNG: a label image for every item, whose pixels say the class.

0 is background: everything of every class was annotated there, and nothing lies there. 255 is
unknown: not searched for every class, or not judged. From 1 on are the classes, as `classes.csv`
lists them.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from curatome.dataset.export.base import Entry, Export, Job, write_image
from curatome.dataset.export.scenes import Scene, Scenes, pixels_of
from curatome.durable import write_file
from curatome.errors import VersionError

Labels = npt.NDArray[np.uint8]

VOID = 255


class MasksPng:
    """The format."""

    name = "masks-png"
    title = "Masks, PNG"
    layout = "SPLIT/images/NAME.jpg (or .png), SPLIT/masks/NAME.png, classes.csv"
    note = (
        "0 is background, 255 unknown (ignore it in the loss), 1 and more are classes. Of shapes "
        "that overlap, the smaller keeps the pixels."
    )
    suffix = ".png"

    def encoded(self, mask: Labels, entry: Entry, job: Job) -> bytes:
        """A mask as the bytes of a file."""
        del entry, job
        stream = io.BytesIO()
        Image.fromarray(mask).save(stream, "PNG")
        return stream.getvalue()

    def write(self, job: Job, folder: Path) -> None:
        """See `Export`."""
        if not 0 < len(job.classes) < VOID:
            raise VersionError(
                f"a mask has 1 to {VOID - 1} classes. Got {len(job.classes)}; choose with --class."
            )
        scenes = Scenes(job)
        for split in job.splits:
            for entry in job.entries(split):
                scene = scenes.on(entry)
                mask = painted(scene, scenes, job.classes)
                write_image(folder / split / "images" / entry.file, entry.data)
                data = self.encoded(mask, entry, job)
                write_image(folder / split / "masks" / (entry.stem + self.suffix), data)
                scenes.tell_unshaped(entry, scene, self.title)
        scenes.finish()
        write_file(folder / "classes.csv", _table(job.classes))


def painted(scene: Scene, scenes: Scenes, classes: tuple[str, ...]) -> Labels:
    """The label image of an item, (side, side) uint8.

    Args:
        scene: what lies on the item.
        scenes: is told what pixels cannot show.
        classes: value 1 and on.
    """
    value = {name: at for at, name in enumerate(classes, start=1)}
    mask = np.where(scene.unknown(classes), VOID, 0).astype(np.uint8)
    for one in scene.unsure:
        mask[pixels_of(one.shape, scene.side)] = VOID
    for one in sorted(scene.objects, key=lambda placed: (-placed.shape.area, placed.order)):
        if one.shape.geom_type == "Point":
            scenes.tell(one, "geometry", "a point covers no pixels; it was left out.")
            continue
        if not one.labels:
            scenes.tell(one, "labels", f"it has no class; its pixels were written as {VOID}.")
        elif len(one.labels) > 1:
            told = f'a pixel has one class; of {", ".join(one.labels)}, "{one.labels[0]}" was kept.'
            scenes.tell(one, "labels", told)
        here = pixels_of(one.shape, scene.side)
        number = value[one.labels[0]] if one.labels else VOID
        if np.isin(mask[here], (0, VOID, number), invert=True).any():
            told = "it lies over a larger shape of another class, which lost those pixels."
            scenes.tell(one, "geometry", told)
        mask[here] = number
    return mask


def _table(classes: tuple[str, ...]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("value", "class"))
    writer.writerow((0, "background"))
    writer.writerows(enumerate(classes, start=1))
    writer.writerow((VOID, "unknown"))
    return text.getvalue()


EXPORT: Export = MasksPng()
