"""BAL005: whether classes go with the sites or scanners they come from."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil

import numpy as np

from curatome.dataset.association import Association, association
from curatome.findings import Finding, Severity
from curatome.rules.counted import FACTORS, Counted, counted
from curatome.rules.rule import Inputs, Rule

_SHOWN = 10


def _confounded(inputs: Inputs) -> Iterator[Finding]:
    least, chance = (float(inputs.settings[name]) for name in ("least_v", "chance"))
    for one in counted(inputs):
        seen: list[list[str | None]] = []
        for factor in FACTORS:
            domain = one.domain[factor]
            if _same(domain, seen):
                continue
            seen.append(domain)
            found, names = _tested(one, domain)
            if found.v >= least and found.chance <= chance:
                yield _goes_with(one, factor, found, names)


def _same(domain: list[str | None], seen: list[list[str | None]]) -> bool:
    """Whether another factor divides the cases in the same way, as scanners do sites."""
    return any(
        len(set(zip(domain, other, strict=True))) == len(set(domain)) == len(set(other))
        for other in seen
    )


def _tested(
    one: Counted, domain: list[str | None]
) -> tuple[Association, tuple[list[str], list[str]]]:
    """How classes go with domains, over cases of a known one; and the names of both."""
    held = one.by_case.T
    cases = [k for k, name in enumerate(domain) if name is not None and held[k].any()]
    names = sorted({name for name in domain if name is not None})
    group = np.array([names.index(domain[k] or "") for k in cases], np.int64)
    there, group = np.unique(group, return_inverse=True)
    shares = held[cases] / held[cases].sum(axis=1, keepdims=True)
    shown = shares.sum(axis=0) > 0
    classes = [name for name, one in zip(one.labels.names, shown, strict=True) if one]
    return association(shares, group), (classes, [names[k] for k in there])


def _goes_with(
    one: Counted, factor: str, found: Association, names: tuple[list[str], list[str]]
) -> Finding:
    classes, domains = names
    lack = found.expected - found.table
    order = np.argsort(-lack, axis=None)[:_SHOWN]
    plan = [
        {"class": classes[k], factor: domains[g], "more_cases": ceil(lack[k, g])}
        for k, g in zip(*np.unravel_index(order, lack.shape), strict=True)
        if lack[k, g] >= 1
    ]
    said = ", ".join(f"{p['more_cases']} of {p['class']} from {p[factor]}" for p in plan[:3])
    lacking = f" The cases that are most lacking: {said}." if plan else ""
    told = "the one tells the other" if found.v > 0.999 else f"Cramér's V {found.v:.2f}"
    text = (
        f"classes of {one.plural} go with {factor}s ({told}, chance {found.chance:.4f}).{lacking}"
    )
    evidence = {
        "factor": factor,
        "v": round(found.v, 4),
        "chance": round(found.chance, 5),
        "plan": plan,
    }
    return CONFOUNDED.finding(f"{factor}s and classes of {one.plural}", text, evidence=evidence)


CONFOUNDED = Rule(
    code="BAL005",
    name="class-goes-with-domain",
    severity=Severity.WARNING,
    scope="dataset",
    needs=(),
    uses=("slides", "marks", "items", "cases"),
    what="Classes go with sites or scanners.",
    why="A model can then tell the class by the color of the stain or the blur of the scanner, "
    "and no test within the dataset shows it.",
    bad="All invasive cases are from Bonn, all benign ones from Ulm.",
    good="Every site has cases of every class, in like proportions.",
    fix="Collect the lacking cases that the message names, or leave cases out; until then report "
    "results per site, and split by site.",
    method="Cramér's V of class and site over cases (each case counts once, shared out among its "
    "classes), and the chance that a random deal of cases to sites gives as large a one (4,999 "
    "deals, so never below 0.0002; Besag & Clifford 1991, 10.1093/biomet/78.2.301).",
    promise="three diagnoses and four sites, 7 of 10 cases at the site of their diagnosis, of 40 "
    "cases",
    settings={
        "least_v": (0.3, "a medium effect (Cohen 1988); less is lost in other differences"),
        "chance": (0.001, "a sound dataset is warned about once in a thousand times"),
    },
    look=_confounded,
)
