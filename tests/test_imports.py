"""What is loaded when, so that every command starts quickly and a server is not in the way."""

import subprocess
import sys

import pytest

_NEVER = {"torch", "torchvision", "fastapi", "uvicorn", "matplotlib", "pytest"}
_NEVER |= {"dask", "distributed"}  # unless --cluster asks for them
_HEAVY = {
    "imagecodecs", "numba", "numpy", "openslide", "PIL", "pyarrow", "pydicom", "scipy",
    "shapely", "simplejpeg", "sqlalchemy", "tifffile",
}  # fmt: skip


def loaded(code):
    """Top-level modules that a fresh Python has loaded after running the code."""
    script = f"import sys\n{code}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    return set(done.stdout.splitlines()[-1].split())


def test_the_check_itself_sees_what_is_loaded():
    assert "numpy" in loaded("import numpy")


def test_importing_the_package_loads_nothing_heavy():
    assert loaded("import curatome") & (_NEVER | _HEAVY | {"rich", "typer"}) == set()


@pytest.mark.parametrize(
    "arguments", [["--version"], ["--help"], ["build", "--help"]], ids=" ".join
)
def test_the_command_line_starts_without_the_heavy_libraries(arguments):
    code = (
        "from curatome.cli.main import main\n"
        f"sys.argv = ['curatome', *{arguments}]\n"
        "try:\n    main()\nexcept SystemExit as done:\n    assert not done.code\n"
    )
    assert loaded(code) & (_NEVER | _HEAVY) == set()


@pytest.mark.parametrize("stage", ["add", "build", "slides", "status"])
def test_working_loads_no_training_no_charts_no_server(stage):
    assert loaded(f"import curatome.workflows.{stage}") & _NEVER == set()
