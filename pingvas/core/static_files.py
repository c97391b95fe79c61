"""Scripts and styles as browsers fetch them."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from posixpath import dirname, join, normpath

from django.contrib.staticfiles import finders
from django.contrib.staticfiles.apps import StaticFilesConfig as DjangoStaticFiles
from whitenoise.storage import CompressedManifestStaticFilesStorage

_IMPORT = re.compile(r'^import .*?from "(\.[^"]+)";', re.M)


class StaticFilesConfig(DjangoStaticFiles):
    """Collects no files of packages that no page uses.

    Some of django-htmx's name files that it does not bring, which ends the collecting.
    """

    ignore_patterns = (
        *DjangoStaticFiles.ignore_patterns,
        "django_htmx/ext/*",
        "django_htmx/htmax-*",
        "django_htmx/htmx-4*",
        "django_htmx/htmx-2.js",
        "django_htmx/django-htmx.js",
    )


class StaticFiles(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """For production: names that change with the content, also inside of modules.

    Else a new module would import an old one that the browser still keeps.
    """

    support_js_module_import_aggregation = True


@cache
def modules_of(script: str) -> tuple[str, ...]:
    """`script` and every module that it imports, near or far.

    Named in the page's head, they are fetched side by side, not one after another.
    """
    found, waiting = [script], [script]
    while waiting:
        module = waiting.pop()
        path = finders.find(module)
        if path is None:
            raise LookupError(f"no static file {module}")
        for name in _IMPORT.findall(Path(path).read_text(encoding="utf-8")):
            imported = normpath(join(dirname(module), name))
            if imported not in found:
                found.append(imported)
                waiting.append(imported)
    return tuple(found)
