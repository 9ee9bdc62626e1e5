"""`curatome add`."""

import shutil

from tests.workflows.made import slide


def states(result):
    return {entry["path"]: entry["state"] for entry in result.json["slides"]}


def codes(result):
    return sorted(finding["code"] for finding in result.json["findings"])


def test_a_sound_slide_is_clean(run, sound):
    result = run("add", "slides", "--json")
    assert result.code == 0
    assert result.err == ""
    (entry,) = result.json["slides"]
    assert (entry["path"], entry["state"]) == ("slides/sound.svs", "ready")
    assert (entry["width"], entry["height"]) == (960, 800)
    assert entry["mpp"] == {"x": 0.5, "y": 0.5, "source": "file"}
    assert (result.json["added"], result.json["known"]) == (1, 0)
    again = run("add", "slides/*.svs", "--json")
    assert (again.code, again.json["added"], again.json["known"]) == (0, 0, 1)


def test_findings_exit_with_1_and_the_others_are_added(run, sound, unscaled, broken):
    result = run("add", "slides", "--json")
    assert result.code == 1
    assert states(result) == {
        "slides/broken.svs": "unreadable",
        "slides/sound.svs": "ready",
        "slides/unscaled.png": "held",
    }
    assert codes(result) == ["ACQ001", "ACQ002"]
    assert all(len(finding["fingerprint"]) == 16 for finding in result.json["findings"])


def test_what_is_printed(run, sound, unscaled):
    result = run("add", "slides")
    assert "2 slides added: 1 held, 1 ready." in result.out
    assert "ACQ002 unscaled.png has no µm per pixel" in result.out
    assert "curatome slides set-mpp unscaled.png" in result.out
    assert "Next: curatome status" in result.out
    again = run("add", "slides/sound.svs")
    assert again.out == "No new slide, 1 known before: 1 ready.\nNext: curatome build\n"


def test_progress_is_lines_on_stderr(run, sound):
    result = run("add", "slides")
    lines = result.err.splitlines()
    assert lines[0] == "reading slides: 1 slides" or lines[0] == "reading slides: 1 slide"
    assert "1 of 1" in lines[-1]
    assert "reading" not in result.out


def test_copies_are_one_slide(run, sound):
    shutil.copy(sound, sound.with_name("copy.svs"))
    result = run("add", "slides", "--json")
    assert (result.code, result.json["added"], codes(result)) == (1, 1, ["ACQ005"])


def test_tables_declare_slides_and_cases(run, here, sound, unscaled):
    (here / "slides.csv").write_text(
        "slide,case,site,mpp\nsound.svs,C1,Bern,\nunscaled,C2,Ulm,0.25\n"
    )
    (here / "cases.csv").write_text("case,age,sex\nC1,55,female\nC2,61,male\n")
    result = run("add", "slides", "--slides", "slides.csv", "--cases", "cases.csv", "--json")
    assert result.code == 0
    by_path = {entry["path"]: entry for entry in result.json["slides"]}
    assert by_path["slides/sound.svs"]["declared"] == {"case": "C1", "site": "Bern"}
    assert by_path["slides/unscaled.png"]["mpp"] == {"x": 0.25, "y": 0.25, "source": "table"}
    again = run("add", "slides", "--slides", "slides.csv", "--json")
    assert (again.code, again.json["known"]) == (0, 2)


def test_a_table_without_paths_declares_known_slides(run, here, sound):
    run("add", "slides")
    (here / "t.csv").write_text("slide,case\nsound,C7\n")
    result = run("add", "--slides", "t.csv", "--json")
    assert [entry["declared"]["case"] for entry in result.json["slides"]] == ["C7"]


def test_a_broken_table_is_refused_with_its_rows_and_nothing_is_added(run, here, sound):
    (here / "t.csv").write_text("slide,case,mpp\nsound.svs,C1,abc\n\nother,C2,0\n")
    result = run("add", "slides", "--slides", "t.csv")
    assert (result.code, result.out) == (2, "")
    assert 't.csv row 2: column "mpp" must be a number. Got "abc".' in result.err
    assert "t.csv row 4: mpp must be positive. Got 0.0." in result.err
    assert run("slides", "--json").json["slides"] == []


def test_an_unknown_column_is_refused_with_what_to_do(run, here, sound):
    (here / "t.csv").write_text("slide,grade\nsound.svs,G1\n")
    result = run("add", "slides", "--slides", "t.csv")
    assert result.code == 2
    assert "[cohort.fields.grade]" in result.err


def test_a_row_about_no_slide(run, here, sound):
    (here / "t.csv").write_text("slide,case\nsound,C1\nnowhere.svs,C2\n")
    result = run("add", "slides", "--slides", "t.csv", "--json")
    assert (result.code, codes(result)) == (1, ["ACQ013"])
    assert result.json["findings"][0]["evidence"] == {"row": 3, "slide": "nowhere.svs"}


def test_what_is_not_there(run, here):
    assert "no slide at nothere: there is no such file or folder" in run("add", "nothere").err
    assert "no slide at slides" in run("add", "slides").err
    assert "nothing matches" in run("add", "*.ndpi").err
    assert "t.csv" in run("add", "--slides", "t.csv").err
    nothing = run("add")
    assert (nothing.code, nothing.out) == (2, "")
    assert "nothing to add" in nothing.err


def test_from_a_subfolder_and_by_option(run, here, sound, tmp_path, monkeypatch):
    monkeypatch.chdir(here / "slides")
    assert list(states(run("add", "sound.svs", "--json"))) == ["slides/sound.svs"]
    elsewhere = slide(tmp_path / "far" / "other.svs", 3, (960, 800))
    monkeypatch.chdir("/")
    result = run("add", elsewhere, "--project", here, "--json")
    assert list(states(result)) == ["far/other.svs"]
