"""Rules that read pixels, in supervised children: a broken slide does not end the check."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from curatome.jobs import Limits, Outcome, Task, run_tasks, stage
from curatome.location import Location
from curatome.protocol import Protocol
from curatome.rules.engine import Looked, failure, look
from curatome.rules.registry import rule_of
from curatome.rules.rule import Inputs, Pixels, PixelsOf, Rule
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


def look_with_pixels(
    orders: Iterator[Order], workers: int
) -> Iterator[tuple[str | None, dict[str, Looked], bool]]:
    """What rules find that read pixels.

    Args:
        orders: one for each image.
        workers: how many children at the same time.

    Returns:
        Image, what each rule found, and whether all of them have looked: what came of a child
        that died is not to be kept.
    """
    again: list[Order] = []
    yield from _round(orders, workers, again)
    while again:
        now, again = again, []
        yield from _round(iter(now), workers, again)


def _round(
    orders: Iterator[Order], workers: int, again: list[Order]
) -> Iterator[tuple[str | None, dict[str, Looked], bool]]:
    tasks = (
        Task(order.image or "", "curatome.workflows.check_pixels:look_at", (order,))
        for order in orders
    )
    for outcome in run_tasks(tasks, workers, _LIMITS):
        order = outcome.task.arguments[0]
        if outcome.failure is None:
            yield order.image, outcome.value, True
            continue
        at_fault = _at_fault(order, outcome)
        found = failure(rule_of(at_fault), order.image, str(outcome.failure))
        yield order.image, {at_fault: Looked((found,))}, False
        rest = tuple(code for code in order.codes if code != at_fault)
        if outcome.failure.stage in order.codes and rest:
            again.append(replace(order, codes=rest))


def _at_fault(order: Order, outcome: Outcome) -> str:
    assert outcome.failure is not None
    return outcome.failure.stage if outcome.failure.stage in order.codes else order.codes[0]


def look_at(order: Order) -> dict[str, Looked]:
    """Run rules over one image, or over the dataset. Run in a supervised child.

    Raises:
        SlideError: the slide cannot be opened.
    """
    held = {name: _unpacked(content) for name, content in order.tables.items()}
    with ExitStack() as stack:
        inputs = Inputs(
            order.protocol, **held, cases=order.cases, pixels=_pixels(order.places, stack)
        )
        if order.image is not None and inputs.pixels is not None:
            inputs.pixels(order.image, (0.0, 0.0, 1.0, 1.0), order.places[order.image][1].x)
        return {code: look(rule_of(code), inputs, order.image) for code in order.codes}


def _pixels(places: Mapping[str, tuple[Location, Mpp]], stack: ExitStack) -> PixelsOf:
    readers: dict[str, tuple[SlideReader, ExitStack]] = {}

    def pixels(image: str, box: tuple[float, float, float, float], mpp: float) -> Pixels:
        if image not in readers:
            if len(readers) >= _OPEN:
                readers.pop(next(iter(readers)))[1].close()
            own = stack.enter_context(ExitStack())
            readers[image] = (own.enter_context(opened_slide(places[image][0])), own)
        return read_window(readers[image][0], places[image][1], box, mpp)

    return pixels


def _packed(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    packed: bytes = sink.getvalue().to_pybytes()
    return packed


def _unpacked(content: bytes) -> pa.Table:
    stage("unpack")
    return pa.ipc.open_stream(content).read_all()
