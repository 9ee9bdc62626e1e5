"""All rules: what each must say, and how they are chosen."""

from __future__ import annotations

import re

import pytest

from curatome.errors import ProtocolError
from curatome.rules.registry import all_rules, chosen, family_rules, is_known, rule_of
from curatome.rules.rule import FAMILIES
from tests.rules.promised import PROMISES

RULES = all_rules()


def test_codes_are_unique_and_families_are_known() -> None:
    codes = [rule.code for rule in RULES]
    assert len(codes) == len(set(codes)) == len({rule.name for rule in RULES})
    assert {rule.family for rule in RULES} <= set(FAMILIES)
    order = [list(FAMILIES).index(rule.family) for rule in RULES]
    assert order == sorted(order)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_every_rule_explains_itself(rule) -> None:
    assert re.fullmatch(r"[A-Z]{3}\d{3}", rule.code)
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", rule.name)
    for text in (rule.what, rule.why, rule.bad, rule.good, rule.fix, rule.method):
        assert text.strip() == text
        assert len(text) > 10
        assert "  " not in text
    for text in (rule.what, rule.why, rule.fix, rule.method):
        assert text[-1] in ".:)", text
    for default, why in rule.settings.values():
        assert isinstance(default, int | float | str)
        assert len(why) > 10
    assert rule.version >= 1


def test_families_and_single_rules_are_chosen() -> None:
    assert chosen((), ()) == RULES
    assert chosen(["drf"], ()) == family_rules("DRF")
    assert [one.code for one in chosen(["SYN001", "DRF001"], ())] == ["SYN001", "DRF001"]
    without = {one.code for one in chosen(["SYN"], ["SYN011"])}
    assert without == {one.code for one in family_rules("SYN")} - {"SYN011"}
    assert not {one.family for one in chosen((), ["SYN"])} & {"SYN"}


def test_a_code_goes_before_a_family() -> None:
    assert [one.code for one in chosen(["SYN001"], ["SYN"])] == ["SYN001"]
    assert chosen(["SYN001"], ["SYN001"]) == ()


def test_unknown_codes() -> None:
    assert rule_of("syn001").code == "SYN001"
    assert is_known("CLN")
    assert is_known("SRC001")
    assert not is_known("SYN999")
    assert not is_known("XYZ")
    with pytest.raises(ProtocolError, match=r'no rule "SYN999"\. SYN has SYN001'):
        rule_of("SYN999")
    with pytest.raises(ProtocolError, match=r"docs/findings\.md"):
        rule_of("SRC001")
    with pytest.raises(ProtocolError, match="`curatome explain` lists them all"):
        rule_of("what")


def test_every_promise_is_tried_and_who_makes_none_says_why() -> None:
    tried = {promise.code for promise in PROMISES if not promise.short}
    for rule in RULES:
        assert (rule.code in tried) == bool(rule.promise), rule.code
        assert rule.promise or "promises nothing" in rule.method, rule.code
        assert not rule.promise.endswith("."), rule.code
        assert rule.promise[:1] == rule.promise[:1].lower(), rule.code
