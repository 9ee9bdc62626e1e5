"""What rules look for, as one HTML file with their pictures that needs nothing else to be read."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from jinja2 import Environment
from markupsafe import Markup

from curatome import __version__, durable
from curatome.findings import Severity
from curatome.report.page import templates


@dataclass(frozen=True)
class RuleText:
    """One rule as the page tells of it.

    Attributes:
        code: three letters and three digits.
        name: in words with hyphens.
        severity: of its findings.
        texts: what it finds, why that matters, what fails, what passes, what to do, how it is
            found, and what it promises or nothing.
        settings: name, default and meaning of each.
        fixable: whether `check --fix` can mend it.
        picture: as PNG.
    """

    code: str
    name: str
    severity: Severity
    texts: tuple[str, str, str, str, str, str, str]
    settings: tuple[tuple[str, str, str], ...] = ()
    fixable: bool = False
    picture: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True)
class RuleFamily:
    """Rules of one family, its three letters, and what it is about: `Syntax: files, …`."""

    letters: str
    title: str
    rules: tuple[RuleText, ...]


def environment() -> Environment:
    """Templates of pages about rules, with what they use."""
    made = templates()
    made.filters.update(code=_code, inline=_inline)
    styles = [made.get_template(name).render() for name in ("report.css", "rules.css")]
    made.globals["style"] = Markup("\n".join(styles))
    return made


def render_rules(families: Sequence[RuleFamily]) -> str:
    """The page as HTML; with a table of contents if there is more than one rule."""
    return (
        environment()
        .get_template("rules.html.jinja")
        .render(
            families=families,
            count=sum(len(family.rules) for family in families),
            only=families[0].rules[0] if [len(one.rules) for one in families] == [1] else None,
            version=__version__,
        )
    )


def write_rules(families: Sequence[RuleFamily], path: Path) -> None:
    """Write the page, whole or not at all.

    Raises:
        OSError: the folder is not writable or the disk is full.
    """
    durable.write_file(path, render_rules(families))


def _inline(picture: bytes) -> str:
    """A PNG as the source of an image."""
    return f"data:image/png;base64,{base64.b64encode(picture).decode()}"


def _code(text: str) -> Markup:
    """A text whose parts between backticks are code."""
    parts = text.split("`")
    told = [Markup("<code>{}</code>").format(p) if k % 2 else p for k, p in enumerate(parts)]
    return Markup("").join(told)
