"""Repositories of a hub: what is taken, and what becomes of a download that is cut.

In processes of their own: the engine, which the tests have loaded, forbids the hub.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest
from django.db import connection

from modelhub.models import AIModel
from pingvas.core.db.actor import SERVICE, acting_as
from tests.core.programs import ROOT
from tests.workers.engine import checkpoints
from tests.workers.hub_server import COMMIT, REPOSITORY, TOKEN, Hub
from tests.workers.model_files import files_in
from workers.engine.facts import inspect_model
from workers.hub_files import choose_files

WEIGHTS = "unet/diffusion_pytorch_model.safetensors"
FILES = {
    "model_index.json": b"{}",
    "README.md": b"not needed",
    "tokenizer/merges.txt": b"a b",
    "unet/config.json": b'{"a": 1}',
    WEIGHTS: bytes(range(256)) * 2_000,
    "unet/diffusion_pytorch_model.fp16.safetensors": b"half",
    "unet/diffusion_pytorch_model.bin": b"pickle",
}
TAKEN = {name: FILES[name] for name in FILES if "fp16" not in name}
for unwanted in ("README.md", "unet/diffusion_pytorch_model.bin"):
    del TAKEN[unwanted]
FETCH = """
import sys
from pathlib import Path
from workers import hub
hub.SECONDS_A_REPORT, hub.PAUSES, hub.CHUNK = 0.0, (0.01, 0.01), 20_000
try:
    found = hub.fetch_repository(sys.argv[1], Path(sys.argv[2]), tell=print)
except (OSError, ValueError) as error:
    sys.exit(f"{type(error).__name__}: {error}")
print(found)
"""


def environment(hub, **more):
    """Without what the engine sets for all that it starts: the hub is forbidden."""
    ours = {name: value for name, value in os.environ.items() if "OFFLINE" not in name}
    return {**ours, "HF_ENDPOINT": hub.url, **more}


def start(hub, folder, repository=REPOSITORY):
    return subprocess.Popen(
        # Unbuffered: the reason goes another way than what was told before it.
        [sys.executable, "-u", "-c", FETCH, repository, str(folder)],
        cwd=ROOT,
        env=environment(hub, HF_TOKEN=TOKEN),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def fetch(hub, folder, repository=REPOSITORY):
    """The lines that were told; the last is the folder or the reason."""
    said, _ = start(hub, folder, repository).communicate(timeout=120)
    return said.splitlines()


def brought(folder):
    return files_in(folder / COMMIT)


def test_what_a_pipeline_needs_is_brought_with_its_progress(tmp_path):
    with Hub(FILES) as hub:
        said = fetch(hub, tmp_path)
    assert brought(tmp_path) == TAKEN
    assert said[-1] == str(tmp_path / COMMIT)
    assert f"4/4 {WEIGHTS}: 512000 bytes" in said
    assert "  512000 of 512000 bytes" in said
    # The token is the hub's, not the place's that it sends us to.
    assert hub.strangers_told == []


def test_a_connection_that_breaks_is_gone_on_with(tmp_path):
    with Hub(FILES, cuts={WEIGHTS: [100_000, 50_000]}) as hub:
        said = fetch(hub, tmp_path)
    assert brought(tmp_path) == TAKEN
    assert hub.starts(WEIGHTS) == [0, 100_000, 150_000]
    assert "  interrupted at 150000 bytes, trying again" in said


def test_a_server_without_ranges_costs_time_alone(tmp_path):
    with Hub(FILES, cuts={WEIGHTS: [100_000]}, ranges=False) as hub:
        fetch(hub, tmp_path)
    assert brought(tmp_path) == TAKEN


def test_a_killed_download_is_gone_on_with_by_the_next_command(tmp_path):
    part = tmp_path / COMMIT / f"{WEIGHTS}.part"
    with Hub(FILES, pause=0.05) as hub:
        process = start(hub, tmp_path)
        deadline = time.monotonic() + 60
        while not part.exists() or part.stat().st_size < 100_000:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        half, hub.pause = part.stat().st_size, 0.0
        assert 0 < half < len(FILES[WEIGHTS])
        fetch(hub, tmp_path)
    assert brought(tmp_path) == TAKEN
    assert hub.starts(WEIGHTS) == [0, half]


@pytest.mark.parametrize("name", [WEIGHTS, "unet/config.json"])
def test_bytes_of_another_checksum_never_become_a_file(tmp_path, name):
    with Hub(FILES, wrong={name}) as hub:
        said = fetch(hub, tmp_path)
    assert said[-1] == f"ValueError: {name} has another checksum than the hub"
    assert name not in brought(tmp_path)


def test_debris_of_another_download_is_begun_anew(tmp_path):
    part = tmp_path / COMMIT / f"{WEIGHTS}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"\xff" * 1000)
    with Hub(FILES) as hub:
        fetch(hub, tmp_path)
    assert brought(tmp_path) == TAKEN
    assert hub.starts(WEIGHTS) == [1000, 0]


def test_a_hub_that_stays_away_is_said_and_what_came_is_kept(tmp_path):
    with Hub(FILES, cuts={WEIGHTS: [100_000, 0, 0, 0]}) as hub:
        said = fetch(hub, tmp_path)
    assert said[-1].startswith(f"OSError: {WEIGHTS} stopped at 100000 of 512000 bytes")
    assert len(brought(tmp_path)[f"{WEIGHTS}.part"]) == 100_000


def test_a_repository_that_is_not_there_is_named_in_the_reason(tmp_path):
    with Hub(FILES) as hub:
        said = fetch(hub, tmp_path, "someone/else")
    assert any(line.startswith("OSError: the hub does not give it") for line in said)


def test_of_several_precisions_one_is_taken():
    assert WEIGHTS in choose_files(list(FILES))
    half = choose_files(list(FILES), variant="fp16")
    assert "unet/diffusion_pytorch_model.fp16.safetensors" in half
    assert WEIGHTS not in half


def test_shards_are_taken_with_their_index():
    stem = "transformer/diffusion_pytorch_model"
    shards = [f"{stem}-0000{n}-of-00002.safetensors" for n in (1, 2)]
    index = f"{stem}.safetensors.index.json"
    names = ["model_index.json", index, *shards, "flux1-dev.safetensors"]
    assert choose_files(names) == sorted([index, *shards, "model_index.json"])


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["unet/model.safetensors"], "no diffusers-format repository"),
        (["model_index.json", "unet/model.bin"], "unet has pickled weights only"),
    ],
)
def test_a_repository_that_could_not_be_loaded_is_refused_before_it_is_fetched(
    names, reason
):
    with pytest.raises(ValueError, match=reason):
        choose_files(names)


@pytest.mark.django_db(transaction=True)
def test_add_model_registers_a_repository_and_keeps_no_copy(tmp_path):
    folder = checkpoints.build("sd15", tmp_path / "sd15")
    url = "postgresql://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}"
    places = {
        "DATABASE_URL": url.format(**connection.settings_dict),
        "MEDIA_ROOT": str(tmp_path / "media"),
        "MODEL_CACHE_ROOT": str(tmp_path / "cache"),
    }
    with Hub(files_in(folder)) as hub:
        done = subprocess.run(
            [
                *(sys.executable, "-W", "ignore", "manage.py", "add_model"),
                *(REPOSITORY, "--name", "from-hub", "--base", "sd15"),
            ],
            cwd=ROOT,
            env=environment(hub, **places),
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert f"commit {COMMIT}" in done.stderr
    with acting_as(SERVICE):
        model = AIModel.objects.get(name="from-hub")
    assert model.sha256_hash == inspect_model(folder).sha256
    assert not list((tmp_path / "cache").rglob("*.safetensors"))
