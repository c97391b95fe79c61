"""Local pictures are the studio's alone, whatever the system's umask lets others do."""

from __future__ import annotations

import os

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from pingvas.core.storage.local import LocalStore

KEY = "images/user/job/picture.png"


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def modes(root):
    """The rights of everything below `root` and of itself."""
    paths = [root, *root.rglob("*")]
    return {(path.is_dir(), path.stat().st_mode & 0o7777) for path in paths}


@pytest.mark.usefixtures("umask")
def test_pictures_and_folders_are_for_the_studio_alone(tmp_path):
    store = LocalStore(tmp_path / "media" / "deep")
    source = tmp_path / "source"
    source.write_bytes(b"pixels")
    store.put(KEY, b"pixels", content_type="image/png")
    store.put_file("models/x.safetensors", source)
    assert modes(tmp_path / "media") == {(True, 0o700), (False, 0o600)}


def test_a_folder_that_others_could_enter_is_closed_by_the_next_picture(tmp_path):
    root = tmp_path / "media"
    (root / "images").mkdir(parents=True)
    root.chmod(0o755)
    (root / "images").chmod(0o755)
    old = root / "images" / "old.png"
    old.write_bytes(b"pixels")
    old.chmod(0o644)
    LocalStore(root).put(KEY, b"pixels", content_type="image/png")
    # Nobody else comes to what lies below, and nothing is walked through for it.
    assert root.stat().st_mode & 0o7777 == 0o700
    assert old.read_bytes() == b"pixels"


@pytest.mark.usefixtures("umask")
def test_whatever_django_stores_is_private_too(tmp_path, settings):
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.MEDIA_ROOT.mkdir(mode=0o700)
    default_storage.save("folder/x.png", ContentFile(b"pixels"))
    assert modes(settings.MEDIA_ROOT) == {(True, 0o700), (False, 0o600)}
