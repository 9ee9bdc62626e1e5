"""Manifests of CPIA's size: made, divided, compared, verified, counted, and one row found.

The rows are drawn with the proportions of CPIA's sub-datasets. Every step runs in a process of
its own, whose peak memory is reported.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from benchmarks.recording import keep, machine

from curatome.tables import ITEMS

ROWS = 21_427_877
_BATCH = 1 << 16
_PER_IMAGE, _PER_CASE, _CLASSES = 24, 400, 4
_CHANGED = 0.01
_LIMITS = {"create": 120, "diff": 60, "row": 1}


def sizes(data: Path, rows: int) -> dict[str, int]:
    """Rows of each sub-dataset, in the proportions of CPIA."""
    with (data / "cpia_composition.csv").open(newline="") as stream:
        table = list(csv.DictReader(stream))
    counts = np.array([int(row["images"]) for row in table], float)
    ends = np.rint(np.cumsum(counts) / counts.sum() * rows).astype(int)
    names = [f"{row['part']}/{row['scale']}/{row['sub_dataset']}" for row in table]
    return dict(zip(names, np.diff(ends, prepend=0).tolist(), strict=True))


def batches(data: Path, rows: int, changed: bool) -> Iterator[pa.RecordBatch]:
    """The rows; if `changed`, 1 % of them have another label, split or hash, or are new."""
    start = 0
    for number, (name, count) in enumerate(sizes(data, rows).items()):
        for first in range(0, count, _BATCH):
            index = np.arange(start + first, start + min(first + _BATCH, count), dtype=np.int64)
            yield batch(number, name, index, changed)
        start += count


def batch(number: int, name: str, index: np.ndarray, changed: bool) -> pa.RecordBatch:
    size = len(index)
    rng = np.random.default_rng(index[0])
    image, case = index // _PER_IMAGE, index // _PER_CASE
    label = (case * 7 + index // 50) % _CLASSES
    hashes = rng.bytes(16 * size).hex()
    hashes = np.array([hashes[32 * k : 32 * k + 32] for k in range(size)], object)
    suffix = np.zeros(size, np.int64)
    if changed:
        other = rng.random(size) < _CHANGED
        label = np.where(other & (index % 3 == 0), (label + 1) % _CLASSES, label)
        hashes = np.where(other & (index % 3 == 1), hashes[::-1], hashes)
        suffix = np.where(other & (index % 3 == 2), 1, 0)  # one row goes, another comes

    def text(form: str, values: np.ndarray) -> pa.Array:
        head, tail = form.split("*")
        middle = pa.array(values).cast(pa.string())
        return pc.binary_join_element_wise(pa.scalar(head), middle, pa.scalar(tail), "")

    def same(value: object, kind: pa.DataType) -> pa.Array:
        return pa.repeat(pa.scalar(value, kind), size)

    item = pc.binary_join_element_wise(
        text(f"s{number}_*", image), text("*", index % _PER_IMAGE), text("*", suffix), "_"
    )
    x = (index % 6 * 384).astype(float)
    columns = {
        "item": item,
        "kind": same("region", pa.string()),
        "source": same(name, pa.string()),
        "slide": text(f"image {number}/*", image),
        "case": text(f"case {number}/*", case),
        "site": text("site *", case % 40),
        "scanner": text("scanner *", case % 7),
        "stain": same("H&E", pa.string()),
        "scale": same(name.split("/")[1], pa.string()),
        "labels": pa.ListArray.from_arrays(
            pa.array(np.arange(size + 1, dtype=np.int32)), text(f"class {number % 20}/*", label)
        ),
        "split": same(None, pa.string()),
        "x": x,
        "y": x[::-1],
        "width": same(384.0, pa.float64()),
        "height": same(384.0, pa.float64()),
        "side_px": same(384, pa.int32()),
        "mpp_x": same(0.4942, pa.float64()),
        "mpp_y": same(0.4942, pa.float64()),
        "shard": text(f"regions/shards/{number}-*.tar", image // 400),
        "offset": index % 9600 * 31232 + 512,
        "length": 29000 + index % 1999,
        "hash": hashes,
    }
    return pa.record_batch({n: columns[n] for n in ITEMS.schema.names}).cast(ITEMS.schema)


def step_rows(folder: Path, data: Path, rows: int) -> str:
    """Write what the versions are made from; not timed, as a build has it."""
    for name, changed in (("one", False), ("two", True)):
        with pq.ParquetWriter(folder / f"{name}.parquet", ITEMS.schema) as writer:
            for one in batches(data, rows, changed):
                writer.write_batch(one)
    return f"{(folder / 'one.parquet').stat().st_size / 1e6:,.0f} MB"


def step_create(folder: Path, source: str, target: str) -> str:
    from curatome.dataset.manifest import write_manifest

    path = folder / f"{target}.parquet"
    count = write_manifest(pq.ParquetFile(folder / f"{source}.parquet").iter_batches(), path)
    return f"{count:,} rows, {path.stat().st_size / 1e6:,.0f} MB"


def step_split(folder: Path) -> str:
    from curatome.dataset.splits import balance, case_counts, divide, tied

    counts = case_counts(folder / "v1" / "items.parquet", ["site"])
    fractions = {"train": 0.7, "val": 0.1, "test": 0.2}
    found = divide(tied(counts), fractions)
    table = balance(counts, found, fractions)
    worst = float(np.abs(table["share"].to_numpy() - table["target"].to_numpy()).max())
    return (
        f"{len(counts.cases):,} cases, {len(counts.strata)} strata, worst share off by {worst:.4f}"
    )


def step_diff(folder: Path) -> str:
    from curatome.dataset.manifest import Manifest
    from curatome.dataset.versions.comparing import compare_table

    one, two = (Manifest(folder / v / "items.parquet") for v in ("v1", "v2"))
    found = compare_table("items", one, two)
    counts = found.counts()["items"]
    return ", ".join(f"{number:,} {change}" for change, number in counts.items())


def step_verify(folder: Path) -> str:
    from curatome.dataset.manifest import Manifest
    from curatome.dataset.row_hash import row_hashes

    manifest, bad, at = Manifest(folder / "v1" / "items.parquet"), 0, 0
    hashes = manifest.hashes()
    for one in manifest.batches(ITEMS.schema.names):
        now = row_hashes(one.cast(ITEMS.schema))
        bad += int((now != hashes[at : at + len(one)]).any(axis=1).sum())
        at += len(one)
    return f"{at:,} rows, {bad} with another hash"


def step_counts(folder: Path) -> str:
    from curatome.dataset.asking import asked

    found = []
    for sql in (
        "SELECT label, count(*) FROM (SELECT unnest(labels) AS label FROM items) GROUP BY label",
        "SELECT source, site, scanner, count(*) FROM items GROUP BY ALL",
    ):
        with asked(folder / "v1" / "items.parquet") as connection:
            found.append(len(connection.sql(sql).fetchall()))
    return f"{found[0]} classes, {found[1]:,} domains"


def step_row(folder: Path) -> str:
    from curatome.dataset.manifest import Manifest

    manifest = Manifest(folder / "v1" / "items.parquet")
    numbers = np.sort(np.random.default_rng(1).integers(len(manifest), size=20))
    names = [manifest.rows(np.array([k]))["item"][0].as_py() for k in numbers]
    times = []
    for name in names:
        begin = time.perf_counter()
        assert manifest.row(name)["item"] == name
        times.append(time.perf_counter() - begin)
    return f"20 rows, {np.median(times) * 1e3:.0f} ms median, {max(times) * 1e3:.0f} ms at most"


def run(folder: Path, step: str, *words: str) -> dict[str, object]:
    """One step in a process of its own: seconds, peak memory, what it says."""
    command = [sys.executable, "-m", "benchmarks.manifests", "--step", step, str(folder), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.stderr)
    found: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    return found


def one_step(step: str, words: list[str]) -> None:
    import resource

    folder = Path(words[0])
    begin = time.perf_counter()
    if step == "rows":
        said = step_rows(folder, Path(words[1]), int(words[2]))
    elif step == "create":
        said = step_create(folder, words[1], words[2])
    else:
        steps = {f.__name__: f for f in (step_split, step_diff, step_verify, step_counts, step_row)}
        said = steps[f"step_{step}"](folder)
    seconds = time.perf_counter() - begin
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(json.dumps({"seconds": seconds, "peak": peak, "said": said}))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--step", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.step:
        one_step(options.step[0], options.step[1:])
        return
    lines = [machine(), f"{options.rows:,} rows, 22 columns", ""]
    lines += ["| step | s | peak GB | asked | |", "|---|---|---|---|---|"]
    with tempfile.TemporaryDirectory(prefix="curatome-") as name:
        folder = Path(name)
        run(folder, "rows", str(options.data.resolve()), str(options.rows))
        steps = [
            ("create", ("one", "v1/items")),
            ("create", ("two", "v2/items")),
            *((step, ()) for step in ("split", "diff", "verify", "counts", "row")),
        ]
        for step, words in steps:
            found = run(folder, step, *words)
            asked = f"< {_LIMITS[step]} s" if step in _LIMITS else ""
            row = f"| {step} | {found['seconds']:.1f} | {found['peak']:.2f} | {asked} |"
            lines.append(f"{row} {found['said']} |")
            print(lines[-1], flush=True)
    text = "\n".join(lines)
    print(text)
    keep("manifests", text)


if __name__ == "__main__":
    main()
