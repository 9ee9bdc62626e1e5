"""The pages under docs/ say what the source says."""

import re
import runpy
from pathlib import Path

import pytest

from curatome.rules.registry import all_rules

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
CODE = re.compile(r'"([A-Z]{3}[0-9]{3})"')


def test_generated_parts_are_up_to_date():
    generate = runpy.run_path(str(ROOT / "docs" / "generate.py"))
    pages = dict(generate["pages"]())
    assert {"protocol.md", "build.md", "slides.md"} <= {path.name for path in pages}
    for path, text in pages.items():
        assert path.read_text(encoding="utf-8") == text, f"{path.name}: run `make docs`"


def test_every_key_of_the_protocol_is_explained():
    text = (ROOT / "docs" / "protocol.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \| (.*) \|$", text, flags=re.M)
    assert len(rows) > 40
    assert all(meaning.strip() for *_, meaning in rows)


def test_every_code_of_the_source_is_documented_and_no_other():
    sources = [path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py")]
    used = {code for text in sources for code in CODE.findall(text)}
    rules = {rule.code for rule in all_rules()}
    text = (ROOT / "docs" / "findings.md").read_text(encoding="utf-8")
    assert _sections(text) == sorted(used - rules)
    pages = sorted((ROOT / "docs" / "rules").glob("[A-Z]*.md"))
    documented = [code for page in pages for code in _sections(page.read_text(encoding="utf-8"))]
    assert documented == sorted(rules)
    for page in (ROOT / "docs" / "findings.md", *pages):
        for section in re.split(r"^## ", page.read_text(encoding="utf-8"), flags=re.M)[1:]:
            assert {"**Why it matters.**", "**What to do.**"} <= set(
                re.findall(r"\*\*.+?\*\*", section)
            ), section


def _sections(text):
    return re.findall(r"^## ([A-Z]{3}[0-9]{3})\b", text, flags=re.M)


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+?)(?:#[^)]*)?\)", text):
        if not target.startswith(("http", "mailto")):
            assert (page.parent / target).exists(), target
