"""What is said about a file that is wrong, and on which line."""

from __future__ import annotations

from pathlib import Path

import pytest

from curatome.errors import ProtocolError
from curatome.protocol import load_protocol, parse_protocol


def _report(text: str) -> list[str]:
    with pytest.raises(ProtocolError) as caught:
        parse_protocol(text, "curatome.toml")
    return [line.removeprefix("curatome.toml line ") for line in str(caught.value).splitlines()]


D = '[dataset]\ntitle = "t"\n'  # two lines
S = '[[scales]]\nname = "L"\nmpp = 0.5\nside_px = 960\n'  # four lines


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (D + S + "stride = 3", '7: scales: unknown key "stride". Did you mean "stride_px"?'),
        (D + "[[classes]]\nname = 'a'\n[[classes]]\nname = 'A'", '6: classes.name: class "A" is'),
        (D + "[[classes]]\nname = 'a'\nparent = 'b'", '5: classes.parent: class "a": its parent'),
        (
            D + S + S.replace("L", "M").replace("960", "384") + "parent = 'L'",
            "11: scales.parent: scale M (384 px at 0.5 µm/px) does not nest in L (960 px at 0.5 "
            "µm/px): 960 is not a multiple of 384; use 320 or 480 px, or drop parent.",
        ),
        ("title = 't'\n" + D, '1: unknown key "title". It belongs to dataset.'),
        (D + "[build]\nname = 1", '4: build: unknown key "name". It belongs to classes or scales.'),
        (D + "[reading]\nxyz = 1", '4: reading: unknown key "xyz". There are: readers_per_item, '),
        (D + "[[scales]]\nname = 'L'\nmpp = 1", '3: scales: the key "side_px" is missing.'),
        ("", '1: the table [dataset] is missing. It must hold at least title = "…".'),
        ("[dataset]\ntitle = ' '", '2: dataset.title: must not be empty. Got " ".'),
        (D + "task = 'detect'", '3: dataset.task: must be one of "detection", "segmentation", '),
        (D + "license = 4", '3: dataset.license: must be a text in quotes, "like this". Got 4.'),
        (D + "[scales]\nname = 'L'", "3: scales: must be tables, each under [[scales]]."),
        (D + "[build]\nquality = 9.5", "4: build.quality: must be a whole number"),
        (D + "[build]\nquality = true", "4: build.quality: must be a whole number, without"),
        (D + "[build]\nquality = 101", "4: build.quality: must be 100 or less. Got 101."),
        (D + "[tissue]\nmpp = 0", "4: tissue.mpp: must be above 0. Got 0."),
        (D + "[tissue]\nmpp = nan", "4: tissue.mpp: must be a finite number. Got nan."),
        (D + "[reading]\nblinded = 1", "4: reading.blinded: must be true or false, without qu"),
        (D + "[split]\nstratify = 'site'", "4: split.stratify: must be a list, [ … ]. Got"),
        (D + "[split]\nstratify = [\n'site',\n'sit']", '6: split.stratify: "sit" is not a field'),
        (D + "[split]\nfractions = {a = 1, b = 1}", "4: split.fractions: the fractions must sum"),
        (D + "[cohort.targets]\nage = 3", "4: cohort.targets.age: must be a table. Got 3."),
        (D + "[cohort.targets.sex]\nm = 'a'", "4: cohort.targets.sex.m: must be a whole number"),
        (
            D + "[cohort.fields.'']\n[cohort]\ntargets.'' = {}",
            '3: cohort.fields."": a key must not',
        ),
        (D + "[cohort.fields.x]\ntyp = 'text'", 'fields.x: unknown key "typ". Did you mean "type"'),
        (D + "[[gates]]\nmeasure = 'm'", '3: gates: gate "m" has no bound.'),
        (D + "[guideline]\nversion = 2", "4: guideline.version: must be a text in quotes"),
        (D + "[[classes]]\nname = 'a'\ncolor = 'red'", '5: classes.color: must be a color as "#rr'),
        (D + "[[scales]]\nname = 'a_b'\nmpp = 1\nside_px = 8", "4: scales.name: must be a letter"),
    ],
)
def test_problem_and_line(text: str, said: str) -> None:
    report = _report(text)
    assert said in report[0]


CHANGES = """[guideline]
version = "{version}"
[[guideline.changelog]]
version = "2"
date = 2025-02-01
change = "Look-alikes are marked."
[[guideline.changelog]]
version = "{other}"
date = "2025-01-01"
change = "First."
"""


def test_guideline_is_the_newest_of_its_changelog() -> None:
    protocol = parse_protocol(D + CHANGES.format(version="2", other="1"), "t")
    assert [entry.date.year for entry in protocol.guideline.changelog] == [2025, 2025]
    (report,) = _report(D + CHANGES.format(version="1", other="1"))
    assert report == (
        '4: guideline.version: guideline version "1" is not the newest of its changelog, which is '
        '"2" of 2025-02-01. Set version = "2", or add an entry.'
    )
    (report,) = _report(D + CHANGES.format(version="2", other="2"))
    assert report == '10: guideline.changelog.version: version "2" is there twice.'
    (report,) = _report(D + CHANGES.format(version="2", other="1").replace("2025-01-01", "1.1."))
    assert report.startswith("11: guideline.changelog.date: must be a date as year-month-day")


def test_all_problems_are_reported_in_the_order_of_the_file() -> None:
    report = _report(
        D
        + "zzz = 1\n[[classes]]\nname = 'a'\n[[classes]]\nname = 'a'\nzzz = 2\n"
        + S.replace("960", "3")
        + "[split]\nstratify = ['sitee']\n[[gates]]\nmeasure = 'm'\nmin = 1\nmax = 0\n"
    )
    assert [line.split(": ")[:2] for line in report] == [
        ["3", "dataset"],
        ["7", "classes.name"],
        ["8", "classes"],
        ["12", "scales.side_px"],
        ["17", "gates.min"],
    ]


def test_checks_between_tables_are_made_despite_a_superfluous_key() -> None:
    report = _report(D + "zzz = 1\n[split]\nstratify = ['sitee']\n")
    assert [line.split(": ")[:2] for line in report] == [["3", "dataset"], ["5", "split.stratify"]]


def test_a_misspelled_key_is_not_judged_by_its_default() -> None:
    small = S.replace("L", "M").replace("960", "384")
    (report,) = _report(D + S + small + "strid_px = 960\nparent = 'L'")
    assert report == '11: scales: unknown key "strid_px". Did you mean "stride_px"?'


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (D + "[build\n", "3: not valid TOML: Expected ']'"),
        (D + "x = \n", "3: not valid TOML: Invalid value."),
        (D + "title = 'u'\n", "3: not valid TOML: Cannot overwrite a value."),
        (D + "[a]\n\nx = '''\n\n", "5: not valid TOML: Expected"),
    ],
)
def test_syntax_errors_have_their_line(text: str, said: str) -> None:
    (report,) = _report(text)
    assert report.startswith(said)


def test_depth_is_refused_and_no_crash() -> None:
    with pytest.raises(ProtocolError, match="nest too deeply"):
        parse_protocol("a = " + "[" * 100_000, "t")


def test_a_file_is_read_with_or_without_its_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "curatome.toml"
    for mark in (b"", b"\xef\xbb\xbf"):
        path.write_bytes(mark + '[dataset]\r\ntitle = "Größe"\r\n'.encode())
        assert load_protocol(path).dataset.title == "Größe"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "curatome.toml"
    with pytest.raises(ProtocolError, match=r"does not exist\. Start one with `curatome init`"):
        load_protocol(path)
    path.write_bytes(D.encode() + b'license = "\xff"')
    with pytest.raises(ProtocolError, match=r"curatome\.toml line 3: not UTF-8 text"):
        load_protocol(path)
    with pytest.raises(ProtocolError, match="cannot be read"):
        load_protocol(tmp_path)
    path.write_text(D + "zzz = 1")
    with pytest.raises(ProtocolError, match=r"^curatome\.toml line 3: dataset: unknown key"):
        load_protocol(path)
