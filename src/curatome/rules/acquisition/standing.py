"""ACQ001 to ACQ014: found when slides are added and built; `check` shows what stands."""

from __future__ import annotations

from collections.abc import Iterable

from curatome.findings import Finding, Severity
from curatome.rules.rule import Inputs, Rule


def _elsewhere(_: Inputs) -> Iterable[Finding]:
    """Found by other commands, which have the slide's file open."""
    return ()


def _rule(  # noqa: D417
    known: tuple[str, str, Severity], *, by: str, what: str, why: str, bad: str, good: str, fix: str
) -> Rule:
    """A rule of which other commands find the findings.

    Args:
        known: its code, name and severity.
        by: the commands.
    """
    code, name, severity = known
    commands = " and ".join(f"`curatome {one}`" for one in by.split(" and "))
    return Rule(
        code=code,
        name=name,
        severity=severity,
        scope="dataset",
        needs=(),
        what=what,
        why=why,
        bad=bad,
        good=good,
        fix=fix,
        method=f"Found by {commands} from the slide's file and tables; `curatome check` shows what "
        "stands. It looks for nothing itself, and so promises nothing.",
        look=_elsewhere,
    )


RULES = (
    _rule(
        ("ACQ001", "unreadable-slide", Severity.ERROR),
        by="add and build",
        what="A slide cannot be read. The file cannot be opened, decoded or read to its end, or "
        "reading it took too long or too much memory. The message names the file and the "
        "stage.",
        why="A slide that fails halfway would give a dataset with holes that nobody sees. It is "
        "left out as a whole.",
        bad="An SVS file whose copy broke off at 60 %.",
        good="A file that opens, decodes and reads to its end.",
        fix="Copy the file again from the scanner or the archive and run `curatome add` and "
        "`curatome build` once more, or leave it out.",
    ),
    _rule(
        ("ACQ002", "no-scale", Severity.ERROR),
        by="add",
        what="A slide has no scale. Neither its file, nor the table of slides, nor a person says "
        "how many µm a pixel is.",
        why="Without it, a tile's field of view is unknown, and a guess puts cells of one size "
        "beside cells of twice that size.",
        bad="A PNG exported from a viewer, which records no µm per pixel.",
        good="0.2528 µm/px from the scanner, from a table, or measured.",
        fix="Look it up, or measure something of known size on the slide, and run `curatome "
        "slides set-mpp FILE MPP`; or fill in the column `mpp` of the table of slides.",
    ),
    _rule(
        ("ACQ003", "absurd-scale", Severity.ERROR),
        by="add",
        what="A scale is absurd. It lies outside of 0.05 to 20 µm/px, or is not a positive number.",
        why="Image programs write a default of 72 or 96 dpi, which is 352.8 or 264.6 µm/px, into "
        "files that they export.",
        bad="352.8 µm/px, which is 72 dpi.",
        good="0.05 to 20 µm/px.",
        fix="Set the true value with `curatome slides set-mpp FILE MPP`.",
    ),
    _rule(
        ("ACQ004", "oblong-pixels", Severity.ERROR),
        by="add",
        what="Pixels are not square. The scales of the two axes differ by more than 1 %.",
        why="Scanners have square pixels. Two different numbers mostly mean that one is wrong, "
        "and tiles would be stretched.",
        bad="0.25 µm/px along x and 0.50 along y.",
        good="Scales of the two axes within 1 %.",
        fix="Set the true value with `curatome slides set-mpp FILE MPP`, with two numbers if the "
        "axes do differ.",
    ),
    _rule(
        ("ACQ005", "same-slide-twice", Severity.WARNING),
        by="add",
        what="Several files hold the same slide. Their content is identical. It is registered "
        "once.",
        why="A copy under another name can belong to another case by mistake, and would be "
        "counted twice or fall on both sides of a split.",
        bad="S12.svs and copy-of-S12.svs.",
        good="Every slide is one file, or one set of files.",
        fix="Remove the copies. If they should be different slides, one was exported wrongly.",
    ),
    _rule(
        ("ACQ006", "other-kind-of-image", Severity.WARNING),
        by="add",
        what="A slide is of a kind that is not standardized. It is fluorescence, has several "
        "channels, focal planes or time points, or is not 8-bit RGB.",
        why="Tissue detection, color and compression are made for bright-field images; others "
        "would pass and be wrong.",
        bad="A fluorescence scan of five channels.",
        good="8-bit RGB of a section stained for bright field.",
        fix="Leave it out, or export it as 8-bit RGB if it was stained for bright field.",
    ),
    _rule(
        ("ACQ007", "too-coarse", Severity.WARNING),
        by="build",
        what="A slide is too coarse for a scale. It would have to be enlarged by more than "
        "`max_enlargement`.",
        why="Enlarged tiles are blurred, and a model can tell by the blur where a slide comes "
        "from.",
        bad="A slide of 1.0 µm/px, and a scale of 0.5.",
        good="A slide as fine as the finest scale.",
        fix="Scan it at a higher power, leave it out, or raise `max_enlargement` under `[build]`. "
        "The other scales of the slide are built.",
    ),
    _rule(
        ("ACQ008", "no-tissue", Severity.WARNING),
        by="build",
        what="No tissue was found. The slide gives no tile.",
        why="It is either empty, or so pale that its tissue was missed.",
        bad="A slide on which the section was lost, or so pale that it was missed.",
        good="A slide with tissue that the outline in the report follows.",
        fix="Look at it. If there is tissue, raise `sensitivity` under `[tissue]`.",
    ),
    _rule(
        ("ACQ009", "slide-changed", Severity.ERROR),
        by="build",
        what="A slide has changed on disk, or is gone. Its file is not the one that was "
        "registered.",
        why="Tiles of a changed file would carry the hash of the old one.",
        bad="A slide that was exported anew under its old name.",
        good="Files that are what they were when they were registered.",
        fix="Run `curatome add` with its present place.",
    ),
    _rule(
        ("ACQ010", "table-and-file-disagree", Severity.WARNING),
        by="add",
        what="Table and file disagree on the scale. They differ by more than 1 %. The table's is "
        "used.",
        why="One of them is wrong, and with it the size of everything on the slide.",
        bad="0.25 in slides.csv, 0.50 in the file.",
        good="One scale, wherever it is written.",
        fix="Check which is right; then empty or correct the table's cell, or set it with "
        "`curatome slides set-mpp`.",
    ),
    _rule(
        ("ACQ011", "scale-against-objective", Severity.WARNING),
        by="add",
        what="The scale does not fit the objective. A 20× scan usually has about 0.5 µm/px, a 40× "
        "scan 0.25; this one is off by a factor of more than 1.6.",
        why="It is the sign of a scale that was taken from another level, or typed from another "
        "scanner.",
        bad="A 40× scan of 1.0 µm/px.",
        good="A 40× scan of 0.25 µm/px.",
        fix="Measure something of known size on it; if the scale is wrong, set it with `curatome "
        "slides set-mpp`.",
    ),
    _rule(
        ("ACQ012", "unusual-scale-set", Severity.NOTE),
        by="slides set-mpp",
        what="A person set an unusual scale. It would have been held back, had it come from the "
        "file. It is used.",
        why="It may be a slip of the pen, such as 25 for 0.25.",
        bad="`curatome slides set-mpp S12 25`, a slip for 0.25.",
        good="`curatome slides set-mpp S12 0.25`.",
        fix="Nothing if it is meant; else set it again.",
    ),
    _rule(
        ("ACQ013", "row-without-slide", Severity.WARNING),
        by="add",
        what="A row of a table is about no slide. No registered slide has that path or name.",
        why="What the row says (the case, the scale) is lost for the slide it was meant for.",
        bad="A row for S12.svs, where the slide is S12.ndpi.",
        good="Every row names a registered slide, by path or name.",
        fix="Correct the name in the table, or add the slide with `curatome add`.",
    ),
    _rule(
        ("ACQ014", "no-tile-of-scale", Severity.NOTE),
        by="build",
        what="A slide gives no tile of a scale. It is too small, or no place of that size holds "
        "enough tissue.",
        why="Small biopsies can be missing from the largest scale altogether.",
        bad="A needle biopsy and a scale of 2 mm fields.",
        good="A slide that gives tiles of every scale.",
        fix='Set `edge = "pad"` under `[build]`, or lower `min_tissue` of the scale, if such '
        "tiles are wanted.",
    ),
)
