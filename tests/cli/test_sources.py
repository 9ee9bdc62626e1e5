"""`curatome sources` from a copy on disk to regions."""

import pyarrow.parquet as pq
import pytest

from tests.sources.made import MAKERS, put


def test_the_registry_is_listed_and_shown(run):
    listed = run("sources", "--json").json["sources"]
    assert {"breakhis", "pcam", "mhist", "bach"} <= {source["name"] for source in listed}
    assert "breakhis" in run("sources").out
    shown = run("sources", "show", "breakhis")
    assert shown.code == 0
    assert "published   7,909 images" in shown.out
    assert "BreaKHis_40x: 1,995, L" in shown.out
    assert "cited       counts: http" in shown.out
    assert run("sources", "show", "breakhis", "--json").json["cites"][0]["for"] == ["counts"]
    missing = run("sources", "show", "breakhiss")
    assert missing.code == 2
    assert 'Did you mean "breakhis"?' in missing.err


def test_check_exits_with_1_where_counts_differ(run, tmp_path):
    root, *_ = MAKERS["lc25000"](tmp_path)
    result = run("sources", "check", root)
    assert result.code == 1
    assert "has the layout of lc25000" in result.out
    assert "-24,995" in result.out
    same = run("sources", "check", root, "--source", "lc25000", "--json")
    rows = {(row["kind"], row["name"]): row for row in same.json["rows"]}
    assert rows["class", "lung_scc"]["found"] == 1
    assert rows["class", "lung_scc"]["published"] == 5000
    assert run("sources", "check", tmp_path / "none").code == 2


def test_check_exits_with_0_where_all_is_there(run, tmp_path):
    text = 'name = "mine"\ntitle = "M"\ncounts = { total = 1 }\n[layout]\nadapter = "folders"\n'
    (tmp_path / "mine.toml").write_text(text + "pattern = '(?P<class>a)/[^/]+'\n")
    put(tmp_path / "d" / "a" / "1.png", 1)
    result = run("sources", "check", tmp_path / "d", "--source", tmp_path / "mine.toml")
    assert result.code == 0
    assert "All published counts are met." in result.out


def test_from_nothing_to_regions(run, here, tmp_path):
    root, *_ = MAKERS["mhist"](tmp_path / "copies")
    added = run("sources", "add", root, "--source", "mhist", "--json")
    assert (added.code, added.err) == (1, "")  # the counts differ, and it is added all the same
    assert added.json["images"] == 3
    folder = tmp_path / "copies" / "My Own Images"
    for name, seed in (("train/a/1", 1), ("train/b/2", 2), ("test/a/3", 1)):
        put(folder / f"{name}.png", seed)
    own = run("sources", "add", folder, "--adapter", "folders", "--mpp", "0.5")
    assert own.code == 1  # a duplicate on both sides of a split
    assert "SRC008" in own.out
    assert "my-own-images: 3 images added, 1 of them duplicates." in own.out
    built = run("sources", "build")
    assert built.code == 1  # what was found when they were added still stands
    assert "Made 5 regions" in built.out
    rows = pq.read_table(here / "build" / "regions.parquet").to_pylist()
    assert [(row["source"], row["class"], row["split"]) for row in rows] == [
        ("mhist", "SSA", "train"),
        ("mhist", "HP", "train"),
        ("mhist", "HP", "test"),
        ("my-own-images", "a", "test"),
        ("my-own-images", "b", "train"),
        ("my-own-images", "a", "train"),
    ]
    assert rows[-1]["duplicate_of"] == "test/a/3.png"
    assert "Every region is made already." in run("sources", "build").out
    assert run("sources", "remove", "mhist", "--json").json == {"removed": "mhist"}
    assert run("sources", "--json").json["added"] == {"my-own-images": 3}
    assert "In this project: my-own-images, 3 images" in run("sources").out
    again = run("sources", "build", "--json").json
    assert again["regions"] == {"my-own-images": {"S": 2}}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "name either --source, a registered one, or --adapter."),
        (("--source", "bach", "--adapter", "csv"), "name either --source"),
        (("--adapter", "folders", "--mpp", "1", "--scale", "M"), "exclude each other"),
        (("--adapter", "csv"), "needs table and image"),
        (("--adapter", "folders", "--pattern", "("), "no regular expression"),
        (("--adapter", "folders", "--mpp", "300"), "between 0.05 and 20"),
    ],
)
def test_options_that_do_not_go_together(run, here, arguments, message):
    put(here / "d" / "a" / "1.png", 1)
    result = run("sources", "add", here / "d", *arguments)
    assert result.code == 2
    assert message in " ".join(result.err.split())


def test_sources_show_up_in_the_status(run, here):
    put(here / "d" / "a" / "1.png", 1)
    run("sources", "add", here / "d", "--adapter", "folders")
    built = run("sources", "build")
    assert built.code == 1
    assert "SRC007" in built.out
    assert "SRC007" in run("status").out
