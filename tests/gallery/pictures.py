"""Pictures for tests, stored and recorded as a worker does it."""

from __future__ import annotations

from uuid import uuid4

from PIL import Image as PillowImage

from gallery.models import Image
from gallery.services import record_image
from gallery.storage import encode_picture, store_picture
from generation.models import GenerationJob
from pingvas.core.db.actor import SERVICE, acting_as
from pingvas.core.storage.keys import thumbnail_key

METADATA = {
    "prompt": '작은 별, "quoted"\nsecond line: a cat',
    "negative_prompt": "흐림, low quality",
    "model": "starter",
    "width": 48,
    "height": 32,
    "steps": 20,
    "cfg_scale": 7.5,
    "sampler": "dpmpp_2m_karras",
    "seed": 4294967295,
    "record": {"model": {"base": "sd15", "format": "diffusers", "sha256": "ab" * 32}},
    "notes": [],
}


def encoded(colour="red", size=(48, 32), **over):
    return encode_picture(PillowImage.new("RGB", size, colour), METADATA | over)


def make_job(user, **over):
    values = {
        "user": user,
        "prompt": "a star",
        "model": "starter",
        "width": 64,
        "height": 64,
        "quoted_credits": 5,
        "batch_id": uuid4(),
    }
    with acting_as(SERVICE):
        return GenerationJob.objects.create(**(values | over))


def make_image(user, colour="red", **over) -> Image:
    """A picture of `user`: a job, two objects and a row."""
    job = make_job(user)
    picture = store_picture(encoded(colour, **over), user_id=user.id, source_id=job.id)
    with acting_as(SERVICE):
        return record_image(job_id=job.id, user_id=user.id, picture=picture)


def is_there(store, key):
    return store.size(key) is not None


def objects_of(store, image):
    """Which of the picture's two objects are there."""
    return [is_there(store, key) for key in (image.s3_key, thumbnail_key(image.s3_key))]


def content(store, key):
    return b"".join(store.read(key))
