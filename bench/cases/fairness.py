"""One tenant dumps thousands of jobs: how long do the others wait?"""

from __future__ import annotations

import statistics
from dataclasses import dataclass
from uuid import uuid4

from accounts.models import User
from accounts.tiers import Tier
from bench.filling import FIRST, add_model, empty_tables, fill_users, open_administrator
from bench.report import Ratio
from bench.simulation import Claim, Simulation, plan_arrivals
from generation.models import GenerationJob
from generation.services.schedule import WorkerOffer, claim_jobs
from generation.waiting import waiting
from pingvas.core.db.actor import SERVICE, acting_as
from pingvas.core.db.statements import Statement

SERVERS = 4
# Half of what the servers can do: the dump takes the other half and wants more.
OTHERS_LOAD = 0.5
# Whose dump it is: the dearest plan has ten times the weight of the cheapest.
TENANTS = ("enterprise", "pro")
OFFER = WorkerOffer(worker_id=uuid4(), tiers=list(Tier.values))

# What most queues do: the dearer plan first, then the older job.
_STRICT = Statement.of(
    """
UPDATE generation_jobs SET status = 'in_progress', attempt = attempt + 1,
    started_at = now(), lease_expires_at = now() + interval '1 hour'
WHERE id = (
    SELECT id FROM generation_jobs w WHERE {waiting}
    ORDER BY priority DESC, created_at, id LIMIT 1 FOR UPDATE SKIP LOCKED
)
RETURNING *
    """,
    waiting=waiting("w"),
)


@dataclass(frozen=True)
class Size:
    """Jobs of the dump, and how long the day is, in service times."""

    dumped: int
    until: float


SIZES = {True: Size(dumped=300, until=40), False: Size(dumped=3_000, until=200)}


def measure(*, small: bool, size: Size | None = None) -> list[Ratio]:
    """The others' 95th percentile wait, the tenant having one plan or another."""
    size = size or SIZES[small]
    fair = {tier: _percentile(_waits(claim_fairly, tier, size)) for tier in TENANTS}
    dearest = TENANTS[0]
    strict = _percentile(_waits(claim_strictly, dearest, size))
    return [
        *(_beside_service(tier, wait, size) for tier, wait in fair.items()),
        Ratio(
            name=f"  strict tier priority, dump by {dearest}",
            ours=fair[dearest],
            other=strict,
            unit="service times",
            ratio=fair[dearest] / strict,
            note="the same arrivals, served in order of priority and age; who still "
            f"waits at the end, after {size.until:.0f} service times, counts with that",
        ),
    ]


def _beside_service(tier: str, wait: float, size: Size) -> Ratio:
    return Ratio(
        name=f"others' p95 wait, dump by {tier}",
        ours=wait,
        other=1.0,
        unit="service times",
        ratio=wait,
        goal="<= 10",
        note=f"{SERVERS} servers; {size.dumped:,} jobs dumped at once; 40 others of "
        f"free, starter and pro ask for {OTHERS_LOAD:.0%} of the servers; real "
        "submissions, claims and settlements on a virtual clock",
    )


def claim_fairly() -> GenerationJob | None:
    with acting_as(SERVICE):
        jobs = claim_jobs(OFFER)
    return jobs[0] if jobs else None


def claim_strictly() -> GenerationJob | None:
    with acting_as(SERVICE):
        jobs = list(GenerationJob.objects.raw(_STRICT.text))
    return jobs[0] if jobs else None


def _waits(claim: Claim, tier: str, size: Size) -> list[float]:
    """The waits of everybody but the tenant."""
    tenant, others = _people(tier)
    simulation = Simulation(claim, SERVERS)
    for _ in range(size.dumped):
        simulation.plan(0.0, tenant)
    rate = OTHERS_LOAD * SERVERS
    plan_arrivals(simulation, others, rate=rate, until=size.until)
    simulation.run(size.until)
    return [wait for user in others for wait in simulation.waits.get(user.id, [])]


def _people(tier: str) -> tuple[User, list[User]]:
    groups = {"free": 16, "starter": 14, "pro": 10}
    with open_administrator() as admin:
        empty_tables(admin)
        fill_users(admin, FIRST, 1, tier=tier)
        first = FIRST + 1
        for group, members in groups.items():
            fill_users(admin, first, members, tier=group)
            first += members
    add_model()
    with acting_as(SERVICE):
        tenant, *others = User.objects.order_by("id")
    return tenant, others


def _percentile(waits: list[float]) -> float:
    return statistics.quantiles(waits, n=20)[-1]
