from datetime import date
from pathlib import Path

import pytest

from curatome.errors import TableError
from curatome.protocol import CASE_FIELDS, SLIDE_FIELDS, Field
from curatome.slides.sheets import SlideRow, match_rows, read_case_table, read_slide_table
from curatome.units import Mpp

CASES = {
    **CASE_FIELDS,
    "grade": Field(type="category", values=("G1", "G2")),
    "surgery": Field(type="date"),
}


def sheet(tmp_path, text, name="slides.csv", encoding="utf-8"):
    path = tmp_path / name
    path.write_bytes(text.encode(encoding))
    return path


def slides(tmp_path, text, **options):
    return read_slide_table(sheet(tmp_path, text, **options), SLIDE_FIELDS)


@pytest.mark.parametrize("mark", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_delimiters_and_byte_order_mark(tmp_path, mark, encoding):
    lines = [" Slide ,CASE,Stain,MPP", "a.svs,C1,H&E,0.25", 'b.svs,C2,"HER2 é",']
    text = "\r\n".join(lines).replace(",", mark)
    path = sheet(tmp_path, text, encoding=encoding)
    assert read_slide_table(path, SLIDE_FIELDS) == [
        SlideRow(path, 2, "a.svs", Mpp(0.25, 0.25, "table"), {"case": "C1", "stain": "H&E"}, True),
        SlideRow(path, 3, "b.svs", None, {"case": "C2", "stain": "HER2 é"}, True),
    ]


def test_empty_cells_blank_rows_and_short_rows_are_missing_values(tmp_path):
    rows = slides(tmp_path, "slide,case,site\na.svs,,\n,,\n\nb.svs\n")
    assert [(r.row, r.slide, dict(r.values)) for r in rows] == [
        (2, "a.svs", {"case": None, "site": None}),
        (5, "b.svs", {"case": None, "site": None}),
    ]


def test_a_line_break_within_quotes_does_not_shift_the_row_numbers(tmp_path):
    rows = slides(tmp_path, 'slide,site\na.svs,"one\ntwo"\nb.svs,x\n')
    assert [(r.row, r.values["site"]) for r in rows] == [(2, "one\ntwo"), (3, "x")]


def test_two_axes(tmp_path):
    (row,) = slides(tmp_path, "file,mpp_x,mpp_y\na.svs,0.25,0.26\n")
    assert row.mpp == Mpp(0.25, 0.26, "table")
    assert dict(row.values) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("slide,mpp\na,0.25\nb,0.0\n", r"slides\.csv row 3: mpp must be positive\. Got 0\.0"),
        ("slide,mpp\na,-1\n", "row 2: mpp must be positive"),
        ("slide,mpp\na,nan\n", "row 2: .*number"),
        ('slide,mpp\na,"0,25"\n', "row 2: .*with a point for the decimals"),
        ("slide,mpp_x\na,1\n", "there is mpp_x alone"),
        ("slide,mpp,mpp_x,mpp_y\na,1,1,1\n", "Keep one of the two"),
        ("slide,mpp_x,mpp_y\na,1,\n", "row 2: one of mpp_x and mpp_y is empty"),
        ("case,site\nC1,X\n", 'row 1: there is no column "slide". There are: case, site'),
        ("slide,scaner\na,x\n", r'"scaner" is not known \(did you mean "scanner"\?\)'),
        ("slide,her2\na,x\n", r'\[cohort\.fields\.her2\] with table = "slides"'),
        ("slide,site,Site\na,x,y\n", 'the column "site" is there twice'),
        ("slide,site\na,x\nb,y\na,z\n", r'row 4: "a" is in row 2 already'),
        ("slide,site\n,x\n", 'row 2: the column "slide" is empty'),
        ("slide,site\na,x,y\n", "row 2: it has 3 cells, the header 2"),
        ("slide,\na,x\n", 'row 2: "x" stands in a column without a name'),
        ("", "names of the columns are missing"),
        ("\n\nslide\n", "names of the columns are missing"),
    ],
)
def test_what_is_wrong_is_named_with_its_row(tmp_path, text, message):
    with pytest.raises(TableError, match=message):
        slides(tmp_path, text)


def test_all_problems_are_listed_at_once(tmp_path):
    text = "slide,mpp\n" + "".join(f"s{n},0\n" for n in range(15))
    with pytest.raises(TableError) as caught:
        slides(tmp_path, text)
    lines = str(caught.value).splitlines()
    assert len(lines) == 11
    assert lines[9].startswith("slides.csv row 11:")
    assert lines[10] == "… and 5 more."


def test_files_that_are_no_table(tmp_path):
    with pytest.raises(TableError, match=r"not UTF-8 text \(byte 9\).*CSV UTF-8"):
        slides(tmp_path, "slide,caf\xe9\n", encoding="latin-1", name="l.csv")
    with pytest.raises(TableError, match="cannot be read: No such file"):
        read_slide_table(tmp_path / "none.csv", SLIDE_FIELDS)


def test_cases(tmp_path):
    path = sheet(tmp_path, "Case;Age;Grade;surgery\nC1;61.5;G2;2024-05-31\nC2;;;\n", "cases.csv")
    one, two = read_case_table(path, CASES)
    assert (one.case, one.row) == ("C1", 2)
    assert dict(one.values) == {"age": 61.5, "grade": "G2", "surgery": date(2024, 5, 31)}
    assert set(two.values.values()) == {None}
    bad = sheet(tmp_path, "case,grade\nC1,G3\n", "cases.csv")
    with pytest.raises(TableError, match=r'cases\.csv row 2: column "grade" must be one of G1, G2'):
        read_case_table(bad, CASES)
    unknown = sheet(tmp_path, "case,her2\nC1,1\n", "cases.csv")
    with pytest.raises(TableError, match=r'\[cohort\.fields\.her2\] with table = "cases"'):
        read_case_table(unknown, CASES)


def test_a_required_field_must_have_its_column(tmp_path):
    path = sheet(tmp_path, "slide\na.svs\n")
    fields = {**SLIDE_FIELDS, "case": Field(table="slides", required=True)}
    with pytest.raises(TableError, match='the required column "case" is missing'):
        read_slide_table(path, fields)


def row(slide, number=2):
    return SlideRow(Path("/data/slides.csv"), number, slide)


PATHS = [
    Path("/data/a/one.svs"),
    Path("/data/b/one.svs"),
    Path("/data/b/two.ome.tif"),
    Path("/else/three.svs"),
]


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("a/one.svs", 0),
        ("./b/one.svs", 1),
        ("b\\one.svs", 1),
        ("/data/b/one.svs", 1),
        ("../else/three.svs", 3),
        ("two.ome.tif", 2),
        ("two.ome", 2),
        ("two", 2),
        ("three.svs", 3),
        ("three", 3),
    ],
)
def test_rows_find_their_slides(written, path):
    matches, findings = match_rows([row(written)], PATHS)
    assert matches == {PATHS[path]: row(written)}
    assert findings == []


@pytest.mark.parametrize("written", ["one.svs", "one"])
def test_an_ambiguous_name_is_an_error(written):
    with pytest.raises(TableError, match=r"slides\.csv row 2: .* fits 2 slides, /data/a/one\.svs"):
        match_rows([row(written)], PATHS)


def test_two_rows_about_one_slide_are_an_error():
    with pytest.raises(TableError, match=r"row 3 is about .*three\.svs, as is slides\.csv row 2"):
        match_rows([row("three"), row("three.svs", 3)], PATHS)


def test_a_row_about_no_slide_is_a_warning():
    matches, findings = match_rows([row("four.svs", 7), row("two", 8)], PATHS)
    assert list(matches) == [PATHS[2]]
    assert [(f.code, str(f.severity)) for f in findings] == [("ACQ013", "warning")]
    assert 'slides.csv row 7: no slide is called "four.svs"' in findings[0].message
    # Inserting a row above does not make it another finding.
    assert match_rows([row("four.svs", 9)], PATHS)[1][0].fingerprint == findings[0].fingerprint
