"""The pages of a release: README, datasheet, citation, license; filled from what was measured."""

from __future__ import annotations

import importlib.resources
from collections.abc import Sequence
from functools import cache
from typing import Any

import jinja2

from curatome.dataset.release.facts import Facts
from curatome.dataset.release.gates import GateResult
from curatome.findings import Measure

_SPDX = "https://spdx.org/licenses/"


@cache
def _templates() -> jinja2.Environment:
    folder = importlib.resources.files("curatome") / "templates" / "release"
    loader = jinja2.FunctionLoader(lambda name: (folder / name).read_text(encoding="utf-8"))
    environment = jinja2.Environment(
        loader=loader,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters |= {"n": _number, "size": _size, "value": _value, "cell": _cell}
    return environment


def _number(value: int) -> str:
    return f"{value:,}"


def _size(value: int) -> str:
    for limit, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB")):
        if value >= limit:
            return f"{value / limit:.3g} {unit}"
    return f"{value / 1e3:.3g} kB"


def _value(one: Measure) -> str:
    if one.low is None or one.high is None:
        return f"{one.value:.3f}"
    return f"{one.value:.3f} [{one.low:.3f}, {one.high:.3f}]"


def _cell(text: object) -> str:
    """Text that may stand in a cell of a Markdown table."""
    return " ".join(str(text).replace("|", "\\|").split())


def datasheet(facts: Facts, gates: Sequence[GateResult]) -> str:
    """The datasheet, with the sections of Gebru et al., Datasheets for Datasets, 2021.

    (10.1145/3458723.) What can be counted is; what only people know is asked for in words.
    """
    return _rendered("datasheet.md", facts, gates)


def readme(facts: Facts, gates: Sequence[GateResult], sample: Sequence[str]) -> str:
    """The page that a visitor sees first.

    Args:
        facts: of the version.
        gates: what became of them.
        sample: names of the pictures in `sample/`.
    """
    return _rendered("readme.md", facts, gates, sample=list(sample))


def citation(facts: Facts, released: str) -> str:
    """CITATION.cff, format 1.2.0 (10.5281/zenodo.5171937).

    Args:
        facts: of the version.
        released: the day, 2025-01-31.
    """
    return _rendered("CITATION.cff", facts, (), released=released)


def license_page(facts: Facts) -> str:
    """What the license is and where its text lies."""
    name = facts.protocol.dataset.license.strip()
    if not name:
        return "No license was declared. Nobody may use this dataset without asking.\n"
    if " " in name:
        return name + "\n"
    return (
        f"{facts.protocol.dataset.title} is licensed under {name}.\n\n"
        f"SPDX-License-Identifier: {name}\n{_SPDX}{name}.html\n"
    )


def _rendered(name: str, facts: Facts, gates: Sequence[GateResult], **more: Any) -> str:
    protocol = facts.protocol
    return (
        _templates()
        .get_template(name)
        .render(
            facts=facts,
            info=facts.info,
            dataset=protocol.dataset,
            protocol=protocol,
            gates=list(gates),
            waived=[one for one in gates if one.waiver],
            definitions={one.name: one.definition for one in protocol.classes},
            main=[one for one in facts.measures if one.subject == "all"],
            **more,
        )
    )
