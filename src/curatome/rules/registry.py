"""All rules, by family and code. A family is loaded when it is first asked for."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping
from functools import cache

from curatome.errors import ProtocolError
from curatome.rules.rule import FAMILIES, Rule

MODULES: Mapping[str, str] = {
    "SYN": "syntax",
    "CLN": "clean",
    "SIZ": "size",
    "BAL": "balance",
    "DRF": "drift",
    "COR": "correctness",
    "CMP": "completeness",
    "CON": "consistency",
    "LEK": "leakage",
    "ACQ": "acquisition",
    "CHK": "checking",
}
"""The module below `curatome.rules` that holds each family."""

OTHERS = ("SRC", "STO", "VER")
"""Families of findings that other commands make; see docs/findings.md."""


@cache
def family_rules(family: str) -> tuple[Rule, ...]:
    """The rules of a family by code; none of a family that is still to come."""
    name = MODULES.get(family)
    if name is None:
        return ()
    module = f"{__package__}.{name}"
    try:
        found: tuple[Rule, ...] = getattr(importlib.import_module(module), "RULES", ())
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        return ()
    return tuple(sorted(found, key=lambda rule: rule.code))


def all_rules() -> tuple[Rule, ...]:
    """Every rule, in the order of `FAMILIES` and codes."""
    return tuple(rule for family in FAMILIES for rule in family_rules(family))


def rule_of(code: str) -> Rule:
    """The rule of a code, in capitals or not.

    Raises:
        ProtocolError: there is none.
    """
    wanted = code.upper()
    for rule in family_rules(wanted[:3]):
        if rule.code == wanted:
            return rule
    raise ProtocolError(unknown(code))


def unknown(code: str) -> str:
    """What to say of a code that is no rule's."""
    wanted = code.upper()
    if wanted[:3] in OTHERS:
        return f'"{code}" is a finding of another command, explained in docs/findings.md.'
    there = ", ".join(rule.code for rule in family_rules(wanted[:3]))
    if there:
        return f'there is no rule "{code}". {wanted[:3]} has {there}.'
    return f'there is no rule "{code}". `curatome explain` lists them all.'


def is_known(word: str) -> bool:
    """Whether a word is a family, or the code of a rule."""
    wanted = word.upper()
    return (
        wanted in FAMILIES
        or wanted[:3] in OTHERS
        or any(rule.code == wanted for rule in family_rules(wanted[:3]))
    )


def matches(code: str, words: Iterable[str]) -> bool:
    """Whether a code, or its family, is among words."""
    return any(code == word.upper() or code[:3] == word.upper() for word in words)


def chosen(select: Iterable[str], ignore: Iterable[str]) -> tuple[Rule, ...]:
    """The rules that are selected and not ignored; all where nothing is selected.

    What is selected by its code goes before an ignored family: `--select SYN001 --ignore SYN`.
    """
    select, ignore = tuple(select), tuple(ignore)
    return tuple(rule for rule in all_rules() if wanted(rule.code, select, ignore))


def wanted(code: str, select: Iterable[str], ignore: Iterable[str]) -> bool:
    """Whether findings of a code are asked for."""
    select, ignore = tuple(select), tuple(ignore)
    words = {word.upper() for word in ignore}
    if code in words:
        return False
    if code in {word.upper() for word in select}:
        return True
    return (not select or matches(code, select)) and not matches(code, ignore)
