"""`curatome init`, `--version`, `--help` and the front door."""

import shlex

import pytest

from curatome import __version__
from curatome.cli import init, main
from curatome.protocol import TASKS, load_protocol


def test_version(run):
    result = run("--version")
    assert (result.code, result.out) == (0, f"curatome {__version__}\n")


def test_help_names_every_template():
    assert init._TASKS.split(", ") == list(TASKS)


@pytest.mark.parametrize("task", TASKS)
def test_every_template_can_be_begun_with(run, tmp_path, task):
    result = run("init", tmp_path / "p", "--template", task, "--title", "Nuclei", "--json")
    assert result.code == 0
    assert result.json["template"] == task
    protocol = load_protocol(tmp_path / "p" / "curatome.toml")
    assert (protocol.dataset.title, protocol.dataset.task) == ("Nuclei", task)


def test_title_is_the_folders_name(run, tmp_path):
    run("init", tmp_path / "skin")
    assert load_protocol(tmp_path / "skin" / "curatome.toml").dataset.title == "skin"


def test_the_command_it_suggests_is_for_that_folder(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run("init", "my slides")
    suggested = result.out.split("then: ")[1].strip()
    assert shlex.split(suggested) == ["curatome", "add", "--project", "my slides", "PATH…"]
    monkeypatch.chdir(tmp_path / "my slides")
    (tmp_path / "my slides" / "curatome.toml").unlink()
    assert run("init").out.strip().endswith("then: curatome add PATH…")


def test_an_unknown_template_is_refused_with_those_there_are(run, tmp_path):
    result = run("init", tmp_path / "p", "--template", "foo")
    assert (result.code, result.out) == (2, "")
    assert 'no template "foo"' in result.err
    assert all(task in result.err for task in TASKS)
    assert not (tmp_path / "p").exists()


def test_a_project_is_not_overwritten(run, here):
    before = (here / "curatome.toml").read_bytes()
    result = run("init")
    assert result.code == 2
    assert "curatome.toml exists already" in result.err
    assert (here / "curatome.toml").read_bytes() == before


@pytest.mark.parametrize(
    "command",
    [
        ["status"],
        ["add", "x.svs"],
        ["build"],
        ["report"],
        ["slides"],
        ["slides", "set-mpp", "a", "1"],
    ],
    ids=" ".join,
)
def test_outside_of_a_project(run, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    result = run(*command)
    assert (result.code, result.out) == (2, "")
    assert "no curatome.toml in" in result.err
    assert "curatome init" in result.err
    assert not list(tmp_path.iterdir())


def test_a_mistake_in_the_protocol_is_told_with_its_line(run, here):
    (here / "curatome.toml").write_text('[dataset]\ntitle = "a"\n[build]\nqualty = 3\n')
    result = run("status")
    assert result.code == 2
    assert "line 4" in result.err
    assert "quality" in result.err


def test_a_defect_asks_for_a_report(run, here, monkeypatch):
    def fail(*_):
        raise RuntimeError("boom")

    monkeypatch.setattr("curatome.project.open_project", fail)
    result = run("status")
    assert result.code == 2
    assert "RuntimeError: boom" in result.err
    assert "defect of Curatome" in result.err


def test_an_error_of_the_system_names_the_file(run, here, monkeypatch):
    def fail(*_):
        raise PermissionError(13, "Permission denied", "/data/x.svs")

    monkeypatch.setattr("curatome.project.open_project", fail)
    result = run("status")
    assert result.code == 2
    assert result.err == "error: /data/x.svs: Permission denied\n"


def test_stopped_at_any_command(run, here, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("curatome.project.open_project", stop)
    result = run("status")
    assert result.code == 130
    assert result.err == main_sentence()


def main_sentence():
    return "Stopped. What is done is kept; the same command goes on from here.\n"


def test_an_unknown_command(run):
    result = run("buidl")
    assert result.code == 2
    assert "buidl" in result.err
    assert main.app.info.name == "curatome"
