"""`curatome check`: what is found, kept, reused, accepted and mended."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace

import pytest

from curatome.annotations.store import Act, Edit
from curatome.errors import CuratomeError, ProtocolError
from curatome.findings import Finding, Severity
from curatome.jobs import Failure, Outcome
from curatome.project import open_project
from curatome.rules import registry
from curatome.rules.registry import rule_of
from curatome.rules.rule import Inputs
from curatome.tables import ANNOTATIONS, SLIDES
from curatome.workflows import check as checking
from curatome.workflows import check_pixels
from curatome.workflows.annotation_check import annotation_store
from curatome.workflows.check import Wishes, check_project
from curatome.workflows.check_fix import fix_findings
from curatome.workflows.check_watch import changes
from curatome.workflows.manifest import slide_row
from curatome.workflows.watch import Silent
from tests.workflows.made_checks import BEYOND, CROSSED, draw, entry, project, row

SYNTAX = Wishes(("SYN", "CHK"))


def codes(found):
    return sorted(one.code for one in found.findings)


def edit(made, name, **values):
    with annotation_store(made) as store:
        store.apply([Edit(name, "relabel", store.head(), values)], Act("ada"))


@pytest.fixture
def made(tmp_path):
    rows = [row("a"), row("b", BEYOND), row("c", CROSSED, "s2"), row("d", image="s2", reader=None)]
    return project(tmp_path / "p", rows)


def test_findings_by_slide_and_in_the_store(made) -> None:
    found = check_project(made, SYNTAX)
    assert codes(found) == ["SYN004", "SYN008", "SYN021"]
    groups = {image.name: [one.code for one in some] for image, some in found.groups}
    assert groups == {"s1.svs": ["SYN008"], "s2.svs": ["SYN004", "SYN021"]}
    assert {image.case for image, _ in found.groups} == {"case s1", "case s2"}
    kept = made.store.findings("check:")
    assert {one.fingerprint for one in kept} == {one.fingerprint for one in found.findings}
    assert made.store.origins("check:") == ["check:SYN004", "check:SYN008", "check:SYN021"]
    assert [one.code for one in found.fixable] == ["SYN008", "SYN004"]


def test_a_second_check_looks_at_nothing_again(made) -> None:
    first = check_project(made, SYNTAX)
    again = check_project(made, SYNTAX)
    assert first.reused == 0
    assert again.looked == 0
    assert again.reused == first.looked > 0
    assert again.findings == first.findings


def test_an_edit_is_looked_at_on_its_image_only(made) -> None:
    check_project(made, Wishes(("SYN001", "SYN021")))
    edit(made, "d", reader="ben")
    found = check_project(made, Wishes(("SYN001", "SYN021")))
    assert codes(found) == []
    assert (found.looked, found.reused) == (2, 2)
    draw(made, row("e", reader=None, image="s3"))
    found = check_project(made, Wishes(("SYN001", "SYN021")))
    assert codes(found) == ["SYN021"]
    assert (found.looked, found.reused) == (2, 4)


def test_a_slide_that_changes_is_looked_at_again(made) -> None:
    check_project(made, Wishes(("SYN008",)))
    made.store.save_slide(replace(entry("s1"), width=20_000), ())
    found = check_project(made, Wishes(("SYN008",)))
    assert codes(found) == []
    assert (found.looked, found.reused) == (1, 1)


def test_settings_count_for_their_rule_only(made) -> None:
    wishes = Wishes(("SYN", "DRF"))
    looked = check_project(made, wishes).looked
    path = made.root / "curatome.toml"
    path.write_text(path.read_text() + "[check.rules.DRF003]\nalpha = 0.05\n")
    found = check_project(open_project(made.root), wishes)
    assert (found.looked, found.reused) == (1, looked - 1)


def test_other_annotations_under_the_same_numbers_are_looked_at(made, tmp_path) -> None:
    check_project(made, SYNTAX)
    for path in (made.root / ".curatome").glob("annotations.sqlite*"):
        path.unlink()
    draw(made, row("a"), row("b"), row("c", image="s2"), row("d", image="s2"))
    found = check_project(made, SYNTAX)
    assert {"SYN013"} == set(codes(found))


def test_a_check_that_is_stopped_goes_on_where_it_was(made) -> None:
    class Stopped(Silent):
        def advance(self, *_) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        check_project(made, Wishes(("SYN",)), Stopped())
    found = check_project(made, Wishes(("SYN",)))
    images = sum(1 for rule in registry.family_rules("SYN") if rule.scope == "image")
    assert found.reused == images


def test_a_damaged_cache_is_made_anew(made) -> None:
    first = check_project(made, SYNTAX)
    (made.root / ".curatome" / "check.sqlite").write_bytes(b"no database " * 1000)
    again = check_project(made, SYNTAX)
    assert again.looked == first.looked
    base = sqlite3.connect(made.root / ".curatome" / "check.sqlite")
    base.execute("PRAGMA user_version=99")
    base.close()
    assert check_project(made, SYNTAX).looked == first.looked


def test_other_rules_keep_what_they_found(made) -> None:
    check_project(made, SYNTAX)
    found = check_project(made, Wishes(("SYN021",)))
    assert codes(found) == ["SYN021"]
    assert {one.code for one in made.store.findings("check:")} == {"SYN004", "SYN008", "SYN021"}


def test_what_other_commands_found_is_shown(made) -> None:
    held = Finding("ACQ002", Severity.ERROR, "slide s1", "no scale.", "Set it.")
    made.store.save_findings("slide:s1", [held])
    made.store.save_findings("annotations:x", [Finding("SYN013", Severity.WARNING, "x", "old.")])
    assert codes(check_project(made, Wishes(("ACQ",)))) == ["ACQ002"]
    assert codes(check_project(made, SYNTAX)) == ["SYN004", "SYN008", "SYN021"]
    # What the import said about the same shapes is replaced by what stands now.
    assert made.store.findings("annotations") == []
    assert made.store.findings("slide:s1") == [held]


def test_unknown_words_of_the_command_are_refused(made) -> None:
    with pytest.raises(ProtocolError, match="no rule"):
        check_project(made, Wishes(("SYN999",)))
    with pytest.raises(ProtocolError, match="no rule"):
        check_project(made, Wishes(ignore=("nothing",)))


def test_select_and_ignore_of_the_protocol(tmp_path) -> None:
    text = '[check]\nselect = ["SYN"]\nignore = ["SYN008"]\n'
    made = project(tmp_path / "p", [row("b", BEYOND), row("c", CROSSED)], text)
    assert codes(check_project(made)) == ["SYN004"]
    assert codes(check_project(made, Wishes(ignore=("SYN004",)))) == []
    assert codes(check_project(made, Wishes(("SYN008",)))) == []


def test_suppressions_with_a_reason(tmp_path) -> None:
    text = "".join(
        f'[[check.suppress]]\ncode = "{code}"\nimage = "{image}"\nreason = "seen"\n'
        for code, image in (("SYN008", "s1.svs"), ("SYN009", "s2"))
    )
    accepted = json.dumps({"curatome.suppress": {"SYN004": "an eight is meant"}})
    rows = [row("b", BEYOND), row("c", CROSSED, properties=accepted), row("d", CROSSED, "s2")]
    made = project(tmp_path / "p", rows, text)
    found = check_project(made, SYNTAX)
    assert codes(found) == ["CHK001", "SYN004"]
    assert {by.reason for _, by in found.accepted} == {"seen", "an eight is meant"}
    assert "number 2" in next(one.message for one in found.findings if one.code == "CHK001")
    # A rule that was not asked for says nothing of its suppressions.
    assert codes(check_project(made, Wishes(("SYN004", "CHK")))) == ["SYN004"]


def test_fixes_are_one_batch_that_can_be_taken_back(made) -> None:
    found = check_project(made, SYNTAX)
    fixed = fix_findings(made, found.fixable, "ada")
    assert fixed.annotations == 2
    assert codes(check_project(made, SYNTAX)) == ["SYN021"]
    with annotation_store(made) as store:
        assert store.history("b")[-1].batch.act.tool == "curatome check --fix"
        store.undo(fixed.batch, Act("ada"))
    assert codes(check_project(made, SYNTAX)) == ["SYN004", "SYN008", "SYN021"]


def test_what_is_accepted_is_not_mended(tmp_path) -> None:
    text = '[[check.suppress]]\ncode = "SYN008"\nreason = "cells at the edge"\n'
    made = project(tmp_path / "p", [row("b", BEYOND)], text)
    found = check_project(made, SYNTAX)
    assert found.fixable == ()
    assert fix_findings(made, found.fixable).batch is None


def test_a_rule_that_fails_on_one_image(made, monkeypatch) -> None:
    def picky(inputs):
        if inputs.slides["slide"][0].as_py() == "s1":
            raise ValueError("cannot be digested")
        return [rule_of("SYN006").finding("image s2", "seen.")]

    rule = replace(rule_of("SYN006"), look=picky)
    monkeypatch.setattr(checking, "chosen", lambda *_: (rule, rule_of("SYN021")))
    found = check_project(made)
    assert codes(found) == ["CHK003", "SYN006", "SYN021"]
    failed = next(one for one in found.findings if one.code == "CHK003")
    assert "SYN006" in failed.message
    assert failed.evidence["image"] == "s1"
    # It is tried again the next time; all else is known.
    again = check_project(made)
    assert (again.looked, codes(again)) == (1, codes(found))


def test_rules_without_their_needs_are_told(made) -> None:
    found = check_project(made, Wishes(("SYN001", "LEK001", "ACQ022")))
    assert found.skipped == {"items": ("LEK001",), "pixels": ("ACQ022",)}
    assert "SYN001" in found.rules


def test_annotations_on_other_images_and_on_none(tmp_path) -> None:
    rows = [row("a", image="gone"), row("b", image=None)]
    found = check_project(project(tmp_path / "p", rows), SYNTAX)
    assert codes(found) == ["SYN025", "SYN025"]
    assert [None if image is None else image.name for image, _ in found.groups] == ["gone", None]


def test_pixels_are_read_in_children_and_a_lost_slide_does_not_end_the_check(copy, whole) -> None:
    made = copy(whole)
    first, second, third = made.store.slides()
    path = made.root / "curatome.toml"
    text = path.read_text()
    path.write_text(text + "[check.rules.ACQ022]\nleast_mm2 = 0.1\n")
    found = check_project(open_project(made.root), Wishes(("ACQ022", "CHK"), workers=2))
    assert codes(found) == []
    assert found.looked == 3 + len(registry.family_rules("CHK"))
    # The file of one slide is gone, another one is no slide any more.
    lost = replace(first, path="nowhere.svs", declared={"site": "x"})
    made.store.save_slide(lost, ())
    broken = made.root / "broken.svs"
    broken.write_bytes(b"II*\0" + b"\0" * 200)
    made.store.save_slide(replace(second, path="broken.svs", declared={"site": "x"}), ())
    path.write_text(text + "[check.rules.ACQ022]\nleast_mm2 = 50\n")
    project = open_project(made.root)
    found = check_project(project, Wishes(("ACQ022", "CHK"), workers=2))
    by_slide = {one.evidence.get("image", one.subject[6:]): one.code for one in found.findings}
    assert by_slide == {first.slide: "CHK003", second.slide: "CHK003", third.slide: "ACQ022"}
    tissue = next(one for one in found.findings if one.code == "ACQ022")
    # Tissue of 1600 × 1200 px at 0.5 µm: an outline of a third of each side, 0.17 mm².
    assert 0.1 < tissue.evidence["tissue_mm2"] < 0.3
    # One finding for each slide, whatever the number of rules; a note where it is known already.
    draw(project, row("a", image=first.slide), row("b", image=third.slide))
    gone = Finding("ACQ009", Severity.ERROR, f"slide {first.slide}", "is gone.", "")
    project.store.save_findings("slide", [gone])
    found = check_project(project, Wishes(("CLN", "ACQ", "SIZ001"), workers=2))
    failed = {one.evidence["image"]: one for one in found.findings if one.code == "CHK003"}
    assert failed.keys() == {first.slide, second.slide}
    assert failed[first.slide].severity == Severity.NOTE
    assert failed[second.slide].severity == Severity.ERROR
    assert failed[second.slide].evidence["rules"] == ["ACQ022"]
    assert {"CLN001", "SIZ001", "ACQ022"} <= set(failed[first.slide].evidence["rules"])
    assert "nowhere.svs" in failed[first.slide].message


def test_a_rule_about_the_dataset_looks_past_a_lost_slide(copy, whole, monkeypatch) -> None:
    made = copy(whole)
    lost, *others = made.store.slides()

    def bright(inputs):
        for name in inputs.slides["slide"].to_pylist():
            inputs.pixels(name, (0.0, 0.0, 9.0, 9.0), 0.5)
            yield rule.finding(f"slide {name}", "seen.")

    rule = replace(rule_of("COR001"), needs=("slides", "pixels"), look=bright)
    monkeypatch.setattr(check_pixels, "rule_of", lambda _: rule)
    places = {one.slide: (made.location(one.path), one.mpp) for one in made.store.slides()}
    places[lost.slide] = (made.root / "nowhere.svs", lost.mpp)
    inputs = Inputs(
        made.protocol,
        slides=SLIDES.from_rows([slide_row(one) for one in made.store.slides()]),
        annotations=ANNOTATIONS.from_rows([row("a", image=lost.slide)]),
    )
    seen = check_pixels.look_at(check_pixels.order_of(None, [rule], inputs, places))
    subjects = {one.subject for one in seen.found["COR001"].findings}
    assert subjects == {f"slide {one.slide}" for one in others}
    assert [(name, codes) for name, (_, codes) in seen.unseen.items()] == [
        (lost.slide, ("COR001",))
    ]
    assert not seen.whole


def test_a_child_that_dies_takes_its_rule_along_and_no_other(made, monkeypatch) -> None:
    order = check_pixels.Order("s1", ("SYN001", "SYN002"), made.protocol, {}, {}, {})
    outcomes = iter([("SYN002", "killed"), (None, None)])

    def children(tasks, *_):
        for task in tasks:
            stage, kind = next(outcomes)
            failure = kind and Failure(kind, stage, "the reading process died")
            found = {code: check_pixels.Looked() for code in task.arguments[0].codes}
            value = None if failure else check_pixels.Seen(found)
            yield Outcome(task, value, failure)

    monkeypatch.setattr(check_pixels, "run_tasks", children)
    results = list(check_pixels.look_with_pixels(iter([order]), 1))
    assert [(sorted(seen.found), seen.whole) for _, seen in results] == [
        ([], False),
        (["SYN001"], True),
    ]
    assert results[0][1].unseen["s1"] == ("the reading process died (stage: SYN002)", ("SYN002",))


def test_watching_sees_every_change(made) -> None:
    seen = changes(made.root, seconds=0)
    assert next(seen).root == made.root
    check_project(made, SYNTAX)
    edit(made, "a", labels=["stroma"])
    assert next(seen).root == made.root
    path = made.root / "curatome.toml"
    sound = path.read_text()
    path.write_text("[dataset\n")
    assert isinstance(next(seen), CuratomeError)
    path.write_text(sound + "[check]\nignore = ['SYN']\n")
    assert next(seen).protocol.check.ignore == ("SYN",)
    made.store.save_slide(entry("s9"), ())
    assert len(next(seen).store.slides()) == 4


def test_what_check_itself_writes_is_no_change(made) -> None:
    from curatome.workflows.check_watch import stamp

    before = stamp(made)
    check_project(made, SYNTAX)
    assert stamp(made) == before


def test_parts_that_a_rule_may_use(made, monkeypatch) -> None:
    """Pixels that are only used do not keep a rule from images without any."""
    seen = []
    rule = replace(
        rule_of("SYN006"),
        needs=("annotations",),
        uses=("pixels", "items"),
        look=lambda given: seen.append((given.pixels, len(given.items))) or (),
    )
    monkeypatch.setattr(checking, "chosen", lambda *_: (rule,))
    assert codes(check_project(made)) == []
    assert seen == [(None, 0), (None, 0)]
