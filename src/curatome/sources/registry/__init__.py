"""Public datasets whose layout and counts are described where anybody can read it.

One TOML file each; what could not be cited is not in it.
"""

from __future__ import annotations

import difflib
import tomllib
from functools import cache
from importlib.resources import files
from pathlib import Path

import pydantic

from curatome.errors import SourceError
from curatome.sources.model import Source


@cache
def registered_sources() -> tuple[Source, ...]:
    """All registered sources in the order of their names."""
    folder = files("curatome.sources.registry")
    found = [item for item in folder.iterdir() if item.name.endswith(".toml")]
    read = [_parse(item.read_text(encoding="utf-8"), item.name) for item in found]
    return tuple(sorted(read, key=lambda source: source.name))


def find_source(name: str) -> Source:
    """The registered source of that name, or the one in a TOML file of the user's.

    Raises:
        SourceError: there is none, or the file is not usable.
    """
    known = {source.name: source for source in registered_sources()}
    if name in known:
        return known[name]
    if name.endswith(".toml"):
        return load_source(Path(name))
    close = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.4)
    guess = f' Did you mean "{close[0]}"?' if close else ""
    raise SourceError(
        f'there is no registered source "{name}".{guess} `curatome sources` lists them; a TOML '
        "file of your own can be named instead."
    )


def load_source(path: Path) -> Source:
    """A source that a TOML file describes.

    Raises:
        SourceError: the file cannot be read or says something that cannot be.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SourceError(f"{path} cannot be read: {error}.") from error
    return _parse(text, path.name)


def _parse(text: str, name: str) -> Source:
    try:
        return Source.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise SourceError(f"{name} is no TOML: {error}.") from error
    except pydantic.ValidationError as error:
        problems = [
            f"{name}: {'.'.join(map(str, problem['loc'])) or 'the file'}: {problem['msg']}"
            for problem in error.errors()
        ]
        raise SourceError("\n".join(problems)) from error
