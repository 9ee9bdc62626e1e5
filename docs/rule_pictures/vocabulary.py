"""SYN020 to SYN022: names, as tables."""

from __future__ import annotations

from functools import partial

from docs.rule_pictures.charts import table
from docs.rule_pictures.panel import Pair, Panel
from tests.rules.made import annotation, inputs, slide

_CLASSES = '[[classes]]\nname = "tumor"\n[[classes]]\nname = "stroma"\n'
_HEAD = ("class", "annotations")


def unknown() -> Pair:
    """SYN020."""
    good = [annotation(f"a{k}", labels=["tumor"]) for k in range(8)]
    wrong = [*good, *(annotation(f"b{k}", labels=["tumro"]) for k in range(3))]
    right = [*good, *(annotation(f"b{k}", labels=["tumor"]) for k in range(3))]
    bad_rows = [("tumor", "8"), ("stroma", "0"), ("tumro", "3")]
    return (
        Panel(
            inputs(wrong, _CLASSES),
            partial(table, head=_HEAD, rows=bad_rows, wrong=[(2, 0)], widths=(2, 1)),
            "No class of curatome.toml is called tumro.",
        ),
        Panel(
            inputs(right, _CLASSES),
            partial(
                table,
                head=_HEAD,
                rows=[("tumor", "11"), ("stroma", "0")],
                right=[(0, 0)],
                widths=(2, 1),
            ),
            "Every label is the name of a class, letter by letter.",
        ),
    )


def missing() -> Pair:
    """SYN021."""
    head = ("annotation", "reader", "guideline")
    wrong = [
        annotation("a1"),
        annotation("a2", reader=None),
        annotation("a3", reader=None, guideline=None),
    ]
    right = [annotation(f"a{k}") for k in (1, 2, 3)]
    return (
        Panel(
            inputs(wrong),
            partial(
                table, head=head, wrong=[(1, 1), (2, 1), (2, 2)],
                rows=[("a1", "ada", "1"), ("a2", "–", "1"), ("a3", "–", "–")],
            ),
            "Nobody knows who drew them, or by which rules.",
            "s1",
        ),
        Panel(
            inputs(right),
            partial(
                table, head=head, right=[(1, 1), (2, 1), (2, 2)],
                rows=[("a1", "ada", "1"), ("a2", "ben", "1"), ("a3", "ben", "1")],
            ),
            "Each says who drew it and under which guideline.",
            "s1",
        ),
    )  # fmt: skip


def vocabulary() -> Pair:
    """SYN022."""
    head = ("scanner", "slides")
    names = ["Hamamatsu XR"] * 7 + ["GT450"] * 5

    def given(odd: str) -> list[dict[str, object]]:
        return [slide(f"s{k}", scanner=name) for k, name in enumerate([*names, odd])]

    return (
        Panel(
            inputs(of=given("Hamammatsu XR")),
            partial(
                table, head=head, wrong=[(1, 0)], widths=(2, 1),
                rows=[("Hamamatsu XR", "7"), ("Hamammatsu XR", "1"), ("GT450", "5")],
            ),
            "One scanner under two names.",
        ),
        Panel(
            inputs(of=given("AT2")),
            partial(
                table, head=head, right=[(0, 0)], widths=(2, 1),
                rows=[("Hamamatsu XR", "7"), ("GT450", "5"), ("AT2", "1")],
            ),
            "One name for each. GT450 and AT2 are two scanners.",
        ),
    )  # fmt: skip


PICTURES = {"SYN020": unknown, "SYN021": missing, "SYN022": vocabulary}
