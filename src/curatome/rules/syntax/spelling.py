"""Whether two names are one name, written in two ways."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping

_TOKEN = re.compile(r"[^\W\d_]+|\d+|\+|(?<=\w)-(?=\s|$)")
"""Letters, digits, a plus, and a minus that ends a word, as of ER-; all else parts words."""

SHORTEST, LONG = 4, 6
"""Letters of a word in which a slip is looked for, and in which any slip counts."""
_SHORT_SHARE, _SWAP_SHARE, _SHARE = 0.1, 0.2, 0.5
"""How often the rarer of two names may occur, as a part of the other's count."""
_NUMERALS = "ivx"


def tokens(name: str) -> tuple[str, ...]:
    """The words, numbers and signs of a name, without regard to case, width and what parts them."""
    return tuple(_TOKEN.findall(unicodedata.normalize("NFKC", name).casefold()))


def folded(name: str) -> str:
    """What two spellings share that differ in case, spaces, hyphens or underscores only.

    Two numbers stay apart: `1-2` is not `12`.
    """
    parts = tokens(name)
    out = "".join(
        f"-{part}" if k and part.isdigit() and parts[k - 1].isdigit() else part
        for k, part in enumerate(parts)
    )
    return out or name.strip()


def slip(one: str, other: str) -> str:
    """How two words differ if it is by one letter: `left out`, `swapped` or `replaced`.

    Empty if they are equal or differ more, or if the difference may mean something: the first
    letter, another last letter, a numeral, an added letter at the end other than an s.
    """
    if len(one) > len(other):
        one, other = other, one
    start = next((k for k in range(len(one)) if one[k] != other[k]), len(one))
    if len(other) == len(one):
        return _exchanged(one, other, start)
    if len(other) != len(one) + 1 or one[start:] != other[start + 1 :] or start == 0:
        return ""
    added = other[start]
    at_end = start == len(one)
    if at_end and (added in _NUMERALS or added not in ("s", one[-1])):
        return ""
    return "left out"


def _exchanged(one: str, other: str, start: int) -> str:
    if start == 0 or start >= len(one):
        return ""
    if one[start + 1 :] == other[start + 1 :]:
        return "replaced" if start < len(one) - 1 else ""
    pair = one[start : start + 2]
    if pair[::-1] == other[start : start + 2] and one[start + 2 :] == other[start + 2 :]:
        return "swapped"
    return ""


def same(rare: str, common: str, share: float) -> bool:
    """Whether a name is another one, with a slip of the pen.

    Numbers, signs and short words never differ by a slip, so that AT2 and GT450, P1000 and P2000,
    ER+ and ER- stay what they are.

    Args:
        rare: the one that occurs less often.
        common: the other one.
        share: how often the first occurs for each occurrence of the other.
    """
    if folded(rare) == folded(common):
        return True
    mine, its = tokens(rare), tokens(common)
    if len(mine) != len(its):
        joined = folded(rare), folded(common)
        digits = [re.findall(r"[\d+-]+", word) for word in joined]
        short = min(map(len, joined)) < LONG + 3
        return not short and digits[0] == digits[1] and share <= _SHARE and _inside(*joined)
    differing = [(a, b) for a, b in zip(mine, its, strict=True) if a != b]
    if len(differing) != 1 or not differing[0][0].isalpha():
        return False
    how, least = slip(*differing[0]), min(map(len, differing[0]))
    if not how or least < SHORTEST:
        return False
    if least < LONG:
        return how != "replaced" and share <= _SHORT_SHARE
    return share <= (_SWAP_SHARE if how == "replaced" else _SHARE)


def _inside(one: str, other: str) -> bool:
    return slip(one, other) != "" and one[:3] == other[:3] and one[-2:] == other[-2:]


def variants(counts: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    """Names that are another, more frequent one, each with it.

    Args:
        counts: how often each name occurs.
    """
    ordered = sorted(counts, key=lambda name: (-counts[name], name))
    by_key: dict[str, list[str]] = {}
    for name in ordered:
        keys = _keys(folded(name))
        there = dict.fromkeys(one for key in keys for one in by_key.get(key, ()))
        meant = [one for one in there if same(name, one, counts[name] / counts[one])]
        if meant:
            yield name, max(meant, key=lambda one: counts[one])
            continue
        for key in keys:
            by_key.setdefault(key, []).append(name)


def _keys(word: str) -> set[str]:
    """The word, and the word without each of its letters: words one slip apart share one."""
    return {word, *(word[:k] + word[k + 1 :] for k in range(len(word)))}
