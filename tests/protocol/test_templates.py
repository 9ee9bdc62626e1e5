"""Each template loads, and says the truth in its comments."""

from __future__ import annotations

import re
import tomllib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curatome.errors import ProtocolError
from curatome.protocol import CPIA_SCALES, TASKS, Protocol, nests, parse_protocol, template

SECTIONS = {"reading", "build", "tissue", "split"}


@pytest.mark.parametrize("name", TASKS)
def test_template_loads_as_it_is(name: str) -> None:
    protocol = parse_protocol(template(name, "Thyroid nodules"), "curatome.toml")
    assert (protocol.dataset.title, protocol.dataset.task) == ("Thyroid nodules", name)
    assert bool(protocol.classes) == (name != "pretraining")
    assert all(one.definition for one in protocol.classes)
    assert len({one.color for one in protocol.classes}) == len(protocol.classes)
    assert protocol.gates


@pytest.mark.parametrize("name", TASKS)
def test_lines_fit_on_a_screen(name: str) -> None:
    lines = template(name, "t").splitlines()
    assert not [line for line in lines if len(line) > 100 and not line.startswith("definition")]
    assert not [line for line in lines if "@" in line]


@pytest.mark.parametrize("name", TASKS)
def test_commented_settings_are_the_defaults(name: str) -> None:
    text = template(name, "t")
    kept = parse_protocol(text, "t")
    start = text.index("# ── Scales")
    uncommented = text[:start] + re.sub(r"(?m)^# (?=[a-z_0-9]+ = )", "", text[start:])
    assert parse_protocol(uncommented, "t") == kept
    added = _pairs(tomllib.loads(uncommented)) - _pairs(tomllib.loads(text))
    assert len(added) >= 10


@pytest.mark.parametrize("name", TASKS)
def test_every_setting_of_a_section_is_shown(name: str) -> None:
    sections = SECTIONS - ({"reading"} if name == "pretraining" else set())
    text = re.sub(r"(?m)^# (?=[a-z_0-9]+ = )", "", template(name, "t").split("# ── Scales")[1])
    shown = set(re.findall(r"(?m)^([a-z_0-9]+) = ", text))
    for section in sections - {"reading"}:
        model = Protocol.model_fields[section].annotation
        assert model is not None
        assert set(model.model_fields) - {"group"} <= shown


@pytest.mark.parametrize("name", TASKS)
def test_commented_examples_load_too(name: str) -> None:
    text = template(name, "t")
    start, end = text.index("# [[guideline.changelog]]"), text.index("# ── Scales")
    example = "\n".join(
        line.removeprefix("# ") if re.match(r"# (\[|[a-z_]+ = )", line) else line
        for line in text[start:end].splitlines()
        if line != "#"
    )
    protocol = parse_protocol(text[:start] + example + text[end:], "t")
    assert protocol.guideline.changelog[0].change == "First version."
    assert protocol.cohort.fields["grade"].values == ("G1", "G2", "G3")
    assert protocol.cohort.fields["birth_date"].identifying
    assert protocol.cohort.targets["sex"] == {"female": 50, "male": 50}


def _pairs(data: dict[str, Any]) -> set[str]:
    return {f"{section}.{key}" for section in SECTIONS for key in data.get(section, {})}


def test_numbers_in_comments_are_true() -> None:
    def load(name: str) -> Protocol:
        return parse_protocol(template(name, "t"), "t")

    detection = load("detection").scale("T")
    assert (detection.side_um, (detection.side_px - detection.stride) * detection.mpp) == (128, 16)
    segmentation = load("segmentation")
    assert [segmentation.scale(s).side_um for s in "CT"] == [2048, 512]
    cells = load("cells")
    assert [cells.scale(s).side_um for s in "FN"] == [64, 16]
    assert len(cells.classes) == 9
    classification = load("classification")
    assert [classification.scale(s).side_um for s in "CT"] == [512, 128]
    pretraining = load("pretraining")
    assert pretraining.scales == CPIA_SCALES
    assert [round(s.side_um) for s in pretraining.scales] == [1898, 474, 190, 47]
    assert not nests(pretraining.scale("M"), pretraining.scale("L"))


@settings(deadline=None)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_title_survives(title: str) -> None:
    if not title.strip():
        with pytest.raises(ProtocolError, match="title must not be empty"):
            template("cells", title)
    else:
        protocol = parse_protocol(template("cells", title), "t")
        assert protocol.dataset.title == title.strip()


def test_an_unknown_template_names_the_others() -> None:
    with pytest.raises(ProtocolError, match="no template") as caught:
        template("../x", "t")
    assert all(name in str(caught.value) for name in TASKS)
