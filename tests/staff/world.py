"""What the staff console's tests begin with: people of each role, and rows to see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.staff_groups import sync_staff_groups
from billing.models import CreditHold, CreditTransaction, Subscription
from billing.services.grants import adjust_credits
from billing.services.holds import place_holds
from gallery.models import Image
from generation.models import GenerationJob, Worker
from modelhub.models import AIModel
from pingvas.core.db.actor import SERVICE, acting_as
from pingvas.core.db.functions import Now
from tests.billing.factories import make_job, make_owner


@dataclass
class Rows:
    """One user with one row of everything; the job waits."""

    user: User
    job: GenerationJob
    image: Image
    model: AIModel
    worker: Worker
    subscription: Subscription
    posting: CreditTransaction
    hold: CreditHold


def staff_client(name: str, *groups: str, superuser: bool = False) -> Client:
    """A signed-in member of staff."""
    sync_staff_groups()
    member = make_owner(name, is_staff=True, is_superuser=superuser)
    with acting_as(SERVICE):
        member.groups.set(Group.objects.filter(name__in=groups))
    client = Client()
    client.force_login(member)
    return client


def make_rows(name: str) -> Rows:
    user = make_owner(name)
    done = make_job(user.id, "completed", completed_at=Now(), timings={"denoising": 9})
    job = make_job(user.id, quoted_credits=2)
    with acting_as(SERVICE):
        posting = adjust_credits(
            user_id=user.id, amount=50, reason="welcome", staff_id=uuid4()
        )
        place_holds(user_id=user.id, amounts={job.id: 2})
        return Rows(
            user=user,
            job=job,
            image=_image(user, done),
            model=AIModel.objects.create(
                name=f"starter-{name}",
                type="main",
                base_model="sd15",
                is_official=True,
                min_tier=None,
            ),
            worker=Worker.objects.create(
                name=f"worker-{name}",
                tiers=["free"],
                hardware_class="cpu",
                device_memory=8 * 2**30,
            ),
            subscription=Subscription.objects.create(
                user=user,
                lemon_squeezy_id=str(uuid4()),
                tier="pro",
                status="active",
                current_period_start=Now(),
                current_period_end=Now(),
            ),
            posting=posting,
            hold=CreditHold.objects.get(job=job),
        )


def _image(user: User, job: GenerationJob) -> Image:
    return Image.objects.create(
        user=user,
        job=job,
        s3_bucket="local",
        s3_key=f"{uuid4()}.png",
        width=64,
        height=64,
        file_size=1000,
    )


def list_page(model: Any) -> str:
    return reverse(f"admin:{model._meta.label_lower.replace('.', '_')}_changelist")


def row_page(row: Any, page: str = "change") -> str:
    return reverse(
        f"admin:{row._meta.label_lower.replace('.', '_')}_{page}", args=[row.pk]
    )
