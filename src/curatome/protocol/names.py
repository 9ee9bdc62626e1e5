"""Names that must be unique, and parents that must lead somewhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from curatome.protocol.problems import Problem


def duplicate_names(word: str, names: Iterable[str]) -> list[Problem]:
    """One problem for each name that was used before, letters' case aside."""
    first: dict[str, tuple[int, str]] = {}
    problems = []
    for index, name in enumerate(names):
        earlier = first.setdefault(name.casefold(), (index, name))
        if earlier[0] == index:
            continue
        spelled = "" if earlier[1] == name else f' (as "{earlier[1]}"; case makes no difference)'
        message = f'{word} "{name}" is defined twice{spelled}. Rename or remove one of them.'
        problems.append(Problem((index, "name"), message))
    return problems


def parent_problem(word: str, name: str, parents: Mapping[str, str | None]) -> str:
    """Why the parent of `name` cannot be, or an empty text.

    Args:
        word: what it is, for the message.
        name: whose parent is judged; it has one.
        parents: the parent of each name.
    """
    parent = parents[name]
    if parent not in parents:
        others = ", ".join(other for other in parents if other != name) or "none"
        return f'{word} "{name}": its parent "{parent}" is not defined. There are: {others}.'
    chain = [name]
    while parent is not None and parent in parents and parent not in chain:
        chain.append(parent)
        parent = parents[parent]
    if parent != name:
        return ""
    circle = " → ".join([*chain, name])
    return f'{word} "{name}": its parents go round in a circle, {circle}. Drop one of them.'
