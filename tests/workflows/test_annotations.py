"""Annotations into a project and out again: whole or not at all, never doubled, nothing silent."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import shapely

from curatome.annotations.store import Act
from curatome.errors import AnnotationError
from curatome.project import Project, create_project
from curatome.workflows.add import add_slides
from curatome.workflows.annotation_check import (
    annotation_store,
    check_annotations,
    repair_annotations,
)
from curatome.workflows.annotation_export import Selection, export_annotations, write_losses
from curatome.workflows.annotations import (
    Wishes,
    import_files,
    slide_about,
)
from tests.workflows.made import slide

TEXT = """\
[dataset]
title = "t"
[guideline]
version = "7"
[[classes]]
name = "tumor"
[[classes]]
name = "stroma"
[[scales]]
name = "A"
mpp = 1.0
side_px = 256
"""


@pytest.fixture(scope="module")
def slides(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("slides")
    slide(folder / "S1.svs", 1)
    slide(folder / "S12.svs", 2)
    return folder


@pytest.fixture
def project(tmp_path: Path, slides: Path) -> Project:
    made = create_project(tmp_path / "project", TEXT)
    add_slides(made, [slides])
    return made


def feature(number: int, label: str, side: float = 50.0) -> dict[str, object]:
    x, y = 100.0 * number, 40.0
    ring = [[x, y], [x + side, y], [x + side, y + side], [x, y + side], [x, y]]
    return {
        "type": "Feature",
        "id": f"00000000-0000-4000-8000-{number:012d}",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {"objectType": "annotation", "classification": {"name": label}},
    }


def qupath(path: Path, *features: dict[str, object]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"type": "FeatureCollection", "features": list(features)}))
    return path


def held(project: Project) -> list[dict[str, object]]:
    with annotation_store(project) as store:
        return store.current().to_pylist()


def test_a_folder_is_imported_file_by_file(project: Project, tmp_path: Path) -> None:
    folder = tmp_path / "exports"
    qupath(folder / "S1.geojson", feature(1, "tumor"), feature(2, "Tumor"))
    qupath(folder / "S12_ann.geojson", feature(3, "stroma"))
    (folder / ".DS_Store").write_bytes(b"\0\1")
    one, two = import_files(project, [folder], Wishes(reader="joe"))
    assert (one.error, two.error) == ("", "")
    assert dict(one.images) == {"S1.svs": 2}
    assert dict(two.images) == {"S12.svs": 1}
    assert one.unknown == ("Tumor",)
    assert one.similar == {"Tumor": "tumor"}
    rows = held(project)
    assert {(row["reader"], row["guideline"], row["basis"]) for row in rows} == {
        ("joe", "7", "imported")
    }
    names = {entry.slide: entry.name for entry in project.store.slides()}
    assert sorted(names[str(row["image"])] for row in rows) == ["S1.svs", "S1.svs", "S12.svs"]


def test_a_broken_file_is_refused_and_the_others_are_not(project: Project, tmp_path: Path) -> None:
    folder = tmp_path / "exports"
    whole = qupath(folder / "S1.geojson", feature(1, "tumor"))
    (folder / "S12.geojson").write_bytes(whole.read_bytes()[:-30])
    good, bad = import_files(project, [folder])
    assert good.batch is not None
    assert bad.batch is None
    assert "S12.geojson" in bad.error
    assert len(held(project)) == 1


def test_a_second_import_is_refused_and_sync_brings_up_to_date(
    project: Project, tmp_path: Path
) -> None:
    file = qupath(tmp_path / "S1.geojson", feature(1, "tumor"), feature(2, "tumor"))
    import_files(project, [file])
    (again,) = import_files(project, [file])
    assert "was imported before" in again.error
    assert "curatome sync" in again.error
    (same,) = import_files(project, [file], merge=True)
    assert same.sync is not None
    assert (same.sync.unchanged, same.sync.batch) == (2, None)
    qupath(file, feature(2, "stroma"), feature(3, "tumor"))
    (changed,) = import_files(project, [file], merge=True)
    assert changed.sync is not None
    assert (changed.sync.created, changed.sync.edited, changed.sync.deleted) == (1, 1, 1)
    assert sorted(str(row["labels"]) for row in held(project)) == ["['stroma']", "['tumor']"]


def test_a_file_that_names_no_slide_asks_which(project: Project, tmp_path: Path) -> None:
    file = qupath(tmp_path / "joe.geojson", feature(1, "tumor"))
    (asked,) = import_files(project, [file])
    assert "--image SLIDE" in asked.error
    assert not held(project)
    (told,) = import_files(project, [file], Wishes(image="S12"))
    assert dict(told.images) == {"S12.svs": 1}


def test_classes_are_renamed_on_the_way_in(project: Project, tmp_path: Path) -> None:
    file = qupath(tmp_path / "S1.geojson", feature(1, "Tumour"), feature(2, "stroma"))
    (one,) = import_files(project, [file], Wishes(classes={"Tumour": "tumor"}))
    assert one.unknown == ()
    assert sorted(row["labels"] for row in held(project)) == [["stroma"], ["tumor"]]


def test_what_has_no_class_is_given_one(project: Project, tmp_path: Path) -> None:
    bare = {**feature(1, ""), "properties": {"objectType": "annotation"}}
    file = qupath(tmp_path / "S1.geojson", bare, feature(2, "stroma"))
    (one,) = import_files(project, [file], Wishes(classes={"": "nucleus"}))
    assert dict(one.labels) == {"nucleus": 1, "stroma": 1}
    assert sorted(row["labels"] for row in held(project)) == [["nucleus"], ["stroma"]]
    (again,) = import_files(project, [file], merge=True)
    assert "--class =nucleus" in again.again
    assert sorted(row["labels"] for row in held(project)) == [["nucleus"], ["stroma"]]


def test_a_dry_run_records_nothing(project: Project, tmp_path: Path) -> None:
    file = qupath(tmp_path / "S1.geojson", feature(1, "tumor"))
    (one,) = import_files(project, [file], Wishes(dry_run=True))
    assert one.batch is None
    assert dict(one.labels) == {"tumor": 1}
    assert not held(project)


def test_a_guideline_that_never_was_is_refused(project: Project, tmp_path: Path) -> None:
    file = qupath(tmp_path / "S1.geojson", feature(1, "tumor"))
    with pytest.raises(AnnotationError, match='never had a version "6"'):
        import_files(project, [file], Wishes(guideline="6"))


@pytest.mark.parametrize(
    ("name", "about"),
    [
        ("S1.geojson", "S1.svs"),
        ("S1.svs.ndpa", "S1.svs"),
        ("S1_joe.xml", "S1.svs"),
        ("S12 read 2.xml", "S12.svs"),
        ("S123.xml", None),
        ("joe_S1.xml", None),
    ],
)
def test_a_file_is_about_the_slide_that_its_name_begins_with(
    project: Project, name: str, about: str | None
) -> None:
    entry = slide_about(Path(name), project.store.slides())
    assert (entry.name if entry else None) == about


def test_what_is_exported_is_imported_as_it_was(project: Project, tmp_path: Path) -> None:
    qupath(tmp_path / "in" / "S1.geojson", feature(1, "tumor"))
    qupath(tmp_path / "in" / "S12.geojson", feature(2, "stroma"))
    import_files(project, [tmp_path / "in"], Wishes(reader="joe"))
    result = export_annotations(project, tmp_path / "out", "qupath")
    assert {path.name for path in result.files} == {"S1.geojson", "S12.geojson"}
    (before, after) = (
        sorted(json.loads((tmp_path / at / "S1.geojson").read_text())["features"], key=str)
        for at in ("in", "out")
    )
    assert before[0]["geometry"] == after[0]["geometry"]
    assert before[0]["id"] == after[0]["id"]
    # And merging one's own export again changes nothing.
    source = tmp_path / "in" / "S1.geojson"
    source.write_bytes((tmp_path / "out" / "S1.geojson").read_bytes())
    (one,) = import_files(project, [source], Wishes(reader="joe"), merge=True)
    assert one.sync is not None
    assert (one.sync.created, one.sync.edited, one.sync.deleted) == (0, 0, 0)


def test_an_export_is_of_what_was_asked_for(project: Project, tmp_path: Path) -> None:
    file = qupath(tmp_path / "S1.geojson", feature(1, "tumor"), feature(2, "stroma"))
    import_files(project, [file], Wishes(reader="joe"))
    with annotation_store(project) as store:
        head = store.head()
        (batch,) = store.batches()
        store.undo(batch.batch, Act())
    with pytest.raises(AnnotationError, match="no annotation fits"):
        export_annotations(project, tmp_path / "now.geojson", "qupath")
    then = Selection(labels=("stroma",), readers=("joe",), images=("S1",), at=head)
    result = export_annotations(project, tmp_path / "then.geojson", "qupath", then)
    assert sum(result.files.values()) == 1
    write_losses(tmp_path / "lost.csv", result.losses)
    assert (tmp_path / "lost.csv").read_text().startswith("annotation,field,reason\n")


def test_one_file_of_several_images_is_refused_where_it_cannot_be(
    project: Project, tmp_path: Path
) -> None:
    qupath(tmp_path / "in" / "S1.geojson", feature(1, "tumor"))
    qupath(tmp_path / "in" / "S12.geojson", feature(2, "stroma"))
    import_files(project, [tmp_path / "in"])
    with pytest.raises(AnnotationError, match="Name a folder"):
        export_annotations(project, tmp_path / "out.geojson", "qupath")


def test_copies_of_the_same_proposals_get_ids_of_their_own_when_asked(
    project: Project, tmp_path: Path
) -> None:
    ann = qupath(tmp_path / "ann" / "S1.geojson", feature(1, "tumor"), feature(2, "tumor"))
    joe = qupath(tmp_path / "joe" / "S1.geojson", feature(1, "stroma"), feature(3, "tumor"))
    import_files(project, [ann], Wishes(reader="ann"))
    (refused,) = import_files(project, [joe], Wishes(reader="joe"))
    assert "1 of its annotations are in the project already" in refused.error
    wishes = Wishes(reader="joe", new_ids=True)
    (done,) = import_files(project, [joe], wishes)
    assert done.error == ""
    rows = held(project)
    assert sorted((row["reader"], row["labels"]) for row in rows) == [
        ("ann", ["tumor"]), ("ann", ["tumor"]), ("joe", ["stroma"]), ("joe", ["tumor"]),
    ]  # fmt: skip
    # The same file again finds its own copies, and leaves those of the other reader alone.
    qupath(joe, feature(1, "tumor"), feature(3, "tumor"))
    (again,) = import_files(project, [joe], Wishes(reader="joe"), merge=True)
    assert again.sync is not None
    assert (again.sync.created, again.sync.edited, again.sync.unchanged) == (0, 1, 1)


def test_a_file_that_is_none_is_passed_over_in_a_folder_only(
    project: Project, tmp_path: Path
) -> None:
    qupath(tmp_path / "in" / "S1.geojson", feature(1, "tumor"))
    note = tmp_path / "in" / "README"
    note.write_text("read me")
    skipped, done = import_files(project, [tmp_path / "in"])
    assert (skipped.passed_over, skipped.error) == (True, "")
    assert done.batch is not None
    (named,) = import_files(project, [note])
    assert 'it begins with "read me"' in named.error


def test_what_is_wrong_with_shapes_is_told_kept_and_mended_on_request(
    project: Project, tmp_path: Path
) -> None:
    eight = feature(1, "tumor")
    ring = [[100, 100], [200, 200], [200, 100], [100, 200], [100, 100]]
    eight["geometry"] = {"type": "Polygon", "coordinates": [ring]}
    far = feature(90, "tumor")
    file = qupath(tmp_path / "S1.geojson", eight, far)
    (one,) = import_files(project, [file])
    assert one.read is not None
    assert {"SYN004", "SYN007"} <= set(one.read.counts)
    codes = {finding.code for finding in project.store.findings()}
    assert {"SYN004", "SYN007"} <= codes
    dry = repair_annotations(project, ["SYN004"], dry_run=True)
    assert (len(dry.repairs), dry.batch) == (1, None)
    done = repair_annotations(project, ["SYN004"], reader="ann")
    assert done.batch is not None
    assert "SYN004" not in {finding.code for finding in project.store.findings()}
    shapes = {row["annotation"]: shapely.from_wkb(row["geometry"]) for row in held(project)}
    assert shapes[str(eight["id"])].is_valid
    with annotation_store(project) as store:
        store.undo(done.batch.batch, Act())
    assert "SYN004" in check_annotations(project).counts
    with pytest.raises(AnnotationError, match="SYN007 cannot be mended without a person"):
        repair_annotations(project, ["SYN007"])


def test_sync_remembers_how_its_source_was_imported(project: Project, tmp_path: Path) -> None:
    file = qupath(tmp_path / "in" / "a.geojson", feature(1, "Tumour"))
    wishes = Wishes(reader="joe", read=2, image="S12", classes={"Tumour": "tumor"})
    import_files(project, [file], wishes)
    before = held(project)
    qupath(file, feature(1, "Tumour"), feature(2, "Tumour"))
    (one,) = import_files(project, [file], merge=True)
    assert one.sync is not None
    assert (one.sync.created, one.sync.unchanged, one.sync.edited) == (1, 1, 0)
    assert one.again == ("--reader joe", "--read 2", "--image S12", "--class Tumour=tumor")
    first, second = held(project)
    assert first == before[0]
    shared = ("image", "reader", "read", "labels")
    assert [second[name] for name in shared] == [first[name] for name in shared]
    # What is said now goes before, and is what the next sync remembers.
    (one,) = import_files(project, [file], Wishes(reader="eve"), merge=True)
    assert one.again == ("--read 2", "--image S12", "--class Tumour=tumor")
    assert {row["reader"] for row in held(project)} == {"eve"}
    (one,) = import_files(project, [file], merge=True)
    assert one.again[0] == "--reader eve"


def test_sync_remembers_what_was_assumed_of_a_doubt(project: Project, tmp_path: Path) -> None:
    boxes = [[10.0 * n, 20.0, 10.0 * n + 300, 400.0] for n in range(100, 125)]
    images = [{"id": 1, "file_name": "S1.svs", "width": 1600, "height": 1200}]

    def coco(boxes: list[list[float]]) -> Path:
        rows = [
            {"id": n, "image_id": 1, "category_id": 1, "bbox": box} for n, box in enumerate(boxes)
        ]
        classes = [{"id": 1, "name": "tumor"}]
        value = {"images": images, "categories": classes, "annotations": rows}
        (tmp_path / "a.json").write_text(json.dumps(value))
        return tmp_path / "a.json"

    (one,) = import_files(project, [coco(boxes)], Wishes(yes=True))
    assert one.batch is not None
    (one,) = import_files(project, [coco(boxes[:-1])], merge=True)
    assert one.again == ("--box x1y1x2y2",)
    assert one.sync is not None
    assert (one.sync.unchanged, one.sync.deleted, one.sync.edited) == (24, 1, 0)
