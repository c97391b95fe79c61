"""Every operation of the OpenAPI document, with values that nobody would think of.

Schemathesis sends them as each of two signed-in users: no 5xx, no status and no body
that the document does not describe, and nothing of the other user's in any answer.
"""

from __future__ import annotations

import pytest
import schemathesis
from django.core.wsgi import get_wsgi_application
from django.test import override_settings
from drf_spectacular.generators import SchemaGenerator
from hypothesis import HealthCheck, settings
from schemathesis import checks
from schemathesis.specs.openapi import checks as openapi_checks

from accounts.tokens import issue_tokens
from gallery.models import Image
from generation.models import GenerationJob
from generation.services.submit import submit_jobs
from modelhub.models import AIModel
from pingvas.core.db.actor import SERVICE, acting_as, user_actor
from pingvas.recipe.recipe import Recipe
from tests.cast import make_user

schema = schemathesis.openapi.from_dict(SchemaGenerator().get_schema(public=True))
schema.app = get_wsgi_application()

CHECKS = [
    checks.not_a_server_error,
    openapi_checks.status_code_conformance,
    openapi_checks.content_type_conformance,
    openapi_checks.response_schema_conformance,
]


@pytest.fixture(scope="module")
def generous(django_db_setup):
    """Limits that thousands of examples do not reach."""
    free = {"submissions": 10**9, "waiting": 10**6}
    with override_settings(
        TIER_OVERRIDES={"free": free},
        API_REQUESTS_PER_MINUTE=10**9,
        API_PICTURES_PER_MINUTE=10**9,
    ):
        yield


class Person:
    """A signed-in user with a job and a picture; `secrets` are the ids of those."""

    def __init__(self, name):
        self.user = make_user(name)
        with acting_as(user_actor(self.user.id)):
            recipe = Recipe(
                model="starter", prompt=f"{name}'s secret", width=64, height=64
            )
            [job] = submit_jobs(user=self.user, recipe=recipe)
        with acting_as(SERVICE):
            image = Image.objects.create(
                user=self.user,
                job=job,
                s3_bucket="local",
                s3_key=f"{name}.png",
                width=64,
                height=64,
                file_size=1,
                metadata={"prompt": f"{name}'s secret"},
            )
        self.job, self.image = job, image
        self.secrets = {str(job.id), str(image.id), f"{name}'s secret", self.user.email}

    @property
    def headers(self):
        """Signed in anew each time: an example may have signed out everywhere."""
        return {"Authorization": f"Bearer {issue_tokens(user=self.user).access}"}


@pytest.fixture
def people(transactional_db, generous):
    with acting_as(SERVICE):
        AIModel.objects.create(
            name="starter",
            type="main",
            base_model="sd15",
            is_official=True,
            min_tier=None,
        )
    return [Person("alice"), Person("bob")]


@schema.parametrize()
@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    derandomize=True,
)
def test_operation(case, people):
    for person, other in (people, people[::-1]):
        for name in ("job_id", "image_id"):
            if name in (case.path_parameters or {}):
                case.path_parameters[name] = str(getattr(other, name[:-3]).id)
        response = case.call(headers=person.headers)
        case.validate_response(response, checks=CHECKS)
        assert not [secret for secret in other.secrets if secret in response.text]


def test_the_others_things_are_not_there(client, people):
    alice, bob = people
    for path in (f"jobs/{bob.job.id}", f"images/{bob.image.id}"):
        answer = client.get(f"/api/v1/{path}", headers=alice.headers)
        assert answer.status_code == 404
    with acting_as(user_actor(bob.user.id)):
        assert GenerationJob.objects.get(id=bob.job.id).status == "queued"
