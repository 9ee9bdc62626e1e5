"""Small copies of the registered sources, in the layout that each file of the registry cites."""

import io
from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image


def picture(seed, size=(40, 32)):
    """An image of noise, other for each seed."""
    rng = np.random.default_rng(seed)
    return Image.fromarray(rng.integers(0, 256, (size[1], size[0], 3), np.uint8))


def put(path, seed, size=(40, 32)):
    """An image file of the kind its extension says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(seed, size).save(path)
    return path


def encoded(seed, size=(40, 32), kind="PNG"):
    stream = io.BytesIO()
    picture(seed, size).save(stream, kind)
    return stream.getvalue()


def _all(root, names):
    for seed, name in enumerate(names):
        put(root / name, seed)
    return root


def bach(folder):
    root = folder / "ICIAR2018_BACH_Challenge"
    classes = ("Normal", "Benign", "InSitu", "Invasive")
    _all(root, [f"Photos/{c}/{c[0].lower()}{n:03d}.tif" for c, n in product(classes, (1, 2))])
    put(root / "WSI" / "A01.tif", 99)
    return root, {"Normal": 2, "Benign": 2, "InSitu": 2, "Invasive": 2}, {}, {}


def breakhis(folder):
    root = folder / "BreaKHis_v1"
    below = root / "histology_slides" / "breast"
    for seed, mag in enumerate((40, 100, 200, 400)):
        a = f"benign/SOB/adenosis/SOB_B_A_14-22549AB/{mag}X/SOB_B_A-14-22549AB-{mag}-001.png"
        b = f"malignant/SOB/ductal_carcinoma/SOB_M_DC_14-2523/{mag}X/SOB_M_DC-14-2523-{mag}-010.png"
        put(below / a, seed)
        put(below / b, seed + 100)
    parts = {"40": 2, "100": 2, "200": 2, "400": 2}
    return root, {"benign": 4, "malignant": 4}, {}, parts


def camelyon16(folder):
    root = folder / "CAMELYON16"
    names = [f"training/normal/normal_{n:03d}.tif" for n in (1, 2)]
    names += ["training/tumor/tumor_001.tif", "testing/images/test_001.tif"]
    _all(root, names)
    put(root / "testing" / "evaluation" / "test_001_mask.tif", 50)
    return root, {"normal": 2, "tumor": 1}, {"training": 3, "testing": 1}, {}


def _crc(root):
    classes = ("ADI", "BACK", "DEB", "LYM", "MUC", "MUS", "NORM", "STR", "TUM")
    _all(root, [f"{c}/{c}-AAAFLCLY.tif" for c in classes])
    return root, dict.fromkeys(classes, 1), {}, {}


def crc_val_he_7k(folder):
    return _crc(folder / "CRC-VAL-HE-7K")


def nct_crc_he_100k(folder):
    return _crc(folder / "NCT-CRC-HE-100K")


def gashissdb(folder):
    root = folder / "GasHisSDB"
    both = product((160, 120, 80), ("Abnormal", "Normal"))
    _all(root, [f"{size}/{c}/{c}-00001.png" for size, c in both])
    return root, {"Abnormal": 3, "Normal": 3}, {}, {"160": 2, "120": 2, "80": 2}


def kather_2016(folder):
    root = folder / "Kather_texture_2016_image_tiles_5000"
    classes = ("TUMOR", "STROMA", "COMPLEX", "LYMPHO", "DEBRIS", "MUCOSA", "ADIPOSE", "EMPTY")
    _all(root, [f"{n:02d}_{c}/10009_CRC-Prim-HE-{n}.tif" for n, c in enumerate(classes, 1)])
    return root, dict.fromkeys(classes, 1), {}, {}


def lc25000(folder):
    root = folder / "lung_colon_image_set"
    classes = ("colon_aca", "colon_n", "lung_aca", "lung_n", "lung_scc")
    _all(root, [f"{c.split('_')[0]}_image_sets/{c}/{c}1.jpeg" for c in classes])
    return root, dict.fromkeys(classes, 1), {}, {}


def mhist(folder):
    root = folder / "mhist"
    header = "Image Name,Majority Vote Label,Number of Annotators who Selected SSA (Out of 7)"
    rows = [("aaa", "SSA", "train"), ("aab", "HP", "train"), ("aae", "HP", "test")]
    lines = [f"{header},Partition"]
    for seed, (name, label, split) in enumerate(rows):
        lines.append(f"MHIST_{name}.png,{label},5,{split}")
        put(root / "images" / f"MHIST_{name}.png", seed)
    (root / "annotations.csv").write_text("\n".join(lines) + "\n")
    return root, {"HP": 2, "SSA": 1}, {"train": 2, "test": 1}, {}


def midogpp(folder):
    root = folder / "MIDOGpp"
    header = "Slide;Dataset;Tumor;Scanner;Origin;Species"
    rows = [(1, "train", "human breast cancer"), (205, "test", "canine lymphoma")]
    lines = [header]
    for slide, split, tumor in rows:
        lines.append(f"{slide};{split};{tumor};Hamamatsu XR;UMC Utrecht;Human")
        put(root / "images" / f"{slide:03d}.tiff", slide)
    (root / "datasets_xvalidation.csv").write_text("\n".join(lines) + "\n")
    return root, {"human breast cancer": 1, "canine lymphoma": 1}, {"train": 1, "test": 1}, {}


def parquet(path, seeds, labels, rows_per_group=2):
    """Images in a Parquet file as Hugging Face writes them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    images = [{"bytes": encoded(seed, (96, 96)), "path": None} for seed in seeds]
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    table = pa.table({"image": pa.array(images, kind), "label": pa.array(labels)})
    pq.write_table(table, path, row_group_size=rows_per_group)


def pcam(folder):
    root = folder / "PatchCamelyon"
    name = "data/{}-0000{}-of-0000{}-16dc3dbb5f3e.parquet"
    parquet(root / name.format("train", 0, 2), (1, 2, 3), [False, True, True])
    parquet(root / name.format("train", 1, 2), (4,), [False])
    parquet(root / name.format("valid", 0, 1), (5,), [True])
    parquet(root / name.format("test", 0, 1), (6,), [False])
    return root, {"normal": 3, "tumor": 3}, {"train": 4, "valid": 1, "test": 1}, {}


def pcam_kaggle(folder):
    root = folder / "histopathologic-cancer-detection"
    lines = ["id,label"]
    for seed, label in enumerate((0, 1, 0)):
        lines.append(f"{seed:040x},{label}")
        put(root / "train" / f"{seed:040x}.tif", seed)
    (root / "train_labels.csv").write_text("\n".join(lines) + "\n")
    put(root / "test" / f"{9:040x}.tif", 9)
    return root, {"normal": 2, "tumor": 1}, {}, {}


MAKERS = {
    "bach": bach,
    "breakhis": breakhis,
    "camelyon16": camelyon16,
    "crc-val-he-7k": crc_val_he_7k,
    "gashissdb": gashissdb,
    "kather-2016": kather_2016,
    "lc25000": lc25000,
    "mhist": mhist,
    "midogpp": midogpp,
    "nct-crc-he-100k": nct_crc_he_100k,
    "pcam": pcam,
    "pcam-kaggle": pcam_kaggle,
}
"""By name of the source: makes a small copy; its folder, and counts by class, split and part."""


def described(path: Path, text: str) -> Path:
    """A TOML file of a source."""
    path.write_text(text)
    return path
