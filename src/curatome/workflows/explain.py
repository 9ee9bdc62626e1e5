"""`curatome explain`: the texts and pictures of rules as one HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from curatome.report.rules_page import RuleFamily, RuleText, write_rules
from curatome.rules.illustrated import picture_of
from curatome.rules.registry import all_rules
from curatome.rules.rule import FAMILIES, Rule


def explain_html(rules: Sequence[Rule], path: Path) -> None:
    """Write a page about some rules, by family.

    Raises:
        OSError: the folder is not writable or the disk is full.
    """
    families = [
        RuleFamily(
            letters, title, tuple(rule_text(rule) for rule in rules if rule.family == letters)
        )
        for letters, title in FAMILIES.items()
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    write_rules([family for family in families if family.rules], path)


def promised(rule: Rule) -> str:
    """What a rule promises, as a sentence; empty if it promises nothing."""
    if not rule.promise:
        return ""
    return f"It finds at least 95 % at a precision of 90 % of: {rule.promise.rstrip('.')}."


def default_text(value: float | str) -> str:
    """A default as it stands in curatome.toml."""
    return f'"{value}"' if isinstance(value, str) else f"{value:g}"


def rule_text(rule: Rule) -> RuleText:
    """A rule as pages tell of it, with its picture."""
    picture = picture_of(rule.code)
    return RuleText(
        rule.code,
        rule.name,
        rule.severity,
        (rule.what, rule.why, rule.bad, rule.good, rule.fix, rule.method, promised(rule)),
        tuple((name, default_text(value), why) for name, (value, why) in rule.settings.items()),
        rule.fixable,
        None if picture is None else picture.read_bytes(),
    )


def rules_of(word: str) -> tuple[Rule, ...]:
    """The rules that a code, a family or nothing stands for."""
    wanted = word.upper()
    return tuple(rule for rule in all_rules() if wanted in ("", rule.family, rule.code))
