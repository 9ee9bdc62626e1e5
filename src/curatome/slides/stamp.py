"""Whether a slide is still the one that was registered, over all of its files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from curatome.errors import StorageError
from curatome.hashes import settings_hash
from curatome.location import Location, file_name, file_stamps
from curatome.slides.files import slide_at


def slide_stamps(places: Iterable[Location]) -> dict[Location, str | None]:
    """What changes when a file of a slide does: replaced, added or lost.

    A slide of one file has the stamp of that file. One of several (the instances of a DICOM
    series, a MIRAX data folder, the images of a Hamamatsu VMS or VMU index) has the number of its
    files and a hash over the name and stamp of each.

    Args:
        places: the file of each slide that is opened.

    Returns:
        None for a slide whose file is not there; slides whose store cannot be asked are absent.
    """
    files: dict[Location, tuple[Location, ...]] = {}
    for place in places:
        try:
            files[place] = slide_at(place).files
        except OSError:
            files[place] = (place,)  # its folder, its index or itself is gone
        except StorageError:
            continue
    stamps = file_stamps({file for group in files.values() for file in group})
    return {
        place: _together(place, group, stamps)
        for place, group in files.items()
        if all(file in stamps for file in group)
    }


def _together(
    place: Location, files: tuple[Location, ...], stamps: Mapping[Location, str | None]
) -> str | None:
    own = stamps[place]
    if own is None or len(files) == 1:
        return own
    return f"{len(files)}-{settings_hash([(file_name(file), stamps[file]) for file in files])}"
