"""`curatome import`, `sync` and `export`: what they say and how they end."""

import json

import pytest

RING = [[10, 10], [60, 10], [60, 70], [10, 60], [10, 10]]


def feature(number, label):
    return {
        "type": "Feature",
        "id": f"00000000-0000-4000-8000-{number:012d}",
        "geometry": {"type": "Polygon", "coordinates": [[[x + 90 * number, y] for x, y in RING]]},
        "properties": {"objectType": "annotation", "classification": {"name": label}},
    }


@pytest.fixture
def exported(run, here, sound):
    """A project with a slide, and an export about it with another name for a class."""
    run("add", "slides")
    path = here / "sound.geojson"
    path.write_text(json.dumps([feature(1, "Tumour")]))
    return path


def test_a_sync_takes_the_options_of_the_import_and_tells_what_it_did(run, exported):
    done = run("import", exported, "--reader", "ann", "--class", "Tumour=tumor")
    assert (done.code, done.out.splitlines()[-1]) == (0, "Recorded 1 annotation of 1 file.")
    again = run("sync", exported)
    assert again.code == 0
    assert "as at its import: --reader ann, --class Tumour=tumor" in again.out
    assert again.out.splitlines()[-1] == "Nothing has changed in 1 file."
    exported.write_text(json.dumps([feature(1, "Tumour"), feature(2, "Tumour")]))
    more = run("sync", exported)
    assert more.out.splitlines()[-1] == "Merged 1 file: 1 new, 0 changed, 0 gone."
    held = run("annotations", "--json").json
    assert (held["labels"], held["readers"]) == ({"tumor": 2}, {"ann": 2})


def test_what_is_refused_is_not_called_recorded(run, exported):
    run("import", exported)
    refused = run("import", exported)
    assert (refused.code, refused.out.splitlines()[-1]) == (2, "Nothing was recorded.")
    assert "was imported before" in refused.out


def test_an_export_tells_of_regions_that_it_carries_and_of_those_it_cannot(run, here, exported):
    run("import", exported)
    run("annotations", "exhaustive", "Tumour", "--slide", "sound.svs")
    kept = run("export", "out.json", "--format", "coco")
    assert (kept.code, "With 1 exhaustively annotated region." in kept.out) == (0, True)
    lost = run("export", "out.csv", "--format", "csv")
    assert lost.code == 1
    assert "exhaustive, 1 region: CSV cannot say where all of Tumour is annotated" in lost.out
    assert run("export", "out", "--format", "foo").err.count("Use one of qupath, coco") == 1
