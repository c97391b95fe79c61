"""`manage.py add_model`: what it takes, what it refuses, and what jobs see of it."""

from __future__ import annotations

import io
import shutil
from concurrent.futures import ThreadPoolExecutor
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from accounts.tiers import Tier
from gallery.models import Image
from gallery.picture_files.reading import read_picture
from generation.models import GenerationJob
from generation.services.submit import submit_jobs
from modelhub.models import AIModel
from modelhub.selectors import ModelNotFound, models_for
from modelhub.services import Checkpoint, ModelNameTaken, register_checkpoint
from pingvas.core.db.actor import SERVICE, acting_as, user_actor
from pingvas.core.storage.base import StorageUnavailable
from pingvas.core.storage.local import LocalStore
from pingvas.core.storage.stores import object_store
from pingvas.recipe.recipe import Recipe
from tests.cast import make_user
from tests.workers.engine import checkpoints, single_files
from tests.workers.model_files import files_in
from workers.checkpoints import describe_files
from workers.engine.engine import Engine
from workers.engine.facts import inspect_model
from workers.engine.single_files import NEEDS
from workers.management.commands.add_model import COMPANION_PARTS
from workers.model_cache import ModelCache
from workers.runner import Runner

pytestmark = pytest.mark.django_db
TOKENS = "tokenizer"
committed = pytest.mark.django_db(transaction=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return checkpoints.build("sd15", tmp_path_factory.mktemp("model") / "sd15")


@pytest.fixture(scope="module")
def single(folder):
    path = folder.with_name("single.safetensors")
    single_files.stable_diffusion("sd15", folder, path)
    return path


@pytest.fixture(autouse=True)
def store(tmp_path, settings):
    settings.MEDIA_ROOT = tmp_path / "media"
    return object_store()


def add(source, name="tiny", base="sd15", **options):
    out = StringIO()
    call_command("add_model", str(source), name=name, base=base, stdout=out, **options)
    return out.getvalue()


def refusal(*args, **options):
    """The reason, which is one line."""
    with pytest.raises(CommandError) as refused:
        add(*args, **options)
    assert "\n" not in str(refused.value)
    return str(refused.value)


def models():
    with acting_as(SERVICE):
        return list(AIModel.objects.order_by("name"))


def stored(store):
    return [each.key for page in store.pages("models") for each in page]


def test_a_folder_is_stored_registered_and_told_in_one_line(folder, store):
    facts = inspect_model(folder)
    said = add(folder)
    assert said == f"tiny: sd15, {facts.file_size} bytes, sha256 {facts.sha256}\n"
    (model,) = models()
    assert (model.sha256_hash, model.file_size) == (facts.sha256, facts.file_size)
    assert (model.is_official, model.is_active, model.min_tier) == (True, True, None)
    assert model.native_side == 512
    assert model.s3_key == f"models/{facts.sha256}"
    assert f"{model.s3_key}/manifest.json" in stored(store)


def test_what_was_added_comes_back_from_the_cache_as_it_was(folder, single, tmp_path):
    add(folder, "folder")
    add(single, "single", companion=str(folder))
    of_file, of_folder = (
        ModelCache(tmp_path / "cache", 10**9).ensure(model)
        for model in sorted(models(), key=lambda model: model.name == "folder")
    )
    assert inspect_model(of_folder.path) == inspect_model(folder)
    assert of_file.path.read_bytes() == single.read_bytes()
    beside = {f"tokenizer/{path}": x for path, x in files_in(folder / TOKENS).items()}
    assert files_in(of_file.companion) == beside


def test_a_checkpoint_of_the_store_is_added_by_its_key(folder, single, store, settings):
    for path, content in files_in(folder).items():
        store.put(f"incoming/pipe/{path}", content, content_type="x/x")
    store.put("incoming/one.safetensors", single.read_bytes(), content_type="x/x")
    add("s3://incoming/pipe/", "folder")
    key = f"s3://{settings.STORAGE_BUCKET}/incoming/one.safetensors"
    add(key, "single", companion="s3://incoming/pipe")
    of_folder, of_file = models()
    assert of_folder.sha256_hash == inspect_model(folder).sha256
    assert of_file.sha256_hash == describe_files(single, folder, (TOKENS,))[0].digest


@pytest.mark.parametrize("source", ["s3://nothing/here", "s3://", "./none", "/none/x"])
def test_a_source_that_is_not_there_is_named(source):
    said = refusal(source)
    assert said.startswith(f"{source}: ")
    assert models() == []


def test_pickled_weights_are_refused_with_the_reason(folder, tmp_path, store):
    copy = shutil.copytree(folder, tmp_path / "pickled")
    (copy / "unet/diffusion_pytorch_model.safetensors").rename(
        copy / "unet/diffusion_pytorch_model.bin"
    )
    assert "refused: " in refusal(copy)
    assert models() == []
    assert stored(store) == []


def test_a_file_that_is_no_checkpoint_is_refused(tmp_path):
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"\0" * 100)
    assert "refused: " in refusal(path)


def test_a_single_file_says_what_it_lacks(single, store):
    said = refusal(single)
    assert "a single file of sd15 holds no tokenizer" in said
    assert "--companion" in said
    assert stored(store) == []


def test_a_companion_that_has_it_neither_is_refused(single, tmp_path, store):
    said = refusal(single, companion=str(tmp_path))
    assert "the companion has no tokenizer either" in said
    assert stored(store) == []


def test_what_a_base_may_lack_is_fetched_of_a_companion():
    assert {base: set(needs) for base, needs in NEEDS.items()} == {
        base: set(parts) for base, parts in COMPANION_PARTS.items()
    }


def test_a_model_of_another_base_is_refused_before_it_is_stored(folder, store):
    assert "this is a sd15 model, not sdxl" in refusal(folder, base="sdxl")
    assert models() == []
    assert stored(store) == []


def test_adding_the_same_twice_renews_what_is_said_of_it(folder, store, monkeypatch):
    add(folder)
    before = stored(store)
    sent = []
    monkeypatch.setattr(LocalStore, "put_file", lambda *args: sent.append(args))
    add(folder, min_tier="pro", description="sharper")
    (model,) = models()
    assert (model.min_tier, model.description) == ("pro", "sharper")
    add(folder)
    (model,) = models()
    assert (model.min_tier, model.description) == (None, "sharper")
    assert stored(store) == before
    assert sent == []


def test_a_model_registered_before_sides_were_known_learns_its_own(folder):
    add(folder)
    with acting_as(SERVICE):
        AIModel.objects.update(native_side=None)
    add(folder)
    assert models()[0].native_side == 512


def test_a_model_that_staff_switched_off_stays_off(folder):
    add(folder)
    with acting_as(SERVICE):
        AIModel.objects.update(is_active=False)
    add(folder)
    assert not models()[0].is_active


def test_other_weights_never_take_a_name_that_means_something(folder, single, store):
    add(folder)
    before = stored(store)
    said = refusal(single, companion=str(folder))
    assert said == f"{single}: Another model has this name."
    assert models()[0].sha256_hash == inspect_model(folder).sha256
    assert stored(store) == before


def test_an_upload_that_was_cut_is_gone_on_with(folder, store, monkeypatch):
    whole, sent = LocalStore.put_file, []

    def cut(store, key, path):
        if len(sent) == 3:
            raise StorageUnavailable
        sent.append(key)
        whole(store, key, path)

    with monkeypatch.context() as broken:
        broken.setattr(LocalStore, "put_file", cut)
        assert "Try again soon" in refusal(folder)
    assert models() == []
    again = []
    monkeypatch.setattr(
        LocalStore,
        "put_file",
        lambda store, key, path: again.append(key) or whole(store, key, path),
    )
    add(folder)
    assert not set(again) & set(sent)
    assert len(models()) == 1


@committed
def test_of_two_who_register_one_name_at_once_one_wins():
    def register(digit):
        checkpoint = Checkpoint(
            name="one",
            base_model="sd15",
            bucket="local",
            key=f"models/{digit}",
            file_size=1,
            sha256=digit * 64,
        )
        try:
            with acting_as(SERVICE):
                return register_checkpoint(checkpoint).sha256_hash
        except ModelNameTaken:
            return None
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(register, "1212"))
    (model,) = models()
    assert {answer for answer in answers if answer} == {model.sha256_hash}
    assert answers.count(None) == 2


@committed
def test_a_single_file_draws_with_what_its_companion_gives(folder, single, tmp_path):
    add(single, companion=str(folder))
    alice = make_user("alice")
    recipe = Recipe(model="tiny", prompt="a star", width=64, height=64, steps=2)
    with acting_as(user_actor(alice.id)):
        (job,) = submit_jobs(user=alice, recipe=recipe)
    runner = Runner(Engine(), ModelCache(tmp_path / "cache", 10**9), [Tier.FREE.value])
    runner.register("test")
    assert runner.run_next()
    with acting_as(user_actor(alice.id)):
        job = GenerationJob.objects.get(id=job.id)
    assert (job.status, job.error_message) == ("completed", None)


@committed
def test_a_model_switched_off_takes_no_new_jobs_and_finishes_the_queued(
    folder, tmp_path
):
    add(folder)
    alice = make_user("alice")
    recipe = Recipe(model="tiny", prompt="작은 별", width=64, height=64, steps=2)
    with acting_as(user_actor(alice.id)):
        (queued,) = submit_jobs(user=alice, recipe=recipe)
    with acting_as(SERVICE):
        AIModel.objects.update(is_active=False)
    with acting_as(user_actor(alice.id)):
        assert not models_for(alice).exists()
        with pytest.raises(ModelNotFound):
            submit_jobs(user=alice, recipe=recipe)
    runner = Runner(Engine(), ModelCache(tmp_path / "cache", 10**9), [Tier.FREE.value])
    runner.register("test")
    assert runner.run_next()
    with acting_as(user_actor(alice.id)):
        assert GenerationJob.objects.get(id=queued.id).status == "completed"
        image = Image.objects.get(job_id=queued.id)
    # The picture itself names the weights that made it.
    content = b"".join(object_store().read(image.s3_key))
    assert read_picture(io.BytesIO(content)).values["prompt"] == "작은 별"
    digest = inspect_model(folder).sha256
    assert f"Model hash: {digest[:10]}, Model: tiny".encode() in content
