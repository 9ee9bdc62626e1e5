"""DRF: readers and guidelines over time."""

from __future__ import annotations

import datetime
from functools import partial
from typing import Any

import numpy as np
import shapely
from docs.rule_pictures.charts import course, table
from docs.rule_pictures.panel import FAIL, PASS, Pair, Panel
from tests.rules.made import CHANGED, START, annotation, inputs, slide

_CASES, _EACH = 40, 20


def _read(share: tuple[float, float], size_um: tuple[float, float]) -> tuple[Any, Any, Any]:
    """40 cases of 20 objects in the order of reading; the second half by other habits."""
    rng = np.random.default_rng(12)
    rows, mitoses, sizes = [], [], []
    for case in range(_CASES):
        late = case >= _CASES // 2
        own = rng.beta(8, 8 / share[late] - 8)
        diameters = size_um[late] * np.exp(rng.normal(0, 0.15, _EACH))
        called = rng.random(_EACH) < own
        mitoses.append(100 * called.mean())
        sizes.append(diameters[~called].mean())
        for k in range(_EACH):
            shape = shapely.Point(500 + 90 * k, 500).buffer(diameters[k] / 2 / 0.25, quad_segs=16)
            time = START + datetime.timedelta(days=case, minutes=k)
            label = "mitosis" if called[k] else "tumor"
            rows.append(
                annotation(f"{case}-{k}", shape, labels=[label], time=time, image=f"s{case}")
            )
    return inputs(rows, of=[slide(f"s{k}") for k in range(_CASES)]), mitoses, sizes


def _over_time(measured: int, changed: Any, unit: str, limits: Any, told: tuple[str, str]) -> Pair:
    panels = []
    for (share, size), color, words in zip((changed, _STEADY), (FAIL, PASS), told, strict=True):
        read = _read(share, size)
        draw = partial(course, values=read[measured], color=color, unit=unit, limits=limits)
        panels.append(Panel(read[0], draw, words))
    return panels[0], panels[1]


_STEADY = ((0.2, 0.2), (10.0, 10.0))


def mix() -> Pair:
    """DRF003."""
    return _over_time(
        1, ((0.2, 0.5), (10.0, 10.0)), "{:.0f} % mitoses", (0, 100),
        ("From the middle on, ada calls more cells mitoses.",
         "Cases differ; the reader's habit does not."),
    )  # fmt: skip


def size() -> Pair:
    """DRF004."""
    return _over_time(
        2, ((0.2, 0.2), (10.0, 13.0)), "{:.1f} µm", (7, 16),
        ("From the middle on, ada draws tumor nuclei larger.",
         "Cases differ; the reader's habit does not."),
    )  # fmt: skip


def _guidelines(rows: list[Any], cells: list[Any], marked: str, told: str) -> Panel:
    draw = partial(
        table, head=("annotation", "guideline", "class"), rows=cells, **{marked: [(0, 1)]}
    )
    return Panel(inputs(rows, CHANGED), draw, told, "s1")


def stale() -> Pair:
    """DRF001."""
    old = [
        annotation("a1", labels=["mitosis"], guideline="1.0"),
        annotation("a2", labels=["mitosis"], guideline="2.0"),
    ]
    new = [{**old[0], "guideline": "2.0"}, old[1]]
    return (
        _guidelines(
            old, [("a1", "1.0", "mitosis"), ("a2", "2.0", "mitosis")], "wrong",
            "Version 2.0 says anew what a mitosis is; nobody has looked at a1 since.",
        ),
        _guidelines(
            new, [("a1", "1.0 → 2.0", "mitosis"), ("a2", "2.0", "mitosis")], "right",
            "A reader has looked at a1 again, under version 2.0.",
        ),
    )  # fmt: skip


def _names(first: str, second: str, code: str) -> tuple[list[Any], list[Any]]:
    versions = {"DRF002": ("1.0", "1.0"), "DRF005": ("2.0", "2.0")}[code]
    pairs = list(zip((first, second), versions, strict=True))
    rows = [annotation(f"a{k}", labels=[n], guideline=v) for k, (n, v) in enumerate(pairs, 1)]
    return rows, [(f"a{k}", v, n) for k, (n, v) in enumerate(pairs, 1)]


def _renamed(code: str, fails: str, passes: str) -> Pair:
    head = ("annotation", "guideline", "class")
    panels = []
    for first, key, told in (("tumour", "wrong", fails), ("tumor", "right", passes)):
        rows, cells = _names(first, "tumor", code)
        draw = partial(table, head=head, rows=cells, **{key: [(0, 2)]})
        panels.append(Panel(inputs(rows, CHANGED), draw, told, "s1"))
    return panels[0], panels[1]


def old_name() -> Pair:
    """DRF002."""
    return _renamed(
        "DRF002",
        "The guideline has renamed tumour to tumor; a1 was left behind.",
        "Every annotation has the present name.",
    )


def mixed() -> Pair:
    """DRF005."""
    return _renamed(
        "DRF005",
        "Drawn under version 2.0, and still called by the retired name.",
        "Since the rename, only the new name is used.",
    )


PICTURES = {"DRF001": stale, "DRF002": old_name, "DRF003": mix, "DRF004": size, "DRF005": mixed}
