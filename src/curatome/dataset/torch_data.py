"""Reading a version in PyTorch: a map-style dataset, and one of whole batches.

    selection = open_version("project").select("train", scale="M")
    for batch in Loader(VersionBatches(selection, 64, seed=1), workers=2):
        batch["image"], batch["labels"]

`VersionBatches` is the faster way: it reads and decodes ahead in threads, shuffles without a list
of the order, and gives the same batches for every number of workers. `VersionDataset` gives
samples by number, for samplers of one's own; `EpochSampler` shares them out and can resume.
This module alone needs PyTorch, which `pip install torch` brings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

try:
    import torch
    from torch.utils import data
except ImportError as error:  # pragma: no cover - the message is all there is
    raise ImportError("curatome.dataset.torch_data needs PyTorch: pip install torch") from error

from curatome.dataset.opening import Selection
from curatome.slides.readers.base import Pixels
from curatome.tiles.batches import BatchReader, Loading, Share
from curatome.tiles.reader import TileReader
from curatome.tiles.shuffle import shuffled

Tensors = dict[str, torch.Tensor]
Transform = Callable[[Tensors], Any]

_AT_ONCE = 1 << 14  # places of an order that are computed together


class VersionDataset(data.Dataset[Any]):
    """Samples by number, `{"image", "labels", "known", "position"}`.

    `image` is (3, H, W) uint8, `labels` (C,) float32 with 1 for each class of the item, `known`
    (C,) bool, false where a missing label does not say that there is none.

    Args:
        selection: the items; their images may differ in size.
        transform: what to do with every sample.
        verify: compare every image with the manifest's hash.
    """

    def __init__(
        self, selection: Selection, transform: Transform | None = None, *, verify: bool = False
    ) -> None:
        self.selection = selection
        self._transform = transform
        self._reader = TileReader(selection.index, verify)

    def __len__(self) -> int:
        return len(self.selection)

    def __getitem__(self, position: int) -> Any:
        if not -len(self) <= position < len(self):
            raise IndexError(f"there are {len(self)} items. Got {position}.")
        return self.__getitems__([position % len(self)])[0]

    def __getitems__(self, positions: list[int]) -> list[Any]:
        """Several samples at once, as PyTorch's loader asks for them."""
        at = np.asarray(positions, np.int64)
        whole = _described(self.selection, at)
        images = self._reader.images(at)
        samples = []
        for i, pixels in enumerate(images):
            sample = {"image": _channels_first(pixels), **{k: v[i] for k, v in whole.items()}}
            samples.append(self._transform(sample) if self._transform else sample)
        return samples


class EpochSampler(data.Sampler[int]):
    """The order of an epoch for a map-style dataset: shuffled by seed, shared out among ranks.

    Args:
        count: items of the dataset.
        seed: shuffle anew in every epoch; None keeps the order.
        share: the rank; workers are the loader's.

    Every rank gets as many; up to `ranks` - 1 items at the end of an epoch's order are left out.
    """

    def __init__(self, count: int, seed: int | None = None, share: Share | None = None) -> None:
        self._count, self._seed = count, seed
        self._share = share or this_rank()
        self._epoch = self._done = 0

    def __len__(self) -> int:
        """Items of the rank in a whole epoch."""
        return self._count // self._share.ranks

    def __iter__(self) -> Iterator[int]:
        for first in range(self._done, len(self), _AT_ONCE):
            places = np.arange(first, min(first + _AT_ONCE, len(self)), dtype=np.int64)
            places = places * self._share.ranks + self._share.rank
            if self._seed is not None:
                places = shuffled(places, self._count, self._seed, self._epoch)
            yield from places.tolist()

    def start(self, epoch: int, samples: int = 0) -> None:
        """Go to an epoch, and past so many samples of the rank; call it before every epoch."""
        self._epoch, self._done = epoch, samples


class VersionBatches(data.IterableDataset[Any]):
    """Whole batches, `{"image", "labels", "known", "position"}`; give DataLoader batch_size=None.

    `image` is (N, 3, H, W) uint8, `labels` (N, C) float32, `known` (N, C) bool, `position` (N,).
    Ranks share out the items, the loader's workers the batches of their rank.

    Args:
        selection: the items; their images have one size.
        batch_size: items of a batch.
        seed: shuffle anew in every epoch; None keeps the order of the manifest.
        drop_last: leave out the last, smaller batch, and give every rank as many batches.
        share: the rank; PyTorch's process group tells it by default.
        loading: threads of each worker, batches ahead, verification.
        transform: what to do with every batch.

    Raises:
        TableError: the images differ in size.
    """

    def __init__(
        self,
        selection: Selection,
        batch_size: int,
        *,
        seed: int | None = None,
        drop_last: bool = False,
        share: Share | None = None,
        loading: Loading | None = None,
        transform: Transform | None = None,
    ) -> None:
        self.selection = selection
        self._reader = partial(
            BatchReader,
            selection.index,
            batch_size,
            seed=seed,
            drop_last=drop_last,
            loading=loading,
        )
        self._share = share or this_rank()
        self._transform = transform
        # Epoch and first batch, in memory that the loader's workers share.
        self._at = torch.zeros(2, dtype=torch.int64)
        self._at.share_memory_()  # type: ignore[no-untyped-call]
        self._count = self._reader(share=self._share).batches

    def __len__(self) -> int:
        """Batches of the rank in a whole epoch."""
        return self._count

    def __iter__(self) -> Iterator[Any]:
        worker = data.get_worker_info()
        share = self._share
        if worker is not None:
            share = replace(share, worker=worker.id, workers=worker.num_workers)
        reader = self._reader(share=share)
        epoch, first = self._at.tolist()
        reader.start(epoch, first)
        try:
            for batch in reader:
                tensors = {
                    "image": _channels_first(batch.pixels),
                    **_described(self.selection, batch.positions),
                }
                yield self._transform(tensors) if self._transform else tensors
        finally:
            reader.close()
        if worker is None:
            self.start(epoch + 1)

    def start(self, epoch: int, batch: int = 0) -> None:
        """Go to an epoch, and past so many batches of the rank.

        With loading processes, call it before every epoch; `Loader` does so by itself.
        """
        self._at[0], self._at[1] = epoch, batch


class Loader:
    """PyTorch's DataLoader of whole batches, that knows where it stands.

    Each iteration is an epoch. A loop that was left goes on with the batch it would have had
    next, and so does another loader that was given the state, with any number of workers.

    Args:
        batches: what to load.
        workers: loading processes, which stay from epoch to epoch; 0 loads in this one.
        options: of `torch.utils.data.DataLoader`, such as `pin_memory` or `prefetch_factor`.
    """

    def __init__(self, batches: VersionBatches, workers: int = 0, **options: Any) -> None:
        self._batches = batches
        self._loader: data.DataLoader[Any] = data.DataLoader(
            batches,
            batch_size=None,
            num_workers=workers,
            **{"persistent_workers": workers > 0, **options},
        )
        self._epoch = self._done = 0

    def __len__(self) -> int:
        """Batches of a whole epoch."""
        return len(self._batches)

    def __iter__(self) -> Iterator[Any]:
        self._batches.start(self._epoch, self._done)
        for batch in self._loader:
            self._done += 1
            yield batch
        self._epoch, self._done = self._epoch + 1, 0

    def state_dict(self) -> dict[str, int]:
        """Epoch, and batches of it that were given."""
        return {"epoch": self._epoch, "batch": self._done}

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Go on where another loader of the same items, batch size, seed and ranks stood."""
        self._epoch, self._done = int(state["epoch"]), int(state["batch"])


def this_rank() -> Share:
    """The share of this process in PyTorch's process group; all of it without one."""
    group = torch.distributed
    if group.is_available() and group.is_initialized():
        return Share(group.get_rank(), group.get_world_size())
    return Share()


def _described(selection: Selection, positions: npt.NDArray[np.int64]) -> Tensors:
    return {
        "labels": torch.from_numpy(selection.targets(positions).astype(np.float32)),
        "known": torch.from_numpy(selection.known(positions)),
        "position": torch.from_numpy(positions.copy()),
    }


def _channels_first(pixels: Pixels) -> torch.Tensor:
    return torch.from_numpy(pixels).movedim(-1, -3)
