"""How long `curatome check` takes over a million annotations, and over what has changed since.

    python -m benchmarks.check --count 1000000

Polygons of 23 corners, nuclei of 8 to 25 px radius, of three classes and four readers, lie on 50
slides of 25 cases, 20,000 on each; one in a hundred has a planted fault. Every rule that needs no
pixels, no items and no near-duplicates looks. Time is wall time of whole checks in this process,
reading the store and writing the results included; `again` is a second check, `after an edit` one
after a class was changed on one slide.
"""

from __future__ import annotations

import argparse
import datetime
import resource
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import shapely
from benchmarks.recording import keep, machine

from curatome.annotations.store import Act, Edit
from curatome.project import Project, SlideEntry, create_project, open_project
from curatome.rules.registry import all_rules
from curatome.tables import ANNOTATIONS
from curatome.units import Mpp
from curatome.workflows.annotation_check import annotation_store
from curatome.workflows.check import Checked, Wishes, check_project

_SLIDES, _CASES = 50, 25
_SIDE = 60_000
_CORNERS = 23
_CLASSES = ("tumor", "stroma", "lymphocyte")
_READERS = ("ada", "ben", "cyd", "dan")
_PROTOCOL = '[dataset]\ntitle = "benchmark"\n' + "".join(
    f'[[classes]]\nname = "{name}"\n' for name in _CLASSES
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--data", type=Path, help="not used; every benchmark takes it")
    parser.add_argument("--folder", type=Path, help="keeps the project here, or finds it there")
    parser.add_argument("--only-make", action="store_true", help="make the project, no more")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = arguments.folder or Path(folder) / "p"
        there = (root / "curatome.toml").exists()
        project = open_project(root) if there else _project(root, arguments.count)
        if arguments.only_make:
            return
        for path in (root / ".curatome").glob("check*"):
            path.unlink()
        lines = [machine(), "", *_measure(project, arguments.count)]
    print("\n".join(lines))
    keep("check", "\n".join(lines))


def _project(root: Path, count: int) -> Project:
    project = create_project(root, _PROTOCOL)
    for number in range(_SLIDES):
        declared = {"case": f"c{number % _CASES}", "site": f"site {number % 4}"}
        project.store.save_slide(
            SlideEntry(
                f"{number:016x}", f"{number:064x}", f"slides/s{number}.svs", "ready",
                width=_SIDE, height=_SIDE, mpp=Mpp(0.25, 0.25, "file"), declared=declared,
            ),
            (),
        )  # fmt: skip
    with annotation_store(project) as store:
        for number in range(_SLIDES):
            table = _annotations(number, count // _SLIDES)
            store.import_table(table, Act(_READERS[number % len(_READERS)]))
    return project


def _annotations(number: int, count: int) -> pa.Table:
    draw = np.random.default_rng(number)
    angles = np.linspace(0, 2 * np.pi, _CORNERS, endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    centers = draw.uniform(50, _SIDE - 50, (count, 1, 2))
    rings = centers + circle * draw.uniform(8, 25, (count, 1, 1))
    faulty = draw.random(count) < 0.01
    rings[faulty, 3], rings[faulty, 9] = rings[faulty, 9], rings[faulty, 3].copy()
    start = datetime.datetime(2025, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(days=number)
    same = {
        "image": f"{number:016x}", "kind": "polygon", "cannot_judge": False,
        "reader": _READERS[number % len(_READERS)], "read": 1, "guideline": "1", "time": start,
        "tool": "benchmark", "basis": "drawn", "parents": [], "properties": "{}",
    }  # fmt: skip
    columns = {name: [same.get(name)] * count for name in ANNOTATIONS.schema.names}
    columns["annotation"] = [str(uuid.UUID(bytes=draw.bytes(16))) for _ in range(count)]
    columns["geometry"] = list(shapely.to_wkb(shapely.polygons(rings)))
    columns["labels"] = [[label] for label in draw.choice(_CLASSES, count).tolist()]
    return ANNOTATIONS.from_columns(columns)


def _measure(project: Project, count: int) -> Iterator[str]:
    ignored = tuple(r.code for r in all_rules() if {"pixels", "items", "near"} & set(r.needs))
    wishes = Wishes(ignore=ignored)
    first, spent = _timed(project, wishes)
    size = f"{count:,} annotations on {_SLIDES} slides"
    yield f"{size}, {len(first.rules)} rules: {spent[0]:.1f} s, {spent[1]:.1f} s of processor time"
    found = len(first.findings) + sum(first.more.values())
    yield f"  {found:,} findings, {count / spent[0]:,.0f} annotations per second"
    yield f"  {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.1f} GB at the most"
    again, spent = _timed(project, wishes)
    assert again.looked == 0
    yield f"again: {spent[0]:.1f} s, {again.reused:,} results from before"
    with annotation_store(project) as store:
        (one,) = store.current(f"{0:016x}", limit=1).to_pylist()
        other = ["tumor" if one["labels"] == ["stroma"] else "stroma"]
        edit = Edit(one["annotation"], "relabel", store.head(), {"labels": other})
        store.apply([edit], Act("ada"))
    edited, spent = _timed(project, wishes)
    assert edited.looked
    told = f"{edited.looked:,} new results, {edited.reused:,} from before"
    yield f"after an edit on one slide: {spent[0]:.1f} s, {spent[1]:.1f} s of processor time"
    yield f"  {told}"


def _timed(project: Project, wishes: Wishes) -> tuple[Checked, tuple[float, float]]:
    start = time.perf_counter(), time.process_time()
    found = check_project(project, wishes)
    return found, (time.perf_counter() - start[0], time.process_time() - start[1])


if __name__ == "__main__":
    main()
