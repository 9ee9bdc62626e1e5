"""Batches of tiles for training: shuffled, resumable, shared out, decoded by threads."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass

import numpy as np

from curatome.errors import TableError
from curatome.hashes import settings_hash
from curatome.slides.readers.base import Pixels
from curatome.tiles.index import Rows, TileIndex
from curatome.tiles.reader import TileReader
from curatome.tiles.shuffle import shuffled

_PER_TASK = 16  # tiles that a thread decodes in one go
_HELD = 3  # batches that a caller may hold and still be given no fresh memory
_ONLY_POOL = 2  # references to an array that nobody but the pool holds: the list's and the call's


@dataclass(frozen=True)
class Share:
    """Which part of every epoch a reader gives.

    Ranks share out the tiles, the workers of a rank its batches; so the batches of a rank are the
    same for every number of workers, and come in the same order if workers take turns.

    Attributes:
        rank: number of the training process.
        ranks: how many there are.
        worker: number of the loading process within the rank.
        workers: how many there are.

    Raises:
        ValueError: a number is not below its count.
    """

    rank: int = 0
    ranks: int = 1
    worker: int = 0
    workers: int = 1

    def __post_init__(self) -> None:
        if not (0 <= self.rank < self.ranks and 0 <= self.worker < self.workers):
            raise ValueError(f"rank and worker must be below their counts. Got {self}.")


@dataclass(frozen=True)
class Loading:
    """How batches are made; none of it changes what is in them.

    Attributes:
        threads: how many decode.
        ahead: batches that are made before they are asked for.
        verify: compare every image with the manifest's content hash.
    """

    threads: int = 2
    ahead: int = 3
    verify: bool = False


@dataclass(frozen=True)
class Batch:
    """Tiles.

    Attributes:
        pixels: (N, side, side, 3) uint8, RGB; the caller's as long as anything refers to them.
        positions: (N,) int64, positions in the index; `labels[positions]` are their labels.
        epoch: which epoch.
        number: which batch of the rank's epoch.
    """

    pixels: Pixels
    positions: Rows
    epoch: int
    number: int


class BatchReader:
    """Iterates over the batches of one epoch; the next iteration gives the next epoch.

    A loop that was left goes on with the batch it would have had next, and so does a reader that
    was given the state of another one. In memory are the index, `ahead` batches, and those that
    the caller holds; arrays that the caller has let go of are used again.

    Args:
        index: the tiles.
        batch_size: tiles of a batch.
        seed: shuffle anew in every epoch; None keeps the order of the manifest.
        drop_last: leave out the last, smaller batch, and give every rank as many batches.
        share: which part of the epoch.
        loading: threads, batches ahead, verification.

    Raises:
        ValueError: `batch_size` is not positive.
        TableError: the images differ in size.
    """

    def __init__(
        self,
        index: TileIndex,
        batch_size: int,
        *,
        seed: int | None = None,
        drop_last: bool = False,
        share: Share | None = None,
        loading: Loading | None = None,
    ) -> None:
        if batch_size < 1:
            raise ValueError(f"batch_size must be positive. Got {batch_size}.")
        if not index.side_px:
            raise TableError("images of several sizes cannot share a batch. Choose one scale.")
        self.index = index
        self._size = batch_size
        self._seed = seed
        self._share = share or Share()
        self._loading = loading or Loading()
        self._reader = TileReader(index, self._loading.verify)
        shape = (batch_size, index.side_px, index.side_px, 3)
        self._pool = _Arrays(shape, limit=self._loading.ahead + _HELD)
        tiles, ranks = len(index), self._share.ranks
        self._tiles = (
            tiles // ranks // batch_size * batch_size
            if drop_last
            else (tiles - self._share.rank + ranks - 1) // ranks
        )
        self._epoch = self._first = self._done = 0

    @property
    def batches(self) -> int:
        """Batches of the whole rank in one epoch."""
        return -(-self._tiles // self._size)

    def __len__(self) -> int:
        """Batches that this reader gives in one whole epoch."""
        return len(range(self._share.worker, self.batches, self._share.workers))

    def __iter__(self) -> Iterator[Batch]:
        turn = range(self._first + self._share.worker, self.batches, self._share.workers)
        numbers = iter(turn[self._done :])
        pool = ThreadPoolExecutor(self._loading.threads, "tiles")
        pending: deque[_Pending] = deque()
        try:
            while True:
                while len(pending) <= self._loading.ahead:
                    number = next(numbers, None)
                    if number is None:
                        break
                    pending.append(self._begin(pool, number))
                if not pending:
                    break
                batch = pending.popleft().finished(self._epoch)
                self._done += 1
                yield batch
                del batch  # or its array could not be used again while the next one is made
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
        self.start(self._epoch + 1)

    def start(self, epoch: int, batch: int = 0) -> None:
        """Go to an epoch, and to a batch of the rank in it.

        With several workers, call it in each of them with the number of batches that the rank's
        workers have given together; they take turns from there.

        Args:
            epoch: from 0.
            batch: from 0, of all the rank's workers.
        """
        self._epoch, self._first, self._done = epoch, batch, 0

    def state_dict(self) -> dict[str, int | str]:
        """Where the reader stands, as numbers and text: after the batch that was given last."""
        return {
            "epoch": self._epoch,
            "first": self._first,
            "done": self._done,
            "of": self._identity(),
        }

    def load_state_dict(self, state: Mapping[str, int | str]) -> None:
        """Go on where another reader of the same tiles, settings and share stood.

        Raises:
            ValueError: the state is of other tiles, another batch size, seed or share.
        """
        if state["of"] != self._identity():
            raise ValueError(
                "the state is of another reader: tiles, batch_size, seed, drop_last and share "
                "must be the same. With another number of workers, use start(epoch, batch)."
            )
        self._epoch, self._first = int(state["epoch"]), int(state["first"])
        self._done = int(state["done"])

    def close(self) -> None:
        """Close the shards."""
        self._reader.close()

    def positions(self, epoch: int, number: int) -> Rows:
        """Which tiles a batch of this rank holds, (N,) int64, without reading them."""
        last = min((number + 1) * self._size, self._tiles)
        places = np.arange(number * self._size, last, dtype=np.int64)
        places = places * self._share.ranks + self._share.rank
        if self._seed is None:
            return places
        return shuffled(places, len(self.index), self._seed, epoch)

    def _begin(self, pool: ThreadPoolExecutor, number: int) -> _Pending:
        positions = self.positions(self._epoch, number)
        pixels = self._pool.take()[: len(positions)]
        tasks = [
            pool.submit(
                self._reader.read, positions[at : at + _PER_TASK], pixels[at : at + _PER_TASK]
            )
            for at in range(0, len(positions), _PER_TASK)
        ]
        return _Pending(pixels, positions, number, tasks)

    def _identity(self) -> str:
        index = self.index
        ends = [int(index.rows[0]), int(index.rows[-1]), int(index.offset.sum())]
        content = [len(index), *ends, int(index.length.sum(dtype=np.int64))]
        return settings_hash([content, self._size, self._seed, self._tiles, asdict(self._share)])


@dataclass(frozen=True)
class _Pending:
    """A batch that is being made."""

    pixels: Pixels
    positions: Rows
    number: int
    tasks: list[Future[Pixels]]

    def finished(self, epoch: int) -> Batch:
        for task in self.tasks:
            task.result()
        return Batch(self.pixels, self.positions, epoch, self.number)


class _Arrays:
    """Arrays of one shape, given out again when nothing refers to them but this list.

    Every view of an array, and a tensor made from one, refers to the array itself, so its number
    of references says whether somebody still looks at it.
    """

    def __init__(self, shape: tuple[int, ...], limit: int) -> None:
        self._shape = shape
        self._limit = limit
        self._arrays: deque[Pixels] = deque(maxlen=limit)

    def __reduce__(self) -> tuple[type[_Arrays], tuple[tuple[int, ...], int]]:
        return _Arrays, (self._shape, self._limit)

    def take(self) -> Pixels:
        for i in range(len(self._arrays)):
            if sys.getrefcount(self._arrays[i]) <= _ONLY_POOL:
                return self._arrays[i]
        self._arrays.append(np.empty(self._shape, np.uint8))
        return self._arrays[-1]
