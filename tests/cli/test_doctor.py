"""`curatome doctor`."""

import pytest

from curatome.workflows import doctor


def test_this_installation_works(run, here):
    result = run("doctor", here, "--json")
    assert result.code == 0
    checks = {check["name"]: check for check in result.json["checks"]}
    assert all(check["ok"] for check in checks.values()), checks
    assert {"Python", "Slides", "JPEG", "TIFF", "Resampling", "Children", "Disk"} <= set(checks)
    assert str(here) in checks["Disk"]["detail"]
    assert [
        path.name for path in here.iterdir() if path.name not in ("curatome.toml", "slides")
    ] == []


def test_what_does_not_work_is_told_with_a_remedy(run, here, monkeypatch):
    def fail(_folder):
        raise RuntimeError("pixels come back 40 gray levels off")

    checks = [("JPEG", "Install it again.", fail), *doctor._CHECKS[:2]]
    monkeypatch.setattr(doctor, "_CHECKS", tuple(checks))
    result = run("doctor", here)
    assert result.code == 2
    assert "FAIL JPEG" in result.out
    assert "RuntimeError: pixels come back 40 gray levels off" in result.out
    assert "→ Install it again." in result.out
    assert result.out.count("ok  ") == 2


@pytest.mark.parametrize("off", [13, 200])
def test_a_decoder_that_is_off_is_found(run, here, monkeypatch, off):
    import simplejpeg

    decode = simplejpeg.decode_jpeg
    monkeypatch.setattr(simplejpeg, "decode_jpeg", lambda data: decode(data) // 2 + off // 2)
    result = run("doctor", here, "--json")
    assert result.code == 2
    failed = [check["name"] for check in result.json["checks"] if not check["ok"]]
    assert failed == ["JPEG"]


def test_a_folder_that_is_not_there(run, here):
    result = run("doctor", here / "nowhere", "--json")
    assert result.code == 2
    assert [check["name"] for check in result.json["checks"] if not check["ok"]] == ["Disk"]
