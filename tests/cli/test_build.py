"""`curatome build`, `report` and `status` on the way from nothing to a dataset."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq

from tests.workflows.made import slide, tree


def next_steps(run):
    return [step["command"] for step in run("status", "--json").json["next"]]


def test_status_at_every_stage(run, here, sound, unscaled):
    assert next_steps(run) == ["curatome add PATH…"]
    assert run("status").code == 0
    run("add", "slides")
    status = run("status", "--json")
    assert status.code == 1
    assert status.json["slides"] == {"ready": 1, "held": 1}
    assert next_steps(run) == [
        "curatome slides set-mpp unscaled.png MPP",
        "curatome add --slides slides.csv",
        "curatome build",
    ]
    run("slides", "set-mpp", "unscaled", 0.5)
    (here / "slides.csv").write_text("slide,case\nsound,C1\nunscaled,C1\n")
    run("add", "--slides", "slides.csv")
    assert next_steps(run) == ["curatome build"]
    assert run("build").code == 0
    assert next_steps(run) == ["curatome report"]
    report = run("report", "--json").json["report"]
    assert (
        Path(report).read_text().startswith("<!doctype html>")
        or "<html" in Path(report).read_text()
    )
    (opened,) = next_steps(run)
    assert opened.split()[1] == report
    slide(here / "slides" / "late.svs", 5, (960, 800))
    run("add", "slides")
    status = run("status", "--json").json
    assert (status["built"], status["unbuilt"], status["cases"], status["uncased"]) == (2, 1, 1, 1)
    assert next_steps(run) == ["curatome build"]


def test_status_in_words(run, here, sound):
    text = run("status").out
    assert "slides    none yet\ncases     none\ntiles     none yet\nfindings  none\n" in text
    run("add", "slides")
    run("build")
    text = run("status").out
    tiles = pq.read_metadata(here / "build" / "tiles.parquet").num_rows
    assert "slides    1 (1 ready)\n" in text
    assert "cases     none; 1 slide belongs to no case\n" in text
    assert f"tiles     {tiles} of 1 slide\n" in text


def test_status_is_short_where_much_is_wrong(run, here):
    for number in range(12):
        (here / "slides" / f"broken{number:02d}.svs").write_bytes(bytes([number]) * 100)
    run("add", "slides")
    short = run("status").out
    assert "findings  12 errors" in short
    assert short.count("ACQ001 ") == 2
    assert "… and 10 more of ACQ001" in short
    assert "curatome status --all" in short
    assert run("status", "--all").out.count("ACQ001 ") == 12


def test_build_says_what_it_made(run, here, sound):
    run("add", "slides")
    dry = run("build", "--dry-run", "--json")
    assert dry.code == 0
    assert not (here / "build" / "tiles.parquet").exists()
    result = run("build", "--json")
    assert (result.code, result.err) == (0, "")
    rows = pq.read_table(here / "build" / "tiles.parquet").to_pylist()
    assert result.json["made"] == dry.json["estimate"]["tiles"] == len(rows) > 0
    assert result.json["bytes"] == sum(row["length"] for row in rows)
    for name, tiles in result.json["tiles"].items():
        assert tiles == sum(row["scale"] == name for row in rows)
    again = run("build")
    assert again.code == 0
    assert "Nothing to build" in again.out
    assert "Made" not in again.out


def test_build_in_words(run, here, sound, unscaled):
    run("add", "slides")
    result = run("build")
    assert result.code == 1
    total = pq.read_metadata(here / "build" / "tiles.parquet").num_rows
    assert f"To build: {total} tiles of 1 slide " in result.out
    assert f"Made {total} tiles (" in result.out
    assert "Left out: 1 held. `curatome status` says why." in result.out
    assert result.err.startswith("looking for tissue: 1 slide")
    assert f"making tiles: {total} of {total} tiles" in result.err


def test_nothing_to_build_and_nothing_to_report(run, here):
    result = run("build")
    assert (result.code, result.out) == (2, "")
    assert "no slide is ready" in result.err
    result = run("report")
    assert (result.code, result.out) == (2, "")
    assert "curatome build" in result.err


def stopped_build(folder):
    """Starts a build and stops it, as Ctrl-C does; its code and messages.

    It is stopped when it begins to look for tissue: a child needs most of a second to start, so
    the signal always comes in time.
    """
    command = [sys.executable, "-m", "curatome.cli.main", "build", "--workers", "1"]
    child = subprocess.Popen(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A shell starts what it puts in the background with this signal ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509
    )
    for line in child.stderr:
        if line.startswith("looking for tissue"):
            break
    os.killpg(child.pid, signal.SIGINT)
    _, rest = child.communicate(timeout=120)
    return child.returncode, rest.splitlines()


def test_stopped_by_hand_it_says_so_and_goes_on_later(run, here, tmp_path_factory):
    for seed in range(1, 5):
        slide(here / "slides" / f"s{seed}.svs", seed)
    run("add", "slides")
    code, messages = stopped_build(here)
    assert code == 130
    assert messages[-1] == "Stopped. What is done is kept; the same command goes on from here."
    assert not any("Traceback" in line for line in messages)
    assert not (here / "build" / "tiles.parquet").exists()
    assert next_steps(run)[-1] == "curatome build"
    assert run("build").code == 0
    whole = tmp_path_factory.mktemp("whole")
    (whole / "curatome.toml").write_bytes((here / "curatome.toml").read_bytes())
    assert run("add", here / "slides", "--project", whole).code == 0
    assert run("build", "--project", whole).code == 0
    for folder in ("shards", "parts", "slides"):  # the other files hold the slides' paths
        assert tree(here / "build" / folder) == tree(whole / "build" / folder)
        assert tree(here / "build" / folder)


def test_what_is_left_over_is_told_and_deleted(run, here, sound):
    run("add", "slides")
    assert "Left over" not in run("build").out
    protocol = here / "curatome.toml"
    protocol.write_text(protocol.read_text().replace("[build]", "[build]\nquality = 80"))
    before = set((here / "build").rglob("*"))
    planned = run("build", "--prune", "--dry-run")
    assert set((here / "build").rglob("*")) > before  # it looked for tissue
    told = re.search(r"--prune would delete (8 files \(.+?\)) that no slide needs\.", planned.out)
    text = run("build").out
    assert f"Left over: {told[1]} that no slide and no scale needs. " in text
    assert "curatome build --prune deletes them." in text
    pruned = run("build", "--prune")
    assert f"Removed {told[1]} that no slide needs." in pruned.out
    assert re.match(r"removing [0-9.]+ MB that no slide needs: 8 files\n", pruned.err)
    result = run("build", "--prune", "--json").json
    nothing = {"files": 0, "bytes": 0}
    assert (result["removed"], result["left_over"]) == (nothing, nothing)


def test_a_folder_whose_name_looks_like_markup_is_told_as_it_is(run, here, sound):
    folder = here / "[red]p"
    folder.mkdir()
    (folder / "curatome.toml").write_bytes((here / "curatome.toml").read_bytes())
    run("add", sound, "--project", folder)
    assert "[red]p/build/tiles.parquet\n" in run("build", "--project", folder).out


def test_status_says_what_is_left_over(run, here, sound):
    run("add", "slides")
    run("build")
    protocol = here / "curatome.toml"
    protocol.write_text(protocol.read_text().replace("[build]", "[build]\nquality = 80"))
    assert "left over" not in run("status").out
    run("build")
    found = run("status", "--json").json["left_over"]
    text = run("status").out
    assert f"left over {found['files']} files (" in text
    assert "that no slide needs; `curatome build --prune` deletes them\n" in text
    run("build", "--prune")
    assert "left over" not in run("status").out


def test_status_of_a_damaged_manifest(run, here, sound):
    run("add", "slides")
    run("build")
    (here / "build" / "tiles.parquet").write_bytes(b"PAR1")
    assert "tiles     none yet" in run("status").out
    assert run("build").code == 0
