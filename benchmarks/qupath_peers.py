"""One way of reading a GeoJSON file of cells, in a process of its own.

    PEER/bin/python qupath_peers.py NAME FILE

Prints seconds, CPU seconds, peak memory and rows as JSON. Importing the library and a small file
read first do not count: all is compiled or loaded before the clock starts. `curatome_import` is
`curatome import` into a new project: its child process reads and checks, it records durably.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

_SMALL = (
    '{"type":"Feature","id":"1","geometry":{"type":"Polygon","coordinates":'
    '[[[0,0],[0,1],[2,1],[0,0]]]},"properties":{"objectType":"cell"}}'
)


_PROTOCOL = """
[dataset]
title = "benchmark"
[[scales]]
name = "A"
mpp = 1.0
side_px = 256
"""
_SIDE = 81_000


def curatome(path: Path) -> int:
    from curatome.annotations.formats.base import Frames, Options
    from curatome.annotations.formats.qupath import FORMAT

    rows: int = FORMAT.read(path, Frames(), Options()).table.num_rows
    return rows


def curatome_import(path: Path) -> int:
    from curatome.cli.main import app
    from curatome.project import SlideEntry, create_project
    from curatome.workflows.annotation_check import annotation_store

    project = create_project(path.with_name(f"project-{path.stem}"), _PROTOCOL)
    slide = SlideEntry("0" * 16, "0" * 64, "slide.svs", "ready", width=_SIDE, height=_SIDE)
    project.store.save_slide(slide, [])
    told = ["import", str(path), "--project", str(project.root), "--reader", "benchmark"]
    app([*told, "--image", "slide.svs"], standalone_mode=False)
    with annotation_store(project) as store:
        return store.counts().annotations


def pyogrio_arrays(path: Path) -> int:
    import pyogrio.raw

    return len(pyogrio.raw.read(path)[2])


def pyogrio_arrow(path: Path) -> int:
    import pyogrio.raw

    rows: int = pyogrio.raw.read_arrow(path)[1].num_rows
    return rows


WAYS: dict[str, Callable[[Path], int]] = {
    "curatome": curatome,
    "curatome_import": curatome_import,
    "pyogrio": pyogrio_arrays,
    "pyogrio_arrow": pyogrio_arrow,
}


def _spent() -> float:
    """CPU seconds of this process and of its children that have ended."""
    return sum(os.times()[:4])


def main() -> None:
    name, path = sys.argv[1], Path(sys.argv[2])
    small = path.with_name(f"small-{name}.geojson")
    # Above the size from which on Curatome compiles.
    small.write_text(f'{{"type":"FeatureCollection","features":[{",".join([_SMALL] * 10_000)}]}}')
    WAYS[name](small)
    begun, before = time.perf_counter(), _spent()
    rows = WAYS[name](path)
    seconds, cpu = time.perf_counter() - begun, _spent() - before
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    peak = max(resource.getrusage(one).ru_maxrss for one in whose) * 1024
    found = {"seconds": seconds, "cpu": cpu, "peak": peak, "rows": rows}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
