import numpy as np
import pytest
import tifffile

from curatome.protocol import BuildSettings
from curatome.slides.readers import open_slide
from curatome.tiles import canvas
from curatome.tiles.canvas import Canvas, as_stored
from curatome.tiles.plane import choose_plane
from curatome.units import Mpp


@pytest.fixture
def pyramid(tmp_path):
    """A tiled JPEG TIFF with levels of 1, 4 and 16, of any height."""

    def make(height, width=96):
        ramp = np.linspace(40, 220, height, dtype=np.uint8)[:, None, None]
        whole = np.broadcast_to(ramp, (height, width, 3)).copy()
        path = tmp_path / f"{height}.tif"
        with tifffile.TiffWriter(path) as file:
            options = {"tile": (64, 64), "photometric": "rgb", "compression": "jpeg"}
            file.write(whole, subifds=2, **options)
            for step in (4, 16):
                rows, columns = height // step * step, width // step * step
                blocks = whole[:rows, :columns].reshape(rows // step, step, -1, step, 3)
                file.write(blocks.mean((1, 3)).astype(np.uint8), subfiletype=1, **options)
        return path, whole

    return make


@pytest.mark.parametrize("step", [2.0, 4.0, 16.0])
@pytest.mark.parametrize("more", range(0, 17))
def test_the_last_row_of_a_canvas_can_be_rendered_alone(pyramid, step, more):
    path, whole = pyramid(1024 + more)
    slide = open_slide(path)
    plane = choose_plane(slide.facts.levels, Mpp(0.25, 0.25), 0.25 * step, BuildSettings())
    last = plane.height - 1
    tile = Canvas().tile(slide, plane, (0, last), 8)
    wanted = float(whole[int(last * step) :].mean())
    assert abs(float(tile[0, : min(8, plane.width)].mean()) - wanted) < 8
    assert (tile[1:] == 255).all()


def test_tiles_that_stand_alone_are_those_of_one_canvas(pyramid):
    path, _ = pyramid(1000, 900)  # the last stored tiles are cut
    slide = open_slide(path)
    plane = choose_plane(slide.facts.levels, Mpp(0.25, 0.25), 0.5, BuildSettings())
    assert as_stored(slide, plane)
    corners = [(x, y) for y in (0, 96, 404) for x in (0, 96, 354)]
    boxes = np.array([(x, y, x + 96, y + 96) for x, y in corners], np.int64)
    *_, whole = Canvas().render(slide, plane, boxes)
    alone = Canvas()
    for x, y in corners:
        tile = alone.tile(slide, plane, (x, y), 96)
        assert tile.flags.c_contiguous
        assert np.array_equal(tile, whole.canvas[y : y + 96, x : x + 96])


def test_every_strip_is_a_sign_of_life(pyramid, monkeypatch):
    path, _ = pyramid(1024, 1024)
    slide, told = open_slide(path), []
    monkeypatch.setattr(canvas, "progress", lambda **counts: told.append(counts))
    plane = choose_plane(slide.facts.levels, Mpp(0.25, 0.25), 0.25, BuildSettings())
    Canvas().tile(slide, plane, (0, 0), 1024)
    assert told == [{"blocks": 1}] * 4
