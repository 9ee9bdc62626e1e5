"""A version read back in plain Python and in PyTorch."""

import json
import pickle
from itertools import islice

import numpy as np
import pytest

from curatome.dataset.loading import Samples, open_version
from curatome.errors import TableError, VersionError
from curatome.tiles.batches import Loading, Share
from tests.dataset.export.made import CLASSES, LABELS, SPLITS, make, pixels, truth

torch = pytest.importorskip("torch")
from torch.utils.data import DataLoader  # noqa: E402

from curatome.dataset.torch_data import (  # noqa: E402
    EpochSampler,
    Loader,
    VersionBatches,
    VersionDataset,
)


@pytest.fixture(scope="module")
def version(tmp_path_factory):
    return make(tmp_path_factory.mktemp("version"))


@pytest.fixture(scope="module")
def tiles(version):
    """The twelve tiles of scale M."""
    return version.select(scale="M")


def test_a_version_is_opened_by_project_name_and_folder(version):
    assert open_version(version.home).info == version.info
    assert open_version(version.home, version.info.id[:8]).folder == version.folder
    assert open_version(version.folder).home == version.home
    with pytest.raises(VersionError, match='no version "v9"'):
        open_version(version.home, "v9")
    with pytest.raises(VersionError, match="curatome version create"):
        open_version(version.home / "build")


def test_filters_choose_items(version):
    assert version.splits == ("test", "train", "val")
    assert version.classes == CLASSES
    assert len(version) == 15
    assert version.select("train").ids.to_pylist() == [
        "aa_M_0_0",
        "aa_M_64_0",
        "aa_M_0_64",
        "aa_M_64_64",
        "aa_S_0_0",
        "aa_S_32_0",
        "nuclei.v1/aa/7",
    ]
    assert len(version.select(["val", "test"], "M")) == 8
    tiles = version.select(scale="M")
    assert tiles.index.find(["cc_M_0_0", "aa_M_64_0"]).tolist() == [8, 1]
    assert tiles.rows([8, 1])["item"].to_pylist() == ["cc_M_0_0", "aa_M_64_0"]
    assert version.select(kind="cell").ids.to_pylist() == ["nuclei.v1/aa/7"]
    assert len(version.select(side_px=32)) == 2
    assert len(version.select(scale="M", labelled=True)) == 4
    with pytest.raises(VersionError, match=r"no images of split val, scale S.*scale M, None, S"):
        version.select("val", "S")


def test_labels_targets_and_what_is_known(version, tiles):
    wanted = [LABELS.get(slide, ((),) * 4)[k] for slide in SPLITS for k in range(4)]
    assert [set(one) for one in tiles.labels(np.arange(12))] == [set(one) for one in wanted]
    hot = [[name in one for name in CLASSES] for one in wanted]
    assert tiles.targets(np.arange(12)).tolist() == hot
    back = np.array([11, 3, 3, 0])
    assert tiles.targets(back).tolist() == [hot[k] for k in back]
    # The left half of aa was searched for all, bb for tumor; a label is known to be there.
    known = [[True] * 3, [True, True, False], [True] * 3, [False, False, True]]
    known += [[True, False, False]] * 4 + [[False] * 3] * 4
    assert tiles.known(np.arange(12)).tolist() == known


def test_samples_give_the_pixels_and_labels_of_the_version(version, tiles):
    right = truth(version)
    assert (right["bb_M_0_0"] == pixels(100)).all()  # PNG, so that the truth itself is checked
    samples = list(Samples(tiles))
    assert [one.item for one in samples] == tiles.ids.to_pylist()
    for one in samples:
        assert (one.pixels == right[one.item]).all()
    assert samples[1].labels == ("stroma", "tumor")


def test_an_epoch_is_a_shuffle_and_workers_share_it(tiles):
    whole = Samples(tiles, seed=4)
    first, second = [[one.position for one in whole] for _ in range(2)]
    assert sorted(first) == sorted(second) == list(range(12))
    assert first != second
    ranks = [Samples(tiles, seed=4, share=Share(rank=k, ranks=2)) for k in range(2)]
    found = [[one.position for one in rank] for rank in ranks]
    assert found == [first[::2], first[1::2]]


@pytest.mark.parametrize("left_after", [1, 5, 12])
def test_a_loop_that_was_left_goes_on(tiles, left_after):
    whole = [one.position for one in Samples(tiles, seed=4)]
    loop = Samples(tiles, seed=4)
    got = [one.position for one in islice(loop, left_after)]
    state = json.loads(json.dumps(loop.state_dict()))
    again = Samples(tiles, seed=4)
    again.load_state_dict(state)
    for rest in (loop, again):
        assert got + [one.position for one in rest] == whole
        assert [one.epoch for one in rest] == [1] * 12
    with pytest.raises(ValueError, match="another reader"):
        Samples(tiles, seed=5).load_state_dict(state)


def test_sizes_are_not_mixed_in_batches_but_may_be_by_number(version):
    mixed = version.select("train")
    with pytest.raises(TableError, match="Choose one scale"):
        Samples(mixed)
    right, dataset = truth(version), VersionDataset(mixed)
    for at, item in enumerate(mixed.ids.to_pylist()):
        assert (dataset[at]["image"].permute(1, 2, 0).numpy() == right[item]).all()
    with pytest.raises(IndexError, match="7 items"):
        dataset[7]


def _check(version, tiles, batch):
    right = truth(version)
    for k, position in enumerate(batch["position"].tolist()):
        item = tiles.ids[position].as_py()
        assert (batch["image"][k].permute(1, 2, 0).numpy() == right[item]).all()
        wanted = [float(name in tiles.labels([position])[0]) for name in CLASSES]
        assert batch["labels"][k].tolist() == wanted
        assert batch["known"][k].tolist() == tiles.known([position])[0].tolist()


def test_dataloader_with_two_workers_gives_the_same_samples(version, tiles):
    sampler = EpochSampler(len(tiles), seed=3)
    loader = DataLoader(VersionDataset(tiles), batch_size=5, sampler=sampler, num_workers=2)
    batches = list(loader)
    for batch in batches:
        _check(version, tiles, batch)
    seen = [p for batch in batches for p in batch["position"].tolist()]
    assert sorted(seen) == list(range(12))
    sampler.start(0, samples=5)  # goes on after the first batch
    rest = [p for batch in loader for p in batch["position"].tolist()]
    assert rest == seen[5:]
    sampler.start(1)
    assert sorted(sampler) == list(range(12))
    assert list(sampler) != seen


def test_ranks_of_a_sampler_share_an_epoch():
    ranks = [list(EpochSampler(11, 2, Share(rank=k, ranks=2))) for k in range(2)]
    assert [len(one) for one in ranks] == [5, 5]
    assert len(set(ranks[0]) | set(ranks[1])) == 10


@pytest.mark.parametrize("workers", [0, 1, 2])
def test_batches_are_the_same_for_every_number_of_workers(version, tiles, workers):
    alone = [batch["position"].tolist() for batch in VersionBatches(tiles, 5, seed=3)]
    assert [len(one) for one in alone] == [5, 5, 2]
    loader = Loader(VersionBatches(tiles, 5, seed=3), workers)
    batches = list(loader)
    for batch in batches:
        _check(version, tiles, batch)
    assert [batch["position"].tolist() for batch in batches] == alone
    assert loader.state_dict() == {"epoch": 1, "batch": 0}
    second = [batch["position"].tolist() for batch in loader]  # by the same processes
    reader = VersionBatches(tiles, 5, seed=3)
    reader.start(1)
    assert second == [batch["position"].tolist() for batch in reader] != alone


def test_a_loader_goes_on_where_another_stood_with_other_workers(tiles):
    def positions(loader):
        return [batch["position"].tolist() for batch in loader]

    whole = Loader(VersionBatches(tiles, 2, seed=3), 0)
    epochs = [positions(whole), positions(whole)]
    assert epochs[0] != epochs[1]
    left = Loader(VersionBatches(tiles, 2, seed=3), 2)
    got = [batch["position"].tolist() for batch in islice(left, 4)]
    other = Loader(VersionBatches(tiles, 2, seed=3), 0)
    other.load_state_dict(json.loads(json.dumps(left.state_dict())))
    for loader in (left, other):
        assert got + positions(loader) == epochs[0]
        assert positions(loader) == epochs[1]


def test_transforms_and_settings_are_kept_by_another_process(tiles):
    batches = VersionBatches(tiles, 4, drop_last=True, loading=Loading(threads=1, verify=True))
    copy = pickle.loads(pickle.dumps(batches))
    assert len(copy) == 3
    for one, other in zip(batches, copy, strict=True):
        assert torch.equal(one["image"], other["image"])
    halves = VersionBatches(tiles, 4, transform=lambda batch: batch["image"].float() / 255)
    assert next(iter(halves)).max() <= 1
    assert VersionDataset(tiles, lambda one: one["labels"].sum())[1] == 2
