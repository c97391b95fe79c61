"""The README's pictures are there, are the script's, and stay small."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image

from demo.screenshots import FOLDER, LARGEST_SUM, check_size
from pingvas.local.errors import LocalError

ROOT = Path(__file__).parents[2]
PICTURE = re.compile(r"docs/screenshots/[\w-]+\.webp")


@pytest.mark.parametrize("name", ["README.md", "README.ko.md"])
def test_every_picture_of_the_readme_is_there(name):
    shown = PICTURE.findall((ROOT / name).read_text())
    assert len(shown) >= 7
    for path in shown:
        with Image.open(ROOT / path) as picture:
            assert picture.width >= 390


def test_every_picture_is_one_that_the_script_takes():
    script = (ROOT / "demo" / "screenshots.py").read_text()
    taken = set(re.findall(r'camera\.shoot\(page, "([\w-]+)"\)', script))
    for name in re.findall(r'camera\.shoot_both\(page, "([\w-]+)"\)', script):
        taken |= {name, f"{name}-dark"}
    assert {path.stem for path in FOLDER.iterdir()} == taken


def test_the_pictures_stay_small_in_sum(monkeypatch, tmp_path, capsys):
    check_size()
    assert "kB in all" in capsys.readouterr().out
    (tmp_path / "large.webp").write_bytes(b"0" * (LARGEST_SUM + 1))
    monkeypatch.setattr("demo.screenshots.FOLDER", tmp_path)
    with pytest.raises(LocalError, match="at most"):
        check_size()
