"""A recipe comes back as it went: request, row, engine's pass, file, and form."""

from __future__ import annotations

import io
import json
from pathlib import Path

from hypothesis import given, settings
from PIL import Image as PillowImage

from gallery.storage import encode_picture
from generation.api.recipes import RecipeSerializer
from generation.models import GenerationJob
from generation.picture_settings import read_picture_settings
from pingvas.recipe.recipe import Recipe, settings_of
from pingvas.recipe.settings import SETTINGS
from tests.recipe.strategies import BASE, REQUESTS
from workers.engine.specs import PassSpec

PICTURE = PillowImage.new("RGB", (8, 8), "red")


def row_of(recipe):
    """What the table keeps of it, JSON of its columns included."""
    columns = recipe.columns
    columns["advanced_params"] = json.loads(json.dumps(columns["advanced_params"]))
    return GenerationJob(**columns, seed=recipe.seeds[0])


@given(request=REQUESTS)
@settings(max_examples=150, deadline=None)
def test_nothing_is_lost_on_the_way_from_a_request_to_a_file_and_back(request):
    recipe = RecipeSerializer(data=request).recipe()
    assert recipe.problems(base=BASE, longest_side=SETTINGS["width"].high) == {}
    row = row_of(recipe)
    assert Recipe.of_row(row, seeds=recipe.seeds) == recipe
    spec = PassSpec(model=Path("x"), base=BASE, seeds=(7,), **settings_of(row))
    assert spec.facts() == recipe.facts()
    file = encode_picture(PICTURE, recipe.metadata(seed=7)).master
    found = read_picture_settings(io.BytesIO(file))
    assert (found.left_out, found.settings["seeds"]) == ([], [7])
    asked = {**found.settings, "seeds": list(recipe.seeds)}
    again = RecipeSerializer(data=asked).recipe()
    assert again == recipe
