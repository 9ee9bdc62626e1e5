"""WebDataset: tar files of samples, https://github.com/webdataset/webdataset."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from curatome.dataset.export.base import Entry, Export, Job, lose_shapes, write_json
from curatome.tiles.shards import ShardWriter, new_shard

_SAMPLES = 10_000
_BYTES = 1 << 30


class WebDataset:
    """The format."""

    name = "webdataset"
    title = "WebDataset"
    layout = "SPLIT/SPLIT-000000.tar, each sample NAME.jpg (or .png) and NAME.json; shards.json"
    note = "A sample's json has labels, `known` (classes whose absence is certain) and its place."

    def write(self, job: Job, folder: Path) -> None:
        """See `Export`."""
        lose_shapes(job, self.title)
        listed = {}
        for split in job.splits:
            entries = job.entries(split)
            samples: list[tuple[str, int]] = []
            while (first := next(entries, None)) is not None:
                path = folder / split / f"{split}-{len(samples):06d}.tar"
                samples.append((path.name, _write_shard(path, first, entries)))
            listed[split] = [{"url": f"{split}/{name}", "nsamples": n} for name, n in samples]
        write_json(folder / "shards.json", listed)


def _write_shard(path: Path, first: Entry, rest: Iterator[Entry]) -> int:
    """One tar file, full or the last; how many samples."""
    size = count = 0
    with new_shard(path) as stream:
        shard = ShardWriter(stream)
        entry: Entry | None = first
        while entry is not None:
            text = json.dumps(entry.plain(), sort_keys=True, ensure_ascii=False).encode()
            shard.add(entry.file, entry.data)
            shard.add(f"{entry.stem}.json", text)
            size, count = size + len(entry.data) + len(text), count + 1
            full = count >= _SAMPLES or size >= _BYTES
            entry = None if full else next(islice(rest, 1), None)
        shard.finish()
    return count


EXPORT: Export = WebDataset()
