"""The page where pictures are made. What it does goes through the API."""

from __future__ import annotations

from typing import Any, cast

from accounts.models import User
from accounts.tiers import limits_for, tier_covers
from generation.words import create_words
from modelhub.selectors import models_for
from pingvas.core.file_sizes import LARGEST_PICTURE
from pingvas.core.pages import SignedInPage
from pingvas.recipe.recipe import script_table
from pingvas.recipe.settings import MODEL, MOST_SEEDS, SEED, SETTINGS

RATIOS = ("1:1", "4:3", "3:4", "3:2", "2:3", "16:9", "9:16")
COUNTS = (1, 2, 4, MOST_SEEDS)


class CreatePage(SignedInPage):
    template_name = "generation/create.html"
    script = "generation/create.js"

    def words(self) -> dict[str, str]:
        return create_words()

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        user = cast(User, self.request.user)
        return super().get_context_data(
            models=[
                {"model": model, "usable": tier_covers(user.tier, model.min_tier)}
                for model in models_for(user)
            ],
            longest_side=limits_for(user.tier).longest_side,
            ratios=RATIOS,
            counts=COUNTS,
            fields={MODEL.name: MODEL, **SETTINGS, SEED.name: SEED},
            sliders=[one for one in SETTINGS.values() if one.slider],
            recipe=script_table(),
            largest_picture=LARGEST_PICTURE,
            **kwargs,
        )
