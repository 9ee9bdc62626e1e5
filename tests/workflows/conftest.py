"""Slides and builds that several tests look at; whoever changes one works on a copy."""

import shutil

import pytest

from curatome.project import open_project
from tests.workflows.made import build, slide


@pytest.fixture(scope="session")
def slides(tmp_path_factory):
    """Three small slides with tissue."""
    folder = tmp_path_factory.mktemp("slides")
    return [slide(folder / f"s{seed}.svs", seed) for seed in (1, 2, 3)]


@pytest.fixture(scope="session")
def whole(tmp_path_factory, slides):
    """A build of the three slides by two workers. Not to be changed."""
    return build(tmp_path_factory.mktemp("whole") / "p", slides)


@pytest.fixture
def copy(tmp_path):
    """Makes a copy of a project, to be changed."""

    def copied(project):
        return open_project(shutil.copytree(project.root, tmp_path / "copy"))

    return copied
