"""Reading a version in plain Python: samples one by one, shuffled, shared out, resumable.

for sample in Samples(open_version("project").select("train", scale="M"), seed=1):
    sample.pixels, sample.labels
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from curatome.dataset.opening import Selection, VersionItems, open_version
from curatome.slides.readers.base import Pixels
from curatome.tiles.batches import Batch, BatchReader, Loading, Share

__all__ = ["Sample", "Samples", "Selection", "VersionItems", "open_version"]

_TOGETHER = 32  # samples that are read at once


@dataclass(frozen=True, eq=False)
class Sample:
    """One item.

    Attributes:
        item: its id.
        pixels: (side, side, 3) uint8, RGB.
        labels: one class, several labels, or none.
        position: its number in the selection; `selection.rows([position])` tells all else.
        epoch: which epoch.
    """

    item: str
    pixels: Pixels
    labels: tuple[str, ...]
    position: int
    epoch: int


class Samples:
    """Iterates over the samples of one epoch; the next iteration gives the next epoch.

    A loop that was left goes on with the sample it would have had next, and so does another
    `Samples` that was given the state.

    Args:
        selection: the items; their images have one size.
        seed: shuffle anew in every epoch; None keeps the order of the manifest.
        share: which part of the epoch.
        loading: threads, what is read ahead, verification by the manifest's hashes.

    Raises:
        TableError: the images differ in size.
    """

    def __init__(
        self,
        selection: Selection,
        *,
        seed: int | None = None,
        share: Share | None = None,
        loading: Loading | None = None,
    ) -> None:
        self.selection = selection
        self._reader = BatchReader(
            selection.index, _TOGETHER, seed=seed, share=share, loading=loading
        )
        self._within = 0

    def __iter__(self) -> Iterator[Sample]:
        self.load_state_dict(self.state_dict())
        first, self._within = self._within, 0
        for batch in self._reader:
            for i in range(first, len(batch.positions)):
                self._within = i + 1
                yield self._sample(batch, i)
            first = self._within = 0

    def start(self, epoch: int) -> None:
        """Go to the beginning of an epoch."""
        self._reader.start(epoch)
        self._within = 0

    def state_dict(self) -> dict[str, int | str]:
        """Where the loop stands, as numbers and text: after the sample that was given last."""
        state = self._reader.state_dict()
        begun = 1 if self._within else 0
        return {**state, "done": int(state["done"]) - begun, "within": self._within}

    def load_state_dict(self, state: Mapping[str, int | str]) -> None:
        """Go on where another one of the same items, seed and share stood.

        Raises:
            ValueError: the state is of other items, another seed or share.
        """
        self._reader.load_state_dict(state)
        self._within = int(state["within"])

    def close(self) -> None:
        """Close the shards."""
        self._reader.close()

    def _sample(self, batch: Batch, i: int) -> Sample:
        position = int(batch.positions[i])
        return Sample(
            self.selection.ids[position].as_py(),
            batch.pixels[i],
            self.selection.labels(batch.positions[i : i + 1])[0],
            position,
            batch.epoch,
        )
