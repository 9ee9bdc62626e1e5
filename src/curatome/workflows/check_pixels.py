"""Rules that read pixels, in supervised children: a broken slide does not end the check."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from curatome.errors import CuratomeError
from curatome.jobs import Limits, Task, run_tasks, stage
from curatome.location import Location
from curatome.protocol import Protocol
from curatome.rules.engine import Looked, failure, lacking, look
from curatome.rules.registry import rule_of
from curatome.rules.rule import Inputs, Pixels, Rule
from curatome.slides.opening import opened_slide
from curatome.slides.readers import SlideReader
from curatome.slides.window import read_window
from curatome.units import Mpp

_OPEN = 8
"""Slides that a child keeps open."""
_LIMITS = Limits(silence_seconds=600.0)
_TABLES = ("slides", "annotations", "exhaustive", "items", "near")


@dataclass(frozen=True)
class Order:
    """What a child shall look at.

    Attributes:
        image: the image; None for the dataset.
        codes: of the rules.
        protocol: curatome.toml.
        tables: parts of `Inputs`, as Arrow streams.
        cases: likewise.
        places: where the slides lie, and their scale.
    """

    image: str | None
    codes: tuple[str, ...]
    protocol: Protocol
    tables: Mapping[str, bytes]
    cases: Mapping[str, Mapping[str, Any]]
    places: Mapping[str, tuple[Location, Mpp]]


def order_of(
    image: str | None,
    rules: Sequence[Rule],
    inputs: Inputs,
    places: Mapping[str, tuple[Location, Mpp]],
) -> Order:
    """An order that a child can be sent."""
    held = {name: getattr(inputs, name) for name in _TABLES}
    tables = {name: _packed(table) for name, table in held.items() if table is not None}
    codes = tuple(rule.code for rule in rules)
    return Order(image, codes, inputs.protocol, tables, dict(inputs.cases), dict(places))


@dataclass(frozen=True)
class Seen:
    """What came of an order.

    Attributes:
        found: what each rule found.
        unseen: images that could not be read: why, and which rules did not look at them.
    """

    found: Mapping[str, Looked]
    unseen: Mapping[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)

    @property
    def whole(self) -> bool:
        """Whether every rule has looked at every image; only then is it to be kept."""
        return not self.unseen


def look_with_pixels(orders: Iterator[Order], workers: int) -> Iterator[tuple[str | None, Seen]]:
    """What rules find that read pixels, image by image.

    Args:
        orders: one for each image.
        workers: how many children at the same time.
    """
    again: list[Order] = []
    yield from _round(orders, workers, again)
    while again:
        now, again = again, []
        yield from _round(iter(now), workers, again)


def _round(
    orders: Iterator[Order], workers: int, again: list[Order]
) -> Iterator[tuple[str | None, Seen]]:
    tasks = (
        Task(order.image or "", "curatome.workflows.check_pixels:look_at", (order,))
        for order in orders
    )
    for outcome in run_tasks(tasks, workers, _LIMITS):
        order = outcome.task.arguments[0]
        if outcome.failure is None:
            yield order.image, outcome.value
            continue
        died_in = outcome.failure.stage
        lost = (died_in,) if died_in in order.codes else order.codes
        if order.image is None:
            told = {code: failure(rule_of(code), None, str(outcome.failure)) for code in lost}
            yield None, Seen({code: Looked((one,)) for code, one in told.items()})
        else:
            yield order.image, Seen({}, {order.image: (str(outcome.failure), lost)})
        rest = tuple(code for code in order.codes if code not in lost)
        if rest:
            again.append(replace(order, codes=rest))


def look_at(order: Order) -> Seen:
    """Run rules over one image, or over the dataset. Run in a supervised child."""
    held = {name: _unpacked(content) for name, content in order.tables.items()}
    found: dict[str, Looked] = {}
    unseen: dict[str, tuple[str, tuple[str, ...]]] = {}
    with ExitStack() as stack:
        eyes = _Eyes(order.places, stack)
        inputs = Inputs(order.protocol, **held, cases=order.cases, pixels=eyes)
        if order.image is not None and not eyes.can_see(order.image):
            return Seen({}, {order.image: (eyes.lost[order.image], order.codes)})
        for code in order.codes:
            eyes.lost.clear()
            looked = _look(rule_of(code), inputs, order.image, eyes)
            if looked is not None:
                found[code] = looked
            for image, why in eyes.lost.items():
                first, codes = unseen.get(image, (why, ()))
                unseen[image] = first, (*codes, code)
    return Seen(found, unseen)


def _look(rule: Rule, inputs: Inputs, image: str | None, eyes: _Eyes) -> Looked | None:
    """What a rule finds on what can be read; None if that is nothing."""
    looked = look(rule, inputs, image)
    told = 0
    while len(eyes.lost) > told:
        if image is not None:
            return None
        for name in pc.unique(inputs.annotations["image"]).to_pylist():
            if name in eyes.places and name not in eyes.lost:
                eyes.can_see(name)
        told = len(eyes.lost)
        rest = _without(inputs, eyes.lost)
        if lacking(rule, rest) is not None:
            return None
        looked = look(rule, rest)
    return looked


def _without(inputs: Inputs, images: Collection[str]) -> Inputs:
    """Inputs without what lies on some images."""

    def others(table: pa.Table, column: str) -> pa.Table:
        return table.filter(pc.invert(pc.is_in(table[column], pa.array(sorted(images)))))

    exhaustive = inputs.exhaustive
    return replace(
        inputs,
        slides=others(inputs.slides, "slide"),
        annotations=others(inputs.annotations, "image"),
        exhaustive=None if exhaustive is None else others(exhaustive, "image"),
        items=others(inputs.items, "slide"),
    )


class _Eyes:
    """Reads pixels for rules, with a few slides open at a time: a `PixelsOf`.

    Attributes:
        places: where slides lie, and their scale.
        lost: images that could not be read, and why.
    """

    def __init__(self, places: Mapping[str, tuple[Location, Mpp]], stack: ExitStack) -> None:
        self.places = places
        self.lost: dict[str, str] = {}
        self._stack = stack
        self._open: dict[str, tuple[SlideReader, ExitStack]] = {}

    def __call__(self, image: str, box: tuple[float, float, float, float], mpp: float) -> Pixels:
        try:
            return read_window(self._reader(image), self.places[image][1], box, mpp)
        except (CuratomeError, OSError) as error:
            self.lost[image] = str(error)
            raise

    def can_see(self, image: str) -> bool:
        """Whether an image opens and gives a pixel; if not, it is lost."""
        try:
            self(image, (0.0, 0.0, 1.0, 1.0), self.places[image][1].x)
        except (CuratomeError, OSError):
            return False
        return True

    def _reader(self, image: str) -> SlideReader:
        if image not in self._open:
            if len(self._open) >= _OPEN:
                self._open.pop(next(iter(self._open)))[1].close()
            own = self._stack.enter_context(ExitStack())
            self._open[image] = (own.enter_context(opened_slide(self.places[image][0])), own)
        return self._open[image][0]


def _packed(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    packed: bytes = sink.getvalue().to_pybytes()
    return packed


def _unpacked(content: bytes) -> pa.Table:
    stage("unpack")
    return pa.ipc.open_stream(content).read_all()
