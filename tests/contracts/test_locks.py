"""The digests by which images install: of every package, at the tested version."""

from __future__ import annotations

import re

import pytest

from tests.contracts.house import ROOT

ENTRY = re.compile(
    r"^([a-z0-9][a-z0-9._-]*)==([^\s;\\]+)(?: ; ([^\\]+))?((?: \\\n.*)*)$"
)
# torch from the registry brings these; the tests' own is for processors alone.
FOR_GPUS = re.compile(r"(nvidia|cuda)-[a-z0-9-]+|triton")
# `pip freeze`, which makes constraints.txt, leaves it out.
UNFROZEN = {"setuptools"}


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def read(name):
    return (ROOT / name).read_text(encoding="utf-8")


def pins(text):
    found = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;]+)", text, re.M)
    return {canonical(name): version for name, version in found}


def entries(part):
    """Name, version, marker and digests of everything in a lock."""
    text = read(f"requirements-lock-{part}.txt")
    for block in re.split(r"\n(?=[a-z])", text.partition("\n")[2].strip()):
        match = ENTRY.match(block)
        assert match, block
        yield match[1], match[2], match[3] or "", re.findall(r"sha256:(\S+)", match[4])


@pytest.mark.parametrize("part", ["web", "worker"])
def test_every_package_has_digests_and_comes_from_no_named_place(part):
    for name, _, _, digests in entries(part):
        assert digests, name
        assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in digests), name
    text = read(f"requirements-lock-{part}.txt")
    assert not re.search(r"://|^\s*--(?!hash=)|@ ", text, re.MULTILINE)


@pytest.mark.parametrize("part", ["web", "worker"])
def test_the_versions_are_those_that_the_tests_run_with(part):
    tested = pins(read("constraints.txt"))
    for name, version, marker, _ in entries(part):
        if canonical(name) in tested:
            assert version == tested[canonical(name)], name
        else:
            assert name in UNFROZEN or FOR_GPUS.fullmatch(name) or is_for_others(marker)


def is_for_others(marker):
    """Whether the package is for another system or another Python than the tests'."""
    return bool(
        re.search(
            r"sys_platform == '(win32|emscripten)'"
            r"|python_full_version < '3\.11\.3'"
            r"|python_full_version >= '3\.12'",
            marker,
        )
    )


@pytest.mark.parametrize("part", ["web", "worker"])
def test_everything_that_is_asked_for_is_locked(part):
    asked = pins(read("requirements-web.txt"))
    if part == "worker":
        asked |= pins(read("requirements-worker.txt"))
    locked = {canonical(name): version for name, version, _, _ in entries(part)}
    assert asked.items() <= locked.items()


def test_the_worker_builds_on_what_the_web_has():
    web = {(name, version) for name, version, _, _ in entries("web")}
    worker = {(name, version) for name, version, _, _ in entries("worker")}
    assert web <= worker


def test_images_install_by_digest_and_nothing_besides():
    lines = re.findall(r"^RUN (pip install .*)$", read("Dockerfile"), re.MULTILINE)
    assert lines == [
        f"pip install --require-hashes -r requirements-lock-{part}.txt"
        for part in ("web", "worker")
    ]
