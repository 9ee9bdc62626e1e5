"""One thing under several names: misspelled, in other case, with other spaces."""

from __future__ import annotations

import numpy as np

from curatome.phantom.faults.tables import Draft, Fault, picked


def spellings(word: str) -> list[str]:
    """Other ways to write a word, as people do: case, spaces, a doubled or a lost letter."""
    middle = len(word) // 2
    found = [
        word.upper(),
        word.lower(),
        word.title(),
        word + " ",
        word.replace(" ", "_"),
        word.replace(" ", "-"),
        word.replace(" ", ""),
        word[: middle + 1] + word[middle:],
        word[:middle] + word[middle + 1 :],
    ]
    return [other for other in dict.fromkeys(found) if other.strip() and other != word]


def _other_words(words: list[str], rng: np.random.Generator) -> list[str]:
    """For each word a spelling that is no other word of the list."""
    taken = set(words)
    ways = {word: [w for w in spellings(word) if w not in taken] for word in taken}
    chance = rng.random(len(words))
    return [ways[w][int(c * len(ways[w]))] for w, c in zip(words, chance, strict=True)]


def misspell_labels(draft: Draft, strength: float, rng: np.random.Generator) -> Draft:
    """The class of annotations is written otherwise."""
    labels = draft.tables.annotations["labels"].to_pylist()
    able = np.array([k for k, held in enumerate(labels) if held], np.int64)
    other = _other_words([labels[k][0] for k in able], rng)
    place = picked(rng, len(able), strength)
    news = [[other[p], *labels[able[p]][1:]] for p in place]
    return draft.change("annotations", able[place], {"labels": news})


def misspell_slides(
    draft: Draft, strength: float, rng: np.random.Generator, *, column: str = "scanner"
) -> Draft:
    """Scanner or site of whole slides is written otherwise, alike in all of a slide's images."""
    held = draft.tables.images
    slide = np.asarray(held["slide"]).astype(str)
    slides, first = np.unique(slide, return_index=True)
    other = _other_words(held[column].take(first).to_pylist(), rng)
    hit = picked(rng, len(slides), strength)
    news = dict(zip(slides[hit], (other[k] for k in hit), strict=True))
    rows = np.flatnonzero(np.isin(slide, slides[hit]))
    return draft.change("images", rows, {column: [news[name] for name in slide[rows]]})


FAULTS = (
    Fault(
        "label_spelling",
        "vocabulary",
        "share of the annotations whose class is written otherwise",
        misspell_labels,
    ),
    Fault(
        "scanner_spelling",
        "vocabulary",
        "share of the slides whose scanner is written otherwise",
        misspell_slides,
        {"column": "scanner"},
    ),
    Fault(
        "site_spelling",
        "vocabulary",
        "share of the slides whose site is written otherwise",
        misspell_slides,
        {"column": "site"},
    ),
)
