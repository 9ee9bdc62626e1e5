"""One way of reading a GeoJSON file of cells, in a process of its own.

    PEER/bin/python qupath_peers.py NAME FILE

Prints seconds, CPU seconds, peak memory, rows and bytes of geometry as JSON. Importing the library
and a small file read first do not count: all is compiled or loaded before the clock starts.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

_SMALL = (
    '{"type":"Feature","id":"1","geometry":{"type":"Polygon","coordinates":'
    '[[[0,0],[0,1],[2,1],[0,0]]]},"properties":{"objectType":"cell"}}'
)


def curatome(path: Path) -> tuple[int, int]:
    from curatome.annotations.formats.base import Frames, Options
    from curatome.annotations.formats.qupath import FORMAT

    table = FORMAT.read(path, Frames(), Options()).table
    return table.num_rows, table["geometry"].nbytes


def pyogrio_arrays(path: Path) -> tuple[int, int]:
    import pyogrio.raw

    _, _, geometry, _ = pyogrio.raw.read(path)
    return len(geometry), sum(map(len, geometry))


def pyogrio_arrow(path: Path) -> tuple[int, int]:
    import pyogrio.raw

    _, table = pyogrio.raw.read_arrow(path)
    return table.num_rows, table["wkb_geometry"].nbytes


WAYS: dict[str, Callable[[Path], Any]] = {
    "curatome": curatome,
    "pyogrio": pyogrio_arrays,
    "pyogrio_arrow": pyogrio_arrow,
}


def main() -> None:
    name, path = sys.argv[1], Path(sys.argv[2])
    small = path.with_name(f"small-{name}.geojson")
    # Above the size from which on Curatome compiles.
    small.write_text(f'{{"type":"FeatureCollection","features":[{",".join([_SMALL] * 10_000)}]}}')
    WAYS[name](small)
    begun, before = time.perf_counter(), time.process_time()
    rows, geometry = WAYS[name](path)
    seconds, cpu = time.perf_counter() - begun, time.process_time() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    found = {"seconds": seconds, "cpu": cpu, "peak": peak, "rows": rows, "geometry": geometry}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
