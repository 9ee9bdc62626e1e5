"""How fast the store of annotations takes in, shows and changes annotations.

    python -m benchmarks.annotation_store --count 1000000

Polygons of 23 corners, nuclei of 8 to 25 px radius, lie at random on one slide at a density of 100
per square of 1,000 px; a view is as large as 2,000 of them need. Time is wall time on a store in a
temporary folder (`--folder` names another disk); other programs on the machine lengthen it, so
processor time is told beside it.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import shapely
from benchmarks.recording import keep, machine

from curatome.annotations.store import Act, Edit, StaleEdit, open_annotations
from curatome.tables import ANNOTATIONS

_CORNERS = 23
_VIEWS = 300
_SHOWN = 2000
_PER_PX = 1e-4
_PROCESSES = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--edits", type=int, default=2000, help="of each of the processes")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--data", type=Path, help="not used; every benchmark takes it")
    parser.add_argument("--edit", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.edit:
        _edit(*arguments.edit)
        return
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        path = Path(folder) / "annotations.db"
        lines = [machine(), "", *_measure(path, arguments.count, arguments.edits)]
    print("\n".join(lines))
    keep("annotation_store", "\n".join(lines))


def _measure(path: Path, count: int, edits: int) -> Iterator[str]:
    table, side = _polygons(count)
    size = table["geometry"].nbytes / 1e6
    with open_annotations(path) as store:
        with _clock() as spent:
            store.import_table(table, Act("benchmark"))
        yield f"import of {count:,} polygons, {count * _CORNERS:,} corners, {size:,.0f} MB of WKB:"
        yield f"  {spent[0]:.1f} s, {spent[1]:.1f} s of processor time"
        yield f"  {path.stat().st_size / 1e6:,.0f} MB on disk"
        edge = (_SHOWN / _PER_PX) ** 0.5
        draw = np.random.default_rng(2)
        times, shown = [], []
        for left, top in draw.uniform(0, side - edge, (_VIEWS, 2)):
            with _clock() as spent:
                view = store.current("slide", (left, top, left + edge, top + edge), _SHOWN)
            times.append(spent)
            shown.append(len(view))
        wall, processor = np.percentile(np.array(times) * 1000, [50, 95], axis=0).T
        yield f"view of {edge:,.0f} px with {np.mean(shown):,.0f} shapes, {_VIEWS} views:"
        yield f"  {wall[0]:.1f} ms median, {wall[1]:.1f} ms at p95"
        yield f"  {processor[0]:.1f} ms median, {processor[1]:.1f} ms at p95 of processor time"
        head = store.head()
        command = [sys.executable, "-m", "benchmarks.annotation_store", "--edit", str(path)]
        with _clock() as spent:
            running = [subprocess.Popen([*command, str(n), str(edits)]) for n in range(_PROCESSES)]
            failed = sum(process.wait() != 0 for process in running)
        made = store.head() - head
        yield f"{_PROCESSES} processes with {edits:,} edits each, every one on disk by itself:"
        yield f"  {made:,} events, {failed} processes failed, {spent[0]:.0f} s"
        yield f"  {made / spent[0]:,.0f} edits per second"


def _polygons(count: int) -> tuple[pa.Table, float]:
    draw = np.random.default_rng(1)
    side = (count / _PER_PX) ** 0.5
    angles = np.linspace(0, 2 * np.pi, _CORNERS, endpoint=False)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    wkb: list[bytes] = []
    for start in range(0, count, 50_000):
        some = min(50_000, count - start)
        centers = draw.uniform(0, side, (some, 1, 2))
        rings = centers + circle * draw.uniform(8, 25, (some, 1, 1))
        wkb += list(shapely.to_wkb(shapely.polygons(rings)))
    same = {
        "image": "slide", "kind": "polygon", "mask": None, "nucleus": None, "cannot_judge": False,
        "confidence": None, "reader": "benchmark", "read": 1, "guideline": "1.0", "time": None,
        "tool": "QuPath", "basis": "imported", "parents": [], "name": None, "foreign": None,
        "properties": "{}",
    }  # fmt: skip
    labels = draw.choice(["tumor", "stroma", "lymphocyte"], count)
    columns = {name: [value] * count for name, value in same.items()}
    columns["annotation"] = [str(uuid.UUID(bytes=draw.bytes(16))) for _ in range(count)]
    columns["geometry"] = wkb
    columns["labels"] = [[label] for label in labels.tolist()]
    return ANNOTATIONS.from_columns(columns), side


def _edit(where: str, number: str, edits: str) -> None:
    """Relabel annotations that others relabel as well; stale edits are repeated."""
    draw = np.random.default_rng(int(number))
    with open_annotations(where) as store:
        names = store.current("slide", limit=1000)["annotation"].to_pylist()
        for step in range(int(edits)):
            name = names[draw.integers(len(names))]
            while True:
                edit = Edit(name, "relabel", store.head(), {"labels": [f"{number}/{step}"]})
                try:
                    store.apply([edit], Act(f"reader {number}"))
                except StaleEdit:
                    continue
                break


@contextmanager
def _clock() -> Iterator[list[float]]:
    """Wall and processor time of a block, s."""
    spent: list[float] = []
    start = time.perf_counter(), time.process_time()
    yield spent
    spent += [time.perf_counter() - start[0], time.process_time() - start[1]]


if __name__ == "__main__":
    main()
