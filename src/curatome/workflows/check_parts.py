"""What a project gives to rules: its tables, read when they are first asked for, and their keys.

A key changes whenever what a rule looks at does. Of annotations, the events of the store tell
which images have changed since the last check; nothing else is read for that.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curatome import __version__
from curatome.annotations.store import AnnotationStore
from curatome.durable import new_file
from curatome.project import Project, SlideEntry
from curatome.rules import engine
from curatome.rules.marks import MARKS, marks
from curatome.rules.marks import VERSION as MARKS_VERSION
from curatome.rules.rule import Inputs, Needs, Rule
from curatome.tables import ANNOTATIONS, ITEMS, SLIDES
from curatome.workflows.check_cache import Cache
from curatome.workflows.items import gather, item_batches, items_in
from curatome.workflows.manifest import manifest_path, slide_row
from curatome.workflows.near import near_items
from curatome.workflows.region_manifest import regions_path
from curatome.workflows.splits import FILE as SPLITS
from curatome.workflows.splits import read_splits
from curatome.workflows.watch import Watcher

_NOWHERE = "\x00"
"""Place of what lies on no image."""
_MANY = 20_000
"""Events after which all images are looked at again, for it takes longer to find out which."""
_DIGEST = b"curatome.digest"
_ITEMS = 3
"""Raised when other items are gathered from the same build."""


def place_of(image: str) -> str:
    """The place that results about an image are kept under."""
    return image or _NOWHERE


class Parts:
    """The parts of `Inputs`, of one image or of the whole dataset.

    Args:
        project: the project.
        store: its annotations.
        cache: of earlier checks.
        near: look for near-duplicates, whether or not images were hashed before.
        watcher: is told the course.
    """

    def __init__(
        self,
        project: Project,
        store: AnnotationStore,
        cache: Cache,
        *,
        near: bool,
        watcher: Watcher,
    ) -> None:
        self._project, self._store, self._cache = project, store, cache
        self._wanted_near, self._watcher = near, watcher
        self.entries: Mapping[str, SlideEntry] = {
            entry.slide: entry for entry in project.store.slides()
        }
        counts = store.counts().images
        self.annotated: Mapping[str, int] = {name or "": n for name, n in counts.items()}

    @cached_property
    def marks(self) -> pa.Table:
        """`rules.marks.MARKS` of all annotations; those of unchanged images are not made again."""
        for image in self.annotated:
            if self._marks_kept.get(image) != self._marks_key(image):
                self.mark(image, self.of_image(image))
        found = [self._cache.marks(place_of(image)) for image in self.annotated]
        return pa.concat_tables([MARKS.schema.empty_table(), *found]).combine_chunks()

    @cached_property
    def _marks_kept(self) -> dict[str, str]:
        """The key of the marks that are kept of each image."""
        there = self._cache.marks_keys()
        return {image: there.get(place_of(image), "") for image in self.annotated}

    def _marks_key(self, image: str) -> str:
        return _digest([MARKS_VERSION, __version__, self._of_image[image]])

    def mark(self, image: str, inputs: Inputs) -> None:
        """Make and keep the marks of an image, while its annotations are at hand."""
        key = self._marks_key(image)
        if image in self.annotated and self._marks_kept[image] != key:
            self._cache.keep_marks(place_of(image), key, marks(inputs))
            self._marks_kept[image] = key

    @property
    def images(self) -> list[str]:
        """Slides by name, then other images that annotations lie on; empty for those on none."""
        slides = sorted(self.entries.values(), key=lambda entry: (entry.name, entry.slide))
        others = sorted(self.annotated.keys() - self.entries.keys())
        return [*(entry.slide for entry in slides), *others]

    @cached_property
    def slides(self) -> pa.Table:
        """`tables.SLIDES`."""
        return SLIDES.from_rows([slide_row(entry) for entry in self.entries.values()])

    @cached_property
    def cases(self) -> Mapping[str, Mapping[str, Any]]:
        """Declared fields of each case."""
        return self._project.store.cases()

    @cached_property
    def exhaustive(self) -> pa.Table:
        """`annotations.store.EXHAUSTIVE`."""
        return self._store.regions()

    @cached_property
    def annotations(self) -> pa.Table:
        """`tables.ANNOTATIONS`, all of them."""
        return self._store.current()

    @cached_property
    def _items(self) -> tuple[str, Path] | None:
        """Key and file of the items; None if nothing is built."""
        if not items_in(self._project):
            return None
        paths = [path(self._project.build) for path in (manifest_path, regions_path)]
        paths += sorted((self._project.root / "cells").glob("*/cells.parquet"))
        paths.append(self._project.root / SPLITS)
        stats = [(p.name, p.stat().st_size, p.stat().st_mtime_ns) for p in paths if p.exists()]
        key = _digest(
            [_ITEMS, stats, self.tokens, [slide_row(one) for one in self.entries.values()]]
        )
        path = self._project.root / ".curatome" / "check-items.parquet"
        if not path.exists() or _said(path) != key:
            self._gather(path, key)
        return key, path

    def _gather(self, path: Path, key: str) -> None:
        self._watcher.start("gathering items", items_in(self._project), "items")
        schema = ITEMS.schema.with_metadata({**ITEMS.schema.metadata, _DIGEST: key.encode()})
        known = gather(self._project, read_splits(self._project))
        with new_file(path) as stream, pq.ParquetWriter(stream, schema) as writer:
            for batch in item_batches(self._project, known, published=True):
                writer.write_batch(batch.replace_schema_metadata(schema.metadata))
                self._watcher.advance(len(batch))
        self._watcher.finish()

    @cached_property
    def items(self) -> pa.Table:
        """`tables.ITEMS`, with splits."""
        return ITEMS.schema.empty_table() if self._items is None else pq.read_table(self._items[1])

    @cached_property
    def near(self) -> pa.Table | None:
        """`tables.NEAR_DUPLICATES`; None where nobody asked for it and no image is hashed."""
        folder = self._project.root / ".curatome"
        hashed = (folder / "perceptual.parquet").exists()
        if self._items is None or not (self._wanted_near or hashed):
            return None
        key, items = self._items
        path = folder / "check-near.parquet"
        if path.exists() and _said(path) == key:
            return pq.read_table(path)
        found = near_items(self._project, items, self._watcher)
        metadata = {**(found.schema.metadata or {}), _DIGEST: key.encode()}
        with new_file(path) as stream:
            pq.write_table(found.replace_schema_metadata(metadata), stream)
        return found

    def has(self, image: str | None) -> frozenset[Needs]:
        """What there is of an image, or of the dataset, without reading it."""
        entry = self.entries.get(image or "")
        some = [*self.entries.values()] if image is None else [entry] if entry else []
        annotated = sum(self.annotated.values()) if image is None else self.annotated.get(image, 0)
        regions = self.exhaustive if image is None else self._regions_of(image)
        found: dict[Needs, Any] = {
            "slides": some,
            "annotations": annotated,
            "exhaustive": len(regions),
            "items": self._items is not None,
            "cases": self.cases,
            "pixels": any(e.state == "ready" and e.mpp is not None for e in some),
        }
        there = {name for name, held in found.items() if held}
        if "annotations" in there:
            there.add("marks")
        if "items" in there and self.near is not None:
            there.add("near")
        return frozenset(there)

    def _regions_of(self, image: str) -> pa.Table:
        return self.exhaustive.filter(pc.equal(self.exhaustive["image"], image))

    def key(self, rule: Rule, image: str | None) -> str:
        """What a result depends on: the rule, its settings, the protocol and what it looks at."""
        protocol = self._project.protocol
        settings = engine.settings_of(rule, protocol)
        material: list[Any] = [
            [rule.code, rule.version, engine.VERSION, __version__, settings],
            self._protocol,
            self._of_image[image] if image is not None else self._of_dataset,
        ]
        if {"items", "near"} & rule.parts:
            material.append(self._items[0] if self._items else None)
            material.append("near" in rule.parts and self.near is not None)
        if rule.code[:3] == "CHK":
            material.append(protocol.check.model_dump(mode="json"))
        return _digest(material)

    @cached_property
    def _protocol(self) -> str:
        return _digest(self._project.protocol.model_dump(mode="json", exclude={"check"}))

    @cached_property
    def _of_image(self) -> Mapping[str, str]:
        """A digest of all that there is of each image but its items."""
        out = {}
        for image in self.images:
            entry = self.entries.get(image)
            row = None if entry is None else slide_row(entry)
            case = None if entry is None or entry.case is None else self.cases.get(entry.case)
            out[image] = _digest([row, case, self.tokens.get(image)])
        return out

    @cached_property
    def _of_dataset(self) -> str:
        return _digest([self._of_image, self.cases])

    @cached_property
    def tokens(self) -> dict[str, str]:
        """For each image a text that changes with its annotations and regions."""
        before = self._cache.fact("annotations") or {}
        batches = self._store.batches()
        head = self._store.head()
        latest = f"{head} {batches[0].time.isoformat()}" if batches else ""
        tokens: dict[str, str] = dict(before.get("tokens", {}))
        times = {batch.seqs[-1]: batch.time.isoformat() for batch in batches if len(batch.seqs)}
        since = int(before.get("head", 0))
        known = since == 0 or times.get(since) == before.get("time")
        if not known or head - since > _MANY:
            tokens = {}
        elif since < head:
            for image in self._changed(since):
                tokens.pop(image, None)
        counts = before.get("counts", {})
        there = self.annotated.keys() | {one or "" for one in self.exhaustive["image"].to_pylist()}
        for image in there:
            if counts.get(image) != self.annotated.get(image):
                tokens.pop(image, None)
            tokens.setdefault(image, latest)
        tokens = {image: tokens[image] for image in sorted(there)}
        fact = {"head": head, "time": times.get(head), "tokens": tokens}
        self._cache.keep_fact("annotations", {**fact, "counts": dict(self.annotated)})
        return tokens

    def _changed(self, since: int) -> Iterator[str]:
        """Images whose annotations or regions differ from what they were after an event."""
        found = self._store.changes(since)
        for side in ("before", "after"):
            for row in found[side].to_pylist():
                if row is not None:
                    yield row["image"] or ""

    def of_dataset(self, rule: Rule) -> Inputs:
        """All parts that a rule may look at."""
        whole = "annotations" in rule.parts
        return Inputs(
            self._project.protocol,
            slides=self.slides,
            annotations=self.annotations if whole else ANNOTATIONS.schema.empty_table(),
            marks=self.marks if "marks" in rule.parts else None,
            exhaustive=self.exhaustive,
            items=self.items if "items" in rule.parts else ITEMS.schema.empty_table(),
            near=self.near if "near" in rule.parts else None,
            cases=self.cases,
        )

    def of_image(self, image: str) -> Inputs:
        """All that there is of one image but its items."""
        entry = self.entries.get(image)
        case = None if entry is None else entry.case
        return Inputs(
            self._project.protocol,
            slides=SLIDES.from_rows([] if entry is None else [slide_row(entry)]),
            annotations=self.annotations_of(image),
            exhaustive=self._regions_of(image),
            cases={case: self.cases[case]} if case in self.cases and case is not None else {},
        )

    def items_of(self, image: str) -> pa.Table:
        """The items cut from an image."""
        return self.items.filter(pc.equal(self.items["slide"], image))

    def read_all_at_once(self, images: int) -> None:
        """Read all annotations now, if many images are due: that is faster than one by one."""
        if images > 1 and images >= len(self.annotated) / 2:
            _ = self.annotations

    def annotations_of(self, image: str) -> pa.Table:
        """`tables.ANNOTATIONS` of one image."""
        if "annotations" not in self.__dict__:
            if image:
                return self._store.current(image)
            return self.annotations.filter(pc.is_null(self.annotations["image"]))
        return self.annotations.take(self._rows.get(image, np.zeros(0, np.int64)))

    @cached_property
    def _rows(self) -> Mapping[str, npt.NDArray[np.int64]]:
        """The rows of each image in the table of all annotations."""
        encoded = self.annotations["image"].combine_chunks().dictionary_encode("encode")
        codes = encoded.indices.to_numpy(zero_copy_only=False)
        names = [name or "" for name in encoded.dictionary.to_pylist()]
        order = np.argsort(codes, kind="stable")
        ends = np.searchsorted(codes[order], np.arange(len(names) + 1))
        return {name: order[ends[k] : ends[k + 1]] for k, name in enumerate(names)}


def _said(path: Path) -> str:
    metadata = pq.read_schema(path).metadata or {}
    return str(metadata.get(_DIGEST, b"").decode())


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:32]
