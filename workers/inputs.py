"""Pictures that jobs read, as their worker finds them."""

from __future__ import annotations

from generation.models import GenerationJob
from generation.services.inputs import has_lost_an_input
from pingvas.recipe.recipe import Recipe
from workers.engine.errors import EngineError
from workers.service import as_service


class InputGone(EngineError):
    """A picture that the job reads was deleted while it waited."""

    code = "input_gone"


def refuse_lost_inputs(job: GenerationJob) -> None:
    """InputGone where one of the job's pictures is; asks for jobs that name any."""
    if not Recipe.of_row(job, seeds=()).pictures:
        return
    with as_service():
        is_lost = has_lost_an_input(job.id)
    if is_lost:
        raise InputGone("a picture that it reads was deleted")
