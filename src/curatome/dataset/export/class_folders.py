"""A folder per class, as ImageFolder of torchvision and many others read it."""

from __future__ import annotations

from pathlib import Path

from curatome.dataset.export.base import Entry, Export, Job, Loss, lose_shapes, write_image
from curatome.errors import VersionError

_NONE = "background"


class ClassFolders:
    """The format."""

    name = "folders"
    title = "A folder per class"
    layout = "SPLIT/CLASS/NAME.jpg (or .png)"
    note = (
        f"Items without a label lie in `{_NONE}` where every class was searched for; elsewhere, "
        "and with several labels, an item is left out."
    )

    def write(self, job: Job, folder: Path) -> None:
        """See `Export`."""
        if not job.classes:
            raise VersionError("no item has a label, so there is no folder to put it in.")
        lose_shapes(job, self.title)
        names = {name: _folder(name) for name in job.classes}
        none = _NONE if _NONE not in names.values() else f"_{_NONE}"
        if len(set(names.values())) < len(names):
            raise VersionError(f"two classes need the same folder: {', '.join(job.classes)}.")
        written = 0
        for split in job.splits:
            for entry in job.entries(split):
                name = _class_of(entry, job)
                if name is not None:
                    path = folder / split / names.get(name, none) / entry.file
                    write_image(path, entry.data)
                    written += 1
        if not written:
            raise VersionError(
                "no item has just one label, or none where every class was searched for."
            )


def _class_of(entry: Entry, job: Job) -> str | None:
    """The item's class, empty if it surely has none; None if no folder can say what it is."""
    if len(entry.labels) == 1:
        return entry.labels[0]
    if entry.labels:
        told = f"a folder is one class, and it has {', '.join(entry.labels)}; it was left out."
        job.lose(Loss(entry.item, "labels", told))
        return None
    if set(job.classes) <= set(entry.known):
        return ""
    unknown = [name for name in job.classes if name not in entry.known]
    told = f"it has no label, and {', '.join(unknown)} was not searched for; it was left out."
    job.lose(Loss(entry.item, "exhaustive", told))
    return None


def _folder(name: str) -> str:
    """A class's folder: its name, less what a path cannot hold."""
    safe = "".join("_" if c in '/\\:*?"<>|\0' else c for c in name).strip(". ")
    return safe or "_"


EXPORT: Export = ClassFolders()
