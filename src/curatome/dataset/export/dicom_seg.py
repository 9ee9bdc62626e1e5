"""DICOM: annotations of each slide as a Segmentation, by split. No pixels of the slide."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pydicom
from pydicom.uid import generate_uid

from curatome.annotations.formats import Frame, Frames, format_named
from curatome.dataset.export.base import Export, Job, Loss, file_stem, slides_of
from curatome.dataset.labels import reference_of
from curatome.errors import AnnotationError, VersionError
from curatome.tables import ANNOTATIONS

_OWN = ("SOPInstanceUID", "SeriesInstanceUID")
_OF_ITEMS = {
    "DimensionOrganizationSequence": "DimensionOrganizationUID",
    "AnnotationGroupSequence": "AnnotationGroupUID",
    "SegmentSequence": "TrackingUID",
}


class Dicom:
    """The format.

    Args:
        name: of the format of annotations.
        title: as in the docs.
    """

    layout = "SPLIT/SLIDE.dcm"
    note = "Shapes on whole slides, in level-0 pixels; a slide belongs to the split of its case."

    def __init__(self, name: str, title: str) -> None:
        self.name, self.title = name.replace("_", "-"), title
        self._format = format_named(name)

    def write(self, job: Job, folder: Path) -> None:
        """See `Export`."""
        table = _of_classes(reference_of(job.version.table("annotations")), job.classes)
        frames = _frames(job.version.table("slides"))
        written = 0
        for split, selection in job.splits.items():
            told = f"{self.title} holds shapes; the images of {len(selection)} items were left out."
            job.lose(Loss(split, "image", told))
            for slide in slides_of(selection):
                part = table.filter(pc.equal(table["image"], slide))
                path = folder / split / f"{file_stem(slide)}.dcm"
                written += bool(len(part)) and self._slide(job, part, path, frames.get(slide))
            job.tick(len(selection), 0)
            self._regions(job, slides_of(selection))
        if not written:
            raise VersionError(f"no slide of these items has a shape that {self.title} can hold.")

    def _slide(self, job: Job, part: pa.Table, path: Path, frame: Frame | None) -> bool:
        """One slide's file; whether there is anything in it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            lost = self._format.write(part, path, Frames([frame] if frame else []), {})
        except AnnotationError as error:
            for name in part["annotation"].to_pylist():
                job.lose(Loss(name, "geometry", f"its slide could not be written: {error}"))
            return False
        for one in lost:
            job.lose(Loss(one.annotation, one.field, one.reason))
        _settle(path, f"{job.version.info.id}/{part['image'][0]}", job.version.info.created)
        return True

    def _regions(self, job: Job, slides: list[str]) -> None:
        for slide in slides:
            for region in job.version.searched.of(slide):
                told = (
                    f"{self.title} cannot say where all of {', '.join(sorted(region.classes))} is "
                    "annotated; a place without annotation is not known to be empty."
                )
                job.lose(Loss(region.name, "exhaustive", told))


def _of_classes(table: pa.Table, classes: tuple[str, ...]) -> pa.Table:
    """Annotations with a wanted class, without their other labels."""
    rows = table.select(ANNOTATIONS.schema.names).to_pylist()
    for row in rows:
        row["labels"] = [one for one in row["labels"] if one in classes]
    return ANNOTATIONS.from_rows([row for row in rows if row["labels"]])


def _frames(slides: pa.Table) -> dict[str, Frame]:
    return {
        row["slide"]: Frame(
            row["slide"],
            Path(row["path"]).name,
            row["width"],
            row["height"],
            row["mpp_x"],
            row["mpp_y"],
        )
        for row in slides.to_pylist()
        if row["width"] and row["height"]
    }


def _settle(path: Path, about: str, created: str) -> None:
    """Give a file the UIDs and the time that it will have when it is written again.

    Args:
        path: the file.
        about: what its UIDs are made from.
        created: the version's time, ISO 8601.
    """
    held = pydicom.dcmread(path)
    found = [str(held[word].value) for word in _OWN]
    for sequence, word in _OF_ITEMS.items():
        found += [str(item[word].value) for item in held.get(sequence) or () if word in item]
    new = {
        old: generate_uid(entropy_srcs=[about, held.SOPClassUID, str(at)])
        for at, old in enumerate(dict.fromkeys(found))
    }
    date, time = created[:10].replace("-", ""), created[11:19].replace(":", "")

    def settled(dataset: Any, element: Any) -> None:
        del dataset
        if element.VR == "UI" and str(element.value) in new:
            element.value = new[str(element.value)]
        elif element.value and element.VR in ("DA", "TM", "DT"):
            element.value = {"DA": date, "TM": time, "DT": date + time}[element.VR]

    held.walk(settled)
    held.file_meta.MediaStorageSOPInstanceUID = held.SOPInstanceUID
    held.save_as(path, enforce_file_format=True)


EXPORT: Export = Dicom("dicom_seg", "DICOM Segmentation")
