"""CHK: the settings of `curatome check` itself, and rules that could not look."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator

from curatome.findings import Finding, Severity
from curatome.rules.rule import Inputs, Rule


def _elsewhere(_: Inputs) -> Iterable[Finding]:
    """Found by `curatome check` when all rules have looked."""
    return ()


def _unknown(inputs: Inputs) -> Iterator[Finding]:
    """Words under [check] that mean nothing."""
    from curatome.rules.registry import all_rules, is_known

    check = inputs.protocol.check
    rules = {rule.code: rule for rule in all_rules()}
    used = [("select", word) for word in check.select]
    used += [("ignore", word) for word in check.ignore]
    used += [("suppress", one.code) for one in check.suppress]
    for key, word in used:
        if not is_known(word):
            yield _finding(key, word, _guess(word, rules))
    for code, settings in check.rules.items():
        if code not in rules:
            yield _finding(f"rules.{code}", code, _guess(code, rules))
            continue
        defaults = rules[code].defaults()
        for name, value in settings.items():
            where = f"rules.{code}.{name}"
            if name not in defaults:
                there = ", ".join(defaults) or "none"
                yield _finding(where, name, f" {code} has these settings: {there}.", "setting")
            elif isinstance(value, str) != isinstance(defaults[name], str):
                kind = "a text" if isinstance(defaults[name], str) else "a number"
                yield UNKNOWN.finding(
                    "protocol check",
                    f"[check] {where} must be {kind}. Got {value!r}; the default is used.",
                    evidence={"key": where},
                    key=where,
                )


def _guess(word: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(word.upper(), list(known), n=1)
    return f' Did you mean "{close[0]}"?' if close else ""


def _finding(key: str, word: str, guess: str, kind: str = "rule or family") -> Finding:
    told = f'[check] {key}: there is no {kind} "{word}".{guess}'
    return UNKNOWN.finding("protocol check", told, evidence={"key": key}, key=f"{key}:{word}")


UNUSED = Rule(
    code="CHK001",
    name="unused-suppression",
    severity=Severity.WARNING,
    scope="dataset",
    needs=(),
    what="A suppression that no finding needs any more.",
    why="It would hide the next finding that happens to fit it, for a reason that was given for "
    "another one.",
    bad='`[[check.suppress]]` with code = "SYN008" and image = "a.svs", where no shape of a.svs '
    "reaches beyond it.",
    good="Every suppression stands for at least one finding of the last check.",
    fix="Take it out of curatome.toml, or out of the annotation's properties.",
    method="Every finding of a check is held against every suppression. Those are left alone "
    "whose rules were not selected or had nothing to look at. It estimates "
    "nothing, and so promises nothing.",
    look=_elsewhere,
)
UNKNOWN = Rule(
    code="CHK002",
    name="unknown-code",
    severity=Severity.WARNING,
    scope="dataset",
    needs=(),
    what="A word under `[check]` that is no rule, no family and no setting of its rule.",
    why="A misspelled code selects, ignores or suppresses nothing, and says nothing about it.",
    bad='`ignore = ["SYN11"]`, or a threshold for a setting that the rule does not have.',
    good='`ignore = ["SYN011"]`; `curatome explain SYN011` lists the settings of a rule.',
    fix="Correct it in curatome.toml; `curatome explain` lists all rules.",
    method="The words are compared with the rules of this version; a similar code is suggested. "
    "It estimates nothing, and so promises nothing.",
    look=_unknown,
)
FAILED = Rule(
    code="CHK003",
    name="rule-failed",
    severity=Severity.ERROR,
    scope="dataset",
    needs=(),
    what="A rule that could not look at an image, or at the dataset.",
    why="Whatever the rule would have found there stays unknown. All other rules have looked.",
    bad="A slide whose file ends in the middle, so that its pixels cannot be read.",
    good="Every rule has looked at everything that it is meant for.",
    fix="See to what the message names, then run `curatome check` again; if the data are sound, "
    "please report it.",
    method="Rules that read pixels run in supervised children with limits on memory and silence. "
    "A slide that cannot be read is one finding, with all rules that did not look at it; it is a "
    "note where ACQ001 or ACQ009 tells of the slide. Whatever else a rule raises is told too. "
    "It estimates nothing, and so promises nothing.",
    look=_elsewhere,
)
REASONLESS = Rule(
    code="CHK004",
    name="suppression-without-reason",
    severity=Severity.WARNING,
    scope="dataset",
    needs=(),
    what="A suppression on an annotation that gives no reason, or cannot be read.",
    why="Nobody can judge later whether it still holds. It suppresses nothing.",
    bad='`{"curatome.suppress": {"CLN001": ""}}` in the properties of an annotation.',
    good='`{"curatome.suppress": {"CLN001": "edge torn in cutting, drawn as it is"}}`.',
    fix="Write the reason behind the code, as a text.",
    method="The member `curatome.suppress` of the properties must be a table of codes, each with "
    "a text. It estimates "
    "nothing, and so promises nothing.",
    look=_elsewhere,
)
RULES = (UNUSED, UNKNOWN, FAILED, REASONLESS)
