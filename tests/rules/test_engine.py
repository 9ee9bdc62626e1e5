"""Running rules: settings, what is lacking, rules that fail, and images of findings."""

from __future__ import annotations

from dataclasses import replace

import pytest

from curatome.findings import Finding, Severity
from curatome.rules import engine
from curatome.rules.checking import UNKNOWN
from curatome.rules.engine import image_of, lacking, look, settings_of, with_images
from curatome.rules.registry import rule_of
from tests.rules.made import annotation, found, inputs

LOOSE = replace(rule_of("SYN022"), settings={"least": (2.0, "why"), "mode": ("a", "why")})


def test_settings_of_the_protocol_go_before_defaults() -> None:
    given = inputs(protocol='[check.rules.SYN022]\nleast = 5\nmode = 3\nother = "x"\n')
    assert settings_of(LOOSE, given.protocol) == {"least": 5.0, "mode": "a"}
    assert settings_of(LOOSE, inputs().protocol) == {"least": 2.0, "mode": "a"}
    seen = []
    spying = replace(LOOSE, look=lambda one: seen.append(one.settings) or ())
    look(spying, given)
    assert seen == [{"least": 5.0, "mode": "a"}]


def test_a_rule_is_skipped_for_what_is_not_there() -> None:
    given = inputs()
    for needs, missing in (
        (("slides",), None),
        (("slides", "annotations"), "annotations"),
        (("near",), "near"),
        (("pixels",), "pixels"),
        (("cases",), "cases"),
        ((), None),
    ):
        assert lacking(replace(LOOSE, needs=needs), given) == missing
    with_pixels = replace(given, pixels=lambda *_: None)
    assert lacking(replace(LOOSE, needs=("pixels",)), with_pixels) is None


def test_a_rule_that_fails_is_a_finding_about_the_image() -> None:
    def broken(_):
        yield LOOSE.finding("image s1", "one.")
        raise KeyError("scanner")

    looked = look(replace(LOOSE, look=broken), inputs(), "s1")
    (finding,) = looked.findings
    assert (finding.code, finding.severity) == ("CHK003", Severity.ERROR)
    assert finding.subject == "image s1"
    assert "SYN022" in finding.message
    assert "KeyError" in finding.message


def test_running_out_of_memory_is_not_the_rules_finding() -> None:
    def greedy(_):
        raise MemoryError

    with pytest.raises(MemoryError):
        look(replace(LOOSE, look=greedy), inputs())


def test_very_many_findings_are_counted(monkeypatch) -> None:
    monkeypatch.setattr(engine, "MOST", 3)
    many = replace(LOOSE, look=lambda _: [LOOSE.finding(f"image {k}", "m.") for k in range(5)])
    looked = look(many, inputs())
    assert [one.subject for one in looked.findings] == ["image 0", "image 1", "image 2"]
    assert looked.more == 2


def test_findings_know_their_image() -> None:
    one = LOOSE.finding("annotation a", "m.", evidence={"annotation": "a"})
    other = LOOSE.finding("slide s2", "m.")
    looked = look(replace(LOOSE, look=lambda _: [one, other]), inputs(), "s1")
    assert [image_of(finding) for finding in looked.findings] == ["s1", "s2"]
    assert [image_of(f) for f in with_images([one, other], {"a": "s9"})] == ["s9", "s2"]
    assert looked.findings[0].fingerprint == one.fingerprint


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[check]\nselect = ["SYM"]', 'select: there is no rule or family "SYM"'),
        ('[check]\nignore = ["SYN999"]', 'ignore: there is no rule or family "SYN999"'),
        ("[check.rules.SYN999]\na = 1", 'Did you mean "SYN'),
        ("[check.rules.DRF003]\nalfa = 1", "DRF003 has these settings: alpha, least_change"),
        ('[check.rules.DRF003]\nalpha = "1"', "must be a number. Got '1'"),
        ('[[check.suppress]]\ncode = "XX"\nreason = "r"', "suppress: there is no rule or family"),
    ],
)
def test_words_that_mean_nothing(text, said) -> None:
    (finding,) = found(UNKNOWN, inputs(protocol=text))
    assert said in finding.message
    assert finding.severity is Severity.WARNING


def test_words_that_mean_something() -> None:
    text = """
[check]
select = ["SYN", "drf001", "SRC"]
ignore = ["SYN011"]
[check.rules.DRF003]
alpha = 0.05
[[check.suppress]]
code = "SYN008"
reason = "r"
"""
    assert found(UNKNOWN, inputs(protocol=text)) == []


def test_a_finding_without_an_image_stays_without() -> None:
    finding = Finding("SYN022", Severity.WARNING, "scanner x", "m.")
    assert image_of(finding) is None
    assert with_images([finding], {}) == [finding]
    assert annotation("a")["image"] == "s1"
