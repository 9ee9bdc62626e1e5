"""A command line to call, and slides for it to work on."""

import json
from dataclasses import dataclass

import numpy as np
import pytest
from PIL import Image

from curatome.cli import main
from tests.workflows.made import picture, protocol, slide


@dataclass(frozen=True)
class Result:
    """What a command did."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def run(capfd, monkeypatch):
    """Calls `curatome` in this process, through its front door."""

    def call(*arguments):
        monkeypatch.setattr("sys.argv", ["curatome", *map(str, arguments)])
        capfd.readouterr()
        try:
            main.main()
            code = 0
        except SystemExit as exit_:
            code = exit_.code or 0
        out, err = capfd.readouterr()
        return Result(code, out, err)

    return call


@pytest.fixture(autouse=True)
def _consoles(monkeypatch):
    # The consoles were made when the module was imported; they write to what is stdout now.
    monkeypatch.setenv("COLUMNS", "400")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A project in the working folder, with an empty folder `slides` beside its protocol."""
    (tmp_path / "curatome.toml").write_text(protocol())
    (tmp_path / "slides").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def sound(here):
    """One slide with tissue and a scale, in its project."""
    return slide(here / "slides" / "sound.svs", 1, (960, 800))


@pytest.fixture
def unscaled(here):
    """One picture of tissue without a scale, in its project."""
    path = here / "slides" / "unscaled.png"
    Image.fromarray(picture(2, (960, 800))).save(path)
    return path


@pytest.fixture
def broken(here):
    """A file that is no slide but is called one, in its project."""
    path = here / "slides" / "broken.svs"
    path.write_bytes(np.random.default_rng(0).bytes(500))
    return path
