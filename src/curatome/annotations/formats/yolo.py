"""YOLO: one text file per image, one object per row, as Ultralytics reads and writes them.

    class x_center y_center width height [confidence]     a box
    class x1 y1 x2 y2 x3 y3 …                             a polygon

Numbers are fractions of the image's width and height, from its top-left corner, so the image's
size must be known. Class names come from `data.yaml`, `classes.txt` or `obj.names` in the folder
or above it, or from the user. A file is about the image of its name. A dataset is a folder, with
the files in `labels` or beside the names.

https://docs.ultralytics.com/datasets/detect/ and …/segment/
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import shapely

from curatome.annotations.formats.base import Carries, Frame, Frames, Loss, Options, Reading
from curatome.annotations.formats.entries import (
    Row,
    column_losses,
    fitted,
    new_row,
    something,
    to_rows,
    to_table,
)
from curatome.annotations.formats.rings import corners
from curatome.annotations.formats.xml_file import to_number
from curatome.durable import write_file
from curatome.errors import AnnotationError

_NAME_FILES = ("data.yaml", "dataset.yaml", "classes.txt", "obj.names")
_ROW = re.compile(rb"\s*\d+(?:\s+-?[\d.]+(?:[eE][-+]?\d+)?){4,}\s*")
_FARTHEST = 1e4  # in fractions of an image; whatever lies farther is in px
_PAIR = re.compile(r"""^\s+(?:-\s*|(\d+)\s*:\s*)(.+?)\s*$""")


class Yolo:
    """YOLO."""

    name = "yolo"
    title = "YOLO"
    suffixes = (".txt",)
    carries = Carries(
        kinds=frozenset({"box", "polygon"}),
        holes=False,
        labels="one",
        images=True,
        precision=1e-6,
        note="A folder with labels and data.yaml. Objects without class are left out. The size "
        "of each image must be known.",
    )

    def recognize(self, path: Path, head: bytes) -> str | None:
        """See `Format`."""
        if path.is_dir():
            files = _label_files(path)
            lines = files[0].read_bytes()[: 1 << 12].splitlines() if files else []
            known = any(_ROW.fullmatch(line) for line in lines[:1])
            return f"it holds {len(files)} files of fractions, one per image" if known else None
        lines = [line for line in head.splitlines()[:20] if line.strip()]
        if path.suffix.lower() != ".txt" or not lines:
            return None
        known = all(_ROW.fullmatch(line) for line in lines[: max(1, len(lines) - 1)])
        return "its rows are a class number and fractions" if known else None

    def read(self, path: Path, frames: Frames, options: Options) -> Reading:
        """See `Format`."""
        files = _label_files(path) if path.is_dir() else [path]
        if not files:
            raise AnnotationError(f"{path.name} holds no label files. Name the folder of labels.")
        names = dict(options.classes) or _class_names(path if path.is_dir() else path.parent)
        rows: list[Row] = []
        for file in files:
            frame = frames.find(f"{file.stem}.txt") or (None if path.is_dir() else frames.only)
            try:
                lines = file.read_text("utf-8-sig").splitlines()
            except UnicodeDecodeError as error:
                raise AnnotationError(f"{file.name} is no text.") from error
            for number, line in enumerate(lines, 1):
                if line.strip():
                    rows.append(_row(line.split(), f"{file.name} row {number}", frame, names))
        notes = () if names else ("the files name no classes; their numbers were kept.",)
        kinds = sorted({row["kind"] for row in rows})
        dialect = f"YOLO, {len(files)} files, {' and '.join(kinds) or 'empty'}"
        return Reading(to_table(rows), dialect, notes=notes)

    def write(
        self, table: pa.Table, path: Path, frames: Frames, colors: Mapping[str, str]
    ) -> list[Loss]:
        """See `Format`."""
        del colors
        rows, losses = list(to_rows(table)), []
        names = sorted({row["labels"][0] for row in rows if row["labels"]})
        files: dict[str, list[str]] = {}
        for row in rows:
            if not row["labels"]:
                reason = "YOLO has no objects without class; it was left out."
                losses.append(Loss(row["annotation"], "geometry", reason))
                continue
            fitting, lost = fitted(row, self.carries, self.title)
            losses += lost + column_losses(row, self.carries, self.title)
            frame = _sized(frames.find(row["image"] or "") or frames.only, row["annotation"])
            lines = files.setdefault(Path(frame.name).stem, [])
            lines += [_line(one, frame, names.index(row["labels"][0])) for one in fitting]
        something(sum(map(len, files.values())), self.title)
        folder = path.with_suffix("") if path.suffix == ".txt" else path
        for stem, lines in files.items():
            write_file(folder / "labels" / f"{stem}.txt", "".join(f"{x}\n" for x in lines))
        listed = "".join(f"  {n}: {_quoted(name)}\n" for n, name in enumerate(names))
        write_file(folder / "data.yaml", f"train: images\nval: images\nnames:\n{listed}")
        return losses


def _label_files(folder: Path) -> list[Path]:
    inside = folder / "labels"
    root = inside if inside.is_dir() else folder
    return [file for file in sorted(root.rglob("*.txt")) if file.name not in _NAME_FILES]


def _class_names(folder: Path) -> dict[int, str]:
    """Names by number, from the nearest file that says them."""
    for place in (folder, folder.parent, folder.parent.parent):
        for name in _NAME_FILES:
            file = place / name
            if not file.is_file():
                continue
            text = file.read_text("utf-8-sig")
            if file.suffix == ".yaml":
                return _yaml_names(text, name)
            return dict(enumerate(line.strip() for line in text.splitlines() if line.strip()))
    return {}


def _yaml_names(text: str, file: str) -> dict[int, str]:
    """The key `names`: a list or mapping, in one line or in several."""
    if re.search(r"^kpt_shape\s*:", text, re.M):
        raise AnnotationError(f"{file}: poses (kpt_shape) are not known. Export boxes or polygons.")
    lines = text.splitlines()
    start = next((n for n, line in enumerate(lines) if re.match(r"names\s*:", line)), None)
    if start is None:
        raise AnnotationError(f"{file} has no names. Add the class names, as Ultralytics says.")
    inline = lines[start].split(":", 1)[1].split(" #")[0].strip()
    if inline:
        items = [item.strip() for item in inline.strip("[]{}").split(",") if item.strip()]
        if inline.startswith("{"):
            pairs = (item.split(":", 1) for item in items)
            return {int(number): _unquoted(name) for number, name in pairs}
        return {number: _unquoted(name) for number, name in enumerate(items)}
    names: dict[int, str] = {}
    for line in lines[start + 1 :]:
        if (found := _PAIR.match(line) or re.match(r"^-()\s*(.+?)\s*$", line)) is None:
            break
        names[int(found[1]) if found[1] else len(names)] = _unquoted(found[2])
    return names


def _quoted(name: str) -> str:
    return "'" + name.replace("'", "''") + "'"


def _unquoted(written: str) -> str:
    written = written.strip()
    if written[:1] == "'" == written[-1:]:
        return written[1:-1].replace("''", "'")
    return written[1:-1] if written[:1] == '"' == written[-1:] else written


def _row(words: Sequence[str], place: str, frame: Frame | None, names: Mapping[int, str]) -> Row:
    if not words[0].isdigit():
        raise AnnotationError(f'{place}: the class must be a whole number. Got "{words[0][:40]}".')
    values = [to_number(word, f"{place}: a fraction", _FARTHEST) for word in words[1:]]
    number, sized = int(words[0]), _sized(frame, place)
    if names and number not in names:
        raise AnnotationError(f"{place}: there is no class {number}. The names are {names}.")
    row = _drawn(values, place, sized)
    row["labels"] = [names.get(number, str(number))]
    row["image"] = sized.image
    return row


def _sized(frame: Frame | None, place: str) -> Frame:
    if frame is None or frame.width <= 0:
        raise AnnotationError(
            f"{place}: fractions of an image need its size. Add the image of the same name first."
        )
    return frame


def _drawn(values: Sequence[float], place: str, frame: Frame) -> Row:
    if len(values) in (4, 5):
        x, y, w, h = values[:4]
        if w <= 0 or h <= 0:
            raise AnnotationError(f"{place}: the box has no width or height.")
        edges = (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
        sizes = (frame.width, frame.height) * 2
        row = new_row("box", shapely.box(*(a * b for a, b in zip(edges, sizes, strict=True))))
        row["confidence"] = values[4] if len(values) == 5 else None
        return row
    if len(values) < 6 or len(values) % 2:
        raise AnnotationError(
            f"{place}: {len(values)} numbers are neither a box (4) nor a polygon (6, 8, …)."
        )
    pairs = zip(values[::2], values[1::2], strict=True)
    return new_row(
        "polygon", shapely.Polygon([(x * frame.width, y * frame.height) for x, y in pairs])
    )


def _line(row: Row, frame: Frame, number: int) -> str:
    if row["kind"] == "box":
        left, top, right, bottom = row["shape"].bounds
        across, down = (left + right) / 2, (top + bottom) / 2
        points = [(across, down), (right - left, bottom - top)]
    else:
        points = list(corners(row["shape"]))
    values = [v for x, y in points for v in (x / frame.width, y / frame.height)]
    return " ".join([str(number), *(f"{value:.12g}" for value in values)])


FORMAT = Yolo()
