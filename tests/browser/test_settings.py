"""The form of Create: sizes that suit the model, and settings out of a file."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

from gallery.metadata import png_chunks
from modelhub.models import AIModel, BaseModel, ModelType
from pingvas.core.db.actor import SERVICE, acting_as
from pingvas.core.file_sizes import LARGEST_PICTURE
from tests.gallery.picture_files import image_bytes, png, with_comment

pytestmark = pytest.mark.browser

SETTINGS = {
    "prompt": "파란 배경의 노란 별",
    "negative_prompt": "blurry",
    "model": "tiny",
    "width": 96,
    "height": 64,
    "steps": 7,
    "cfg_scale": 3.5,
    "sampler": "heun",
    "seed": 4_000_000_000,
}
# Drops a file on the page as a file manager would.
# `content`: its bytes, or only how many.
DROP = """([name, content]) => {
  const data = new DataTransfer();
  data.items.add(new File([new Uint8Array(content)], name, { type: "image/png" }));
  for (const kind of ["dragover", "drop"]) {
    const event = { bubbles: true, cancelable: true, dataTransfer: data };
    document.querySelector("#jobs").dispatchEvent(new DragEvent(kind, event));
  }
}"""


@pytest.fixture(scope="module")
def models(model):
    """One that was trained on large pictures, and one of a higher plan."""
    with acting_as(SERVICE):
        for name, tier in ("vast", None), ("zenith", "pro"):
            AIModel.objects.create(
                name=name,
                type=ModelType.MAIN,
                base_model=BaseModel.SDXL,
                is_official=True,
                min_tier=tier,
                native_side=1024,
            )
        return AIModel.objects.get(name="tiny").native_side


@pytest.fixture
def page(enter, person, models):
    return enter(person, "/create")


def own_png(**settings):
    return image_bytes("PNG", pnginfo=png_chunks(SETTINGS | settings))


def drop(page, content, name="star.png"):
    page.evaluate(DROP, [name, list(content)])


def size(page):
    return [page.locator(f"#{name}").input_value() for name in ("width", "height")]


def choose(page, group, value):
    page.locator(f'[name="{group}"][value="{value}"]').check(force=True)


def test_the_size_starts_at_the_models_own_and_follows_the_model(page, models):
    own = str(models)
    assert size(page) == [own, own]
    expect(page.locator("#size-hint")).to_have_text(f"This model draws best at {own}.")
    page.locator("#model").select_option("vast")
    assert size(page) == ["1024", "1024"]
    choose(page, "ratio", "16:9")
    assert size(page) == ["1024", "576"]
    choose(page, "side", "512")
    assert size(page) == ["512", "288"]
    expect(page.locator("#size-hint")).to_contain_text("knows pictures of 1024")
    page.locator("#model").select_option("tiny")
    assert size(page) == ["512", "288"]


def test_what_the_plan_does_not_allow_is_shown_with_its_reason(page):
    zenith = page.locator('#model option[value="zenith"]')
    expect(zenith).to_be_disabled()
    expect(zenith).to_have_text("zenith (from the Pro plan)")
    page.locator("#model").select_option("vast")
    for side, is_open in ("1024", True), ("1536", False), ("2048", False):
        radio = page.locator(f'[name="side"][value="{side}"]')
        expect(radio).to_be_enabled(enabled=is_open)
    expect(page.locator("#size-hint")).to_contain_text("Your plan ends at 1024.")


def test_a_dropped_picture_brings_its_settings_back(page):
    drop(page, own_png())
    expect(page.locator("#prompt")).to_have_value(SETTINGS["prompt"])
    expect(page.locator("#prompt")).to_be_focused()
    expect(page.locator("#negative_prompt")).to_have_value("blurry")
    assert size(page) == ["96", "64"]
    expect(page.locator("#steps")).to_have_value("7")
    expect(page.locator("#cfg_scale")).to_have_value("3.5")
    expect(page.locator("#sampler")).to_have_value("heun")
    expect(page.locator("#seed")).to_have_value("4000000000")
    expect(page.locator("#lock")).to_have_attribute("aria-pressed", "true")
    expect(page.locator(".toast")).to_have_text("Settings taken over.")


def test_a_picture_can_be_chosen_by_the_keyboard(page):
    file = {"name": "a.png", "mimeType": "image/png", "buffer": own_png(prompt="a cup")}
    page.on("filechooser", lambda chooser: chooser.set_files(file))
    # The browser learns of the listener in its own time.
    page.wait_for_load_state("networkidle")
    page.locator("#from-picture").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#prompt")).to_have_value("a cup")


def test_a_model_that_is_not_open_leaves_the_chosen_one(page):
    drop(page, own_png(model="zenith"))
    expect(page.locator("#steps")).to_have_value("7")
    expect(page.locator("#model")).to_have_value("tiny")
    expect(page.locator(".toast")).to_contain_text("zenith is not open to you")


def test_values_that_make_no_sense_are_left_out(page):
    drop(page, own_png(steps=9000, seed="<b>", width=-1, sampler="none", cfg_scale="x"))
    expect(page.locator("#prompt")).to_have_value(SETTINGS["prompt"])
    expect(page.locator("#steps")).to_have_value("20")
    expect(page.locator("#seed")).to_have_value("")
    expect(page.locator("#cfg_scale")).to_have_value("7.5")
    expect(page.locator("#sampler")).to_have_value("euler_a")
    expect(page.locator(".toast")).to_have_text(
        "Taken over: Model · Prompt · Leave out · Height. "
        "Left out: Width · Steps · Guidance · Sampler · Seed."
    )


FOREIGN = (
    "작은 별\nSteps: 9, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 5, "
    'Size: 96x64, Model: dreams_v8, Clip skip: 2, Lora hashes: "a: 1, b: 2"'
)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_a_picture_of_another_program_is_read_and_what_it_lacks_is_said(page, form):
    comment = b"UNICODE\0" + FOREIGN.encode("utf-16-be")
    is_png = form == "PNG"
    drop(page, png(parameters=FOREIGN) if is_png else with_comment(form, comment))
    expect(page.locator("#prompt")).to_have_value("작은 별")
    expect(page.locator("#steps")).to_have_value("9")
    expect(page.locator("#cfg_scale")).to_have_value("5")
    expect(page.locator("#sampler")).to_have_value("dpmpp_2m_karras")
    expect(page.locator("#model")).to_have_value("tiny")
    expect(page.locator("#lock")).to_have_attribute("aria-pressed", "false")
    assert size(page) == ["96", "64"]
    expect(page.locator(".toast")).to_have_text(
        "Settings taken over, but dreams_v8 is not open to you: the model stays. "
        "Left out: Clip skip · Lora hashes."
    )


def test_a_picture_that_is_too_large_is_not_sent(page):
    sent = []
    page.on("request", lambda request: sent.append(request.url))
    page.evaluate(DROP, ["large.png", LARGEST_PICTURE + 1])
    refusal = page.locator("#refusal")
    expect(refusal).to_have_text("large.png: This picture is larger than 20 MB.")
    assert not [url for url in sent if url.endswith("/images/settings")]


def test_a_picture_that_is_as_large_as_may_be_is_sent(page):
    page.evaluate(DROP, ["large.png", LARGEST_PICTURE])
    expect(page.locator("#refusal")).to_contain_text("large.png: This is no PNG")


WRONG = {
    "no PNG picture": lambda: image_bytes("GIF"),
    "does not say how it was made": png,
    "another version of Pingvas": lambda: png(
        pingvas_metadata=json.dumps(SETTINGS | {"version": 99})
    ),
    "is damaged": lambda: own_png().replace("별".encode(), "달".encode()),
    "damaged": lambda: own_png()[:-20],
}


def test_a_file_without_our_settings_says_why(page):
    page.locator("#prompt").fill("kept")
    refusal = page.locator("#refusal")
    for reason, make in WRONG.items():
        drop(page, make(), f"{len(reason)}.png")
        expect(refusal).to_contain_text(f"{len(reason)}.png")
        expect(refusal).to_contain_text(reason)
    expect(page.locator("#prompt")).to_have_value("kept")
    drop(page, own_png())
    expect(refusal).to_be_hidden()


def test_what_the_form_has_no_field_for_is_named_carried_and_left_out(page):
    advanced = {"version": 1, "clip_skip": 2}
    drop(page, own_png(advanced_params=advanced))
    besides = page.locator("#advanced")
    expect(besides).to_contain_text("Besides: clip_skip")
    with page.expect_request("**/api/v1/jobs") as sent:
        page.click("#generate")
    assert sent.value.post_data_json["advanced_params"] == advanced
    besides.get_by_role("button").click()
    expect(besides).to_be_hidden()
    with page.expect_request("**/api/v1/jobs") as sent:
        page.click("#generate")
    assert "advanced_params" not in sent.value.post_data_json
