"""`curatome slides` and `curatome slides set-mpp`."""

import pytest

from tests.workflows.made import slide


@pytest.fixture
def three(run, here):
    for name, seed in (("a1.svs", 1), ("a12.svs", 2), ("b [x] 1.svs", 3)):
        slide(here / "slides" / name, seed, (960, 800))
    run("add", "slides")
    return {entry["path"]: entry for entry in run("slides", "--json").json["slides"]}


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


def test_an_unreadable_slide_gets_no_scale(run, broken):
    run("add", "slides")
    result = run("slides", "set-mpp", "broken", 0.5)
    assert result.code == 2
    assert "broken.svs is unreadable" in result.err
