"""Scripts reach the browser whole: no old module beside a new one, and none late."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test.utils import override_settings

from pingvas.core.static_files import modules_of

IMPORT = re.compile(r'from "([^"]+)"')
HASHED = re.compile(r"\.[0-9a-f]{12}\.js$")


@pytest.fixture
def collected(tmp_path):
    """What production serves."""
    storages = {
        "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
        "staticfiles": {"BACKEND": "pingvas.core.static_files.StaticFiles"},
    }
    with override_settings(STORAGES=storages, STATIC_ROOT=str(tmp_path)):
        call_command("collectstatic", interactive=False, verbosity=0)
        yield tmp_path


def test_of_htmx_the_one_file_that_pages_load_is_served(collected):
    found = collected.glob("django_htmx/**/*.js")
    [script] = [path.name for path in found if not HASHED.search(path.name)]
    assert script == "htmx-2.min.js"


def test_modules_import_each_other_by_names_that_change_with_them(collected):
    seen, waiting = set(), [*collected.glob("generation/create.*.js")]
    waiting += collected.glob("gallery/*.*.js")
    assert waiting
    while waiting:
        module = waiting.pop().resolve()
        if module in seen or not HASHED.search(module.name):
            continue
        seen.add(module)
        for name in IMPORT.findall(module.read_text()):
            assert HASHED.search(name), f"{module.name} imports {name}"
            assert (module.parent / name).exists()
            waiting.append(Path(module.parent / name))
    assert len(seen) > 15


def test_a_page_names_every_module_that_it_will_need():
    modules = modules_of("generation/create.js")
    assert modules[0] == "generation/create.js"
    assert {"generation/tile.js", "pingvas/js/events.js"} <= set(modules)
    assert len(modules) == len(set(modules))
    with pytest.raises(LookupError):
        modules_of("generation/no-such.js")
