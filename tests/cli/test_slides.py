"""`curatome slides`, `curatome slides set-mpp` and `curatome slides remove`."""

import pyarrow.parquet as pq
import pytest

from tests.workflows.made import slide


@pytest.fixture
def three(run, here):
    for name, seed in (("a1.svs", 1), ("a12.svs", 2), ("b [x] 1.svs", 3)):
        slide(here / "slides" / name, seed, (960, 800))
    run("add", "slides")
    return {entry["path"]: entry for entry in run("slides", "--json").json["slides"]}


def named(run):
    found = run("slides", "--json").json["slides"]
    return [{**entry, "name": entry["path"].rpartition("/")[2]} for entry in found]


def set_to(run, name, *mpp):
    result = run("slides", "set-mpp", name, *mpp, "--json")
    if result.code:
        return result
    (entry,) = result.json["slides"]
    return entry["path"].removeprefix("slides/"), entry["mpp"]


def test_the_list(run, three):
    lines = run("slides").out.splitlines()
    assert lines[0].split() == [
        "slide",
        "file",
        "state",
        "case",
        "site",
        "pixels",
        "scale",
        "scanner",
    ]
    assert [line.split()[1] for line in lines[1:3]] == ["a1.svs", "a12.svs"]
    assert "b [x] 1.svs" in lines[3]
    assert "960 × 800" in lines[1]
    assert "0.5 µm/px (file)" in lines[1]


def test_an_empty_list_says_what_to_do(run, here):
    result = run("slides")
    assert (result.code, result.out) == (0, "No slides yet. Next: curatome add PATH…\n")


@pytest.mark.parametrize("name", ["a1", "a1.svs", "slides/a1.svs"])
def test_a_whole_name_goes_before_a_beginning(run, three, name):
    assert set_to(run, name, 0.45) == ("a1.svs", {"x": 0.45, "y": 0.45, "source": "user"})


def test_beginnings_of_names_and_ids(run, three):
    assert set_to(run, "a12", 0.45)[0] == "a12.svs"
    assert set_to(run, "b", 0.45)[0] == "b [x] 1.svs"
    slide_id = three["slides/a12.svs"]["slide"]
    assert set_to(run, slide_id[:8], 0.45)[0] == "a12.svs"


def test_an_ambiguous_name_changes_nothing(run, three):
    result = set_to(run, "a", 0.25)
    assert (result.code, result.out) == (2, "")
    assert '"a" fits 2 slides' in result.err
    assert three["slides/a1.svs"]["slide"][:8] + " a1.svs" in result.err
    assert all(entry["mpp"]["source"] == "file" for entry in run("slides", "--json").json["slides"])


def test_an_unknown_name(run, three):
    result = set_to(run, "a2.svs", 0.25)
    assert result.code == 2
    assert 'no slide is called "a2.svs". Did you mean "a1' in result.err


def test_two_numbers_are_x_and_y(run, three):
    result = run("slides", "set-mpp", "a12", 0.45, 0.46, "--json")
    assert result.json["slides"][0]["mpp"] == {"x": 0.45, "y": 0.46, "source": "user"}
    assert [finding["code"] for finding in result.json["findings"]] == ["ACQ012"]
    assert result.code == 0


@pytest.mark.parametrize("mpp", ["0", "inf", "nan"])
def test_no_scale_is_refused(run, three, mpp):
    result = set_to(run, "a12", mpp)
    assert result.code == 2
    assert "mpp must be positive" in result.err


def test_a_held_slide_becomes_ready(run, unscaled):
    assert run("add", "slides").code == 1
    result = run("slides", "set-mpp", "unscaled", 0.5)
    assert (result.code, result.out) == (
        0,
        "unscaled.png: 0.5 µm/px (user), ready.\nNext: curatome build\n",
    )
    assert run("status", "--json").json["findings"] == []


def test_a_scale_that_was_set_can_be_taken_back(run, unscaled):
    run("add", "slides")
    run("slides", "set-mpp", "unscaled", 0.5)
    back = run("slides", "set-mpp", "unscaled", "--unset")
    assert back.code == 1
    assert "ACQ002" in back.out
    assert back.out.endswith("unscaled.png: no scale, held.\n")
    assert [f["code"] for f in run("status", "--json").json["findings"]] == ["ACQ002"]
    assert run("slides", "set-mpp", "unscaled", 0.5).code == 0


def test_unset_gives_way_to_the_file(run, three):
    set_to(run, "a12", 0.45)
    assert set_to(run, "a12", "--unset") == ("a12.svs", {"x": 0.5, "y": 0.5, "source": "file"})


@pytest.mark.parametrize("words", [(), (0.45, "--unset")])
def test_a_scale_or_unset_must_be_said_and_not_both(run, three, words):
    result = run("slides", "set-mpp", "a12", *words)
    assert result.code == 2
    assert "name a scale in µm per pixel, or --unset" in result.err


def test_slides_are_removed_with_their_findings_and_their_files_stay(run, unscaled, sound):
    run("add", "slides")
    result = run("slides", "remove", "unscaled")
    assert (result.code, result.out) == (0, "slides/unscaled.png is forgotten; the file stays.\n")
    assert unscaled.exists()
    assert [e["name"] for e in named(run)] == ["sound.svs"]
    assert run("status", "--json").json["findings"] == []
    assert run("add", "slides", "--json").json["added"] == 1


def test_a_removed_slide_is_not_in_the_next_build(run, three, here):
    run("build")
    gone = three["slides/a1.svs"]["slide"]
    removed = run("slides", "remove", "a1.svs", gone[:8], "--json").json["removed"]
    assert [entry["slide"] for entry in removed] == [gone]
    assert run("build").code == 0
    assert gone not in pq.read_table(here / "build" / "tiles.parquet")["slide"].to_pylist()
    assert gone not in pq.read_table(here / "build" / "slides.parquet")["slide"].to_pylist()
    assert len(named(run)) == 2


def test_none_is_removed_if_one_is_unknown(run, three):
    assert run("slides", "remove", "a1.svs", "nobody").code == 2
    assert len(named(run)) == 3


def test_an_unreadable_slide_gets_no_scale(run, broken):
    run("add", "slides")
    result = run("slides", "set-mpp", "broken", 0.5)
    assert result.code == 2
    assert "broken.svs is unreadable" in result.err
