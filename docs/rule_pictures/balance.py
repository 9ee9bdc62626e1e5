"""BAL: classes, cases and sites as bars."""

from __future__ import annotations

from functools import partial
from typing import Any

from docs.rule_pictures.charts import GRAY, bars, columns, table
from docs.rule_pictures.panel import FAIL, INK, PASS, Pair, Panel
from docs.rule_pictures.strokes import words
from matplotlib.axes import Axes
from tests.rules.datasets import items_of, protocol_of

from curatome.rules.rule import Inputs


def _cells(
    counts: dict[str, list[int]], more: dict[int, dict[str, Any]] | None = None, **protocol: Any
) -> Inputs:
    """Cells of each class in each case."""
    rows = [
        {
            "kind": "cell",
            "case": f"c{k}",
            "slide": f"s{k}",
            "labels": [name],
            **(more or {}).get(k, {}),
        }
        for name, held in counts.items()
        for k, count in enumerate(held)
        for _ in range(count)
    ]
    return Inputs(protocol_of(**{"classes": [], **protocol}), items=items_of(rows))


def few_cases() -> Pair:
    """BAL001."""
    wrong = [90, 1, 1, *[0] * 17]
    right = [6, 4, 5, 3, 7, 4, 5, 6, 2, 5, 4, 6, 5, 3, 4, 6, 5, 4, 3, 5]

    def draw(values: list[int], told: str, color: str, axes: Axes) -> None:
        columns(axes, values, [color] * 20, "mitoses in each of 20 cases")
        words(axes, 12, 1.06 * max(values), told, color, size=9, weight="bold")

    return (
        Panel(
            _cells({"mitosis": wrong, "tumor": [10] * 20}),
            partial(draw, wrong, "90 in one case, 2 elsewhere", FAIL),
            "92 mitoses, and 90 of them are one patient's.",
        ),
        Panel(
            _cells({"mitosis": right, "tumor": [10] * 20}),
            partial(draw, right, "2 to 7 in every case", PASS),
            "As many mitoses, from twenty patients.",
        ),
    )


def _classes(code_counts: tuple[dict[str, int], dict[str, int]], told: tuple[str, str]) -> Pair:
    panels = []
    for counts, color, words_ in zip(code_counts, (FAIL, PASS), told, strict=True):
        inputs = _cells({name: [n // 20] * 20 for name, n in counts.items()})
        least = min(counts, key=lambda name: counts[name])
        colors = [color if name == least else GRAY for name in counts]
        draw = partial(bars, names=list(counts), values=list(counts.values()), colors=colors)
        panels.append(Panel(inputs, draw, words_))
    return panels[0], panels[1]


def minority() -> Pair:
    """BAL002."""
    return _classes(
        (
            {"tumor": 1200, "stroma": 1000, "mitosis": 100},
            {"tumor": 1200, "stroma": 1000, "mitosis": 900},
        ),
        (
            "Mitoses are 12 times rarer than tumor cells.",
            "All classes within 1.5 times of each other.",
        ),
    )


def severe() -> Pair:
    """BAL003."""
    return _classes(
        (
            {"tumor": 8000, "stroma": 6000, "mitosis": 40},
            {"tumor": 8000, "stroma": 6000, "mitosis": 3000},
        ),
        (
            "Mitoses are 200 times rarer than tumor cells.",
            "As many as a model needs to learn the class.",
        ),
    )


def combinations() -> Pair:
    """BAL004."""

    def given(rare: int) -> Inputs:
        rows = [
            {"kind": "cell", "case": f"c{k}", "slide": f"s{k}", "labels": labels}
            for labels, cases in (
                (["grooves"], 20),
                (["glassy"], 20),
                (["grooves", "glassy"], 14),
                (["grooves", "glassy", "inclusion"], rare),
                (["inclusion"], 20),
            )
            for k in range(cases)
            for _ in range(3)
        ]
        return Inputs(protocol_of(classes=[]), items=items_of(rows))

    names = ["grooves", "glassy", "grooves +\nglassy", "grooves +\nglassy +\ninclusion"]
    return tuple(  # type: ignore[return-value]
        Panel(
            given(rare),
            partial(
                bars,
                names=names,
                values=[20, 20, 14, rare],
                colors=[GRAY] * 3 + [color],
                told=[f"{n} cases" if n > 1 else "1 case" for n in (20, 20, 14, rare)],
            ),
            told,
        )
        for rare, color, told in (
            (1, FAIL, "All three labels together: one patient only."),
            (9, PASS, "Every combination is seen in several patients."),
        )
    )


def domain() -> Pair:
    """BAL005."""

    def given(cases: dict[tuple[str, str], int]) -> Inputs:
        rows, k = [], 0
        for (site, label), count in cases.items():
            for _ in range(count):
                rows.append({"case": f"c{k}", "slide": f"s{k}", "site": site, "labels": [label]})
                k += 1
        return Inputs(protocol_of(classes=[]), items=items_of(rows))

    def draw(cases: dict[tuple[str, str], int], color: str, axes: Axes) -> None:
        head = ("cases", "benign", "invasive")
        rows = [
            (site, *(str(cases[site, label]) for label in head[1:])) for site in ("Bonn", "Ulm")
        ]
        marks = {"wrong" if color == FAIL else "right": [(0, 1), (0, 2), (1, 1), (1, 2)]}
        table(axes, head=head, rows=rows, **marks)

    wrong = {
        ("Bonn", "benign"): 0,
        ("Bonn", "invasive"): 24,
        ("Ulm", "benign"): 26,
        ("Ulm", "invasive"): 0,
    }
    right = {
        ("Bonn", "benign"): 12,
        ("Bonn", "invasive"): 12,
        ("Ulm", "benign"): 14,
        ("Ulm", "invasive"): 12,
    }
    return (
        Panel(
            given(wrong),
            partial(draw, wrong, FAIL),
            "A model can tell the classes by the hospital's stain.",
        ),
        Panel(given(right), partial(draw, right, PASS), "Every site has cases of every class."),
    )


def target() -> Pair:
    """BAL006."""
    cohort = {"targets": {"class": {"mitosis": 40}}}

    def draw(cases: int, color: str, axes: Axes) -> None:
        bars(axes, ["cases with\nmitoses"], [cases], [color])
        axes.plot([40, 40], [-0.5, 0.5], color=INK, linewidth=1.6, linestyle="--", zorder=5)
        words(axes, 40, -0.56, "target: 40", INK, size=8)
        axes.set(xlim=(-24, 62), ylim=(0.8, -0.8))

    return tuple(  # type: ignore[return-value]
        Panel(
            _cells({"mitosis": [1] * cases, "tumor": [2] * 50}, cohort=cohort),
            partial(draw, cases, color),
            told,
        )
        for cases, color, told in (
            (31, FAIL, "The protocol wants 40 cases with mitoses, and has 31."),
            (44, PASS, "The target is met."),
        )
    )


PICTURES = {
    "BAL001": few_cases,
    "BAL002": minority,
    "BAL003": severe,
    "BAL004": combinations,
    "BAL005": domain,
    "BAL006": target,
}
