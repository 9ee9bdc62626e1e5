"""SYN022: one thing under several names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from curatome.findings import Finding, Severity
from curatome.rules.marks import marks
from curatome.rules.rule import Inputs, Rule
from curatome.rules.syntax.fields import label_counts, with_label
from curatome.rules.syntax.spelling import folded, variants

_OF_SLIDES = ("site", "scanner", "stain")
_NAMED = 20

Holders = Mapping[str, list[str]]
"""What has each value: slides, cases or annotations."""


def _drift(inputs: Inputs) -> Iterator[Finding]:
    for name in _OF_SLIDES:
        yield from _of(name, _slides(inputs.slides, name), "slide")
    for name, field in inputs.protocol.cohort.declared("cases").items():
        if field.type == "category" and not field.values:
            yield from _of(name, _cases(inputs.cases, name), "case")
    if not inputs.protocol.classes:
        yield from _classes(marks(inputs))
    yield from _readers(marks(inputs))


def _slides(slides: pa.Table, column: str) -> Holders:
    found: dict[str, list[str]] = {}
    for slide, value in zip(slides["slide"].to_pylist(), slides[column].to_pylist(), strict=True):
        if value:
            found.setdefault(value, []).append(slide)
    return found


def _cases(cases: Mapping[str, Mapping[str, object]], column: str) -> Holders:
    found: dict[str, list[str]] = {}
    for case, fields in cases.items():
        value = fields.get(column)
        if isinstance(value, str) and value:
            found.setdefault(value, []).append(case)
    return found


def _of(column: str, holders: Holders, kind: str) -> Iterator[Finding]:
    counts = {value: len(some) for value, some in holders.items()}
    for value, meant in variants(counts):
        yield _finding((column, kind), (value, meant), counts, holders[value])


def _classes(annotations: pa.Table) -> Iterator[Finding]:
    counts = label_counts(annotations)
    for value, meant in variants(counts):
        first = with_label(annotations, value)["annotation"][:_NAMED].to_pylist()
        yield _finding(("class", "annotation"), (value, meant), counts, first)


def _readers(annotations: pa.Table) -> Iterator[Finding]:
    """Readers only by case and spaces: two people may well differ by one letter."""
    found = annotations["reader"].drop_null().value_counts().to_pylist()
    counts = Counter({one["values"]: one["counts"] for one in found})
    called: dict[str, str] = {}
    for name, _ in counts.most_common():
        meant = called.setdefault(folded(name), name)
        if meant != name:
            some = annotations.filter(pc.equal(annotations["reader"], name))
            first = some["annotation"][:_NAMED].to_pylist()
            yield _finding(("reader", "annotation"), (name, meant), counts, first)


def _finding(
    what: tuple[str, str], names: tuple[str, str], counts: Mapping[str, int], first: list[str]
) -> Finding:
    (column, kind), (value, meant) = what, names
    numbers = [
        f"{counts[name]:,} {kind if counts[name] == 1 else kind + 's'}" for name in (value, meant)
    ]
    return VOCABULARY.finding(
        f"{column} {value}",
        f'{column} "{value}" ({numbers[0]}) is probably "{meant}" ({numbers[1]}).',
        evidence={
            "column": column,
            "value": value,
            "count": counts[value],
            "meant": meant,
            "meant_count": counts[meant],
            "first": first[:_NAMED],
        },
    )


VOCABULARY = Rule(
    code="SYN022",
    name="vocabulary-drift",
    severity=Severity.WARNING,
    scope="dataset",
    needs=(),
    uses=("slides", "marks", "cases"),
    what="One scanner, site, stain, class or diagnosis under several names.",
    why="A misspelled scanner is one more scanner: strata of a split, tests for confounding and "
    "counts of cases per class all see two groups where there is one.",
    bad='"Hamammatsu XR" on 3 slides and "Hamamatsu XR" on 41; "in situ" and "In-Situ".',
    good='One spelling for each. "AT2" and "GT450", "P1000" and "P2000", "ER+" and "ER-" are '
    "different names and are left alone.",
    fix="Correct the table and read it again with `curatome add`; give labels their class with "
    "`curatome import --class OLD=NEW`. List the values of a category in curatome.toml, so that "
    "others are refused.",
    method="Names are compared without regard to case, width, spaces, hyphens and underscores, "
    "then by a single letter left out, doubled, swapped or replaced (Damerau 1964, "
    "10.1145/363958.363994) within one word of four letters or more, never in its first letter, a "
    "number or a sign. The rarer name must be rare: a tenth of the other in words below six "
    "letters, a fifth where a letter is another one, else half. Readers are compared by case and "
    "spaces only; classes are left to SYN020 where the protocol defines them.",
    promise="spellings that differ in case or separators, or by a doubled or lost letter inside a "
    "word of five letters or more, each a tenth as frequent as the right one or less",
    look=_drift,
)
RULES = (VOCABULARY,)
