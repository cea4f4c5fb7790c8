"""A bundle whose stage needs what is not installed here."""

import pytest

import plait
from plait.errors import NotReadyError
from plait.models.popularity.popular import Popular
from plait.pipeline.recipe import Recipe
from plait.utils.optional_imports import require_extra
from tests.workspace.workspace_fixtures import fill


class Lacking(Popular):
    """Answers with a package that nobody has, as `sequence` does with torch."""

    def retrieve(self, queries, k):
        require_extra(f"the stage {self.name!r}", "no_such_module")
        return super().retrieve(queries, k)


def test_what_is_to_be_installed_is_the_hint(tmp_path):
    fill(tmp_path)
    strands = {"popular": {}, "mine": {"stage": f"{__name__}:Lacking"}}
    steps = {"fuse": {"require_gain": ["mine"]}, "policy": {}}
    with plait.open(tmp_path) as shop:
        shop.fit(Recipe.of({"models": {"popular": {}}, "steps": {"fuse": {}, "policy": {}}}))
        pipeline = shop._bundles.load()
        recipe = Recipe.of({"models": strands, "steps": steps})
        built = type(pipeline).build(recipe)
        stages = {stage.name: stage for stage in pipeline.stages}
        models = [stages.get(stage.name, stage) for stage in built.models]
        whole = type(pipeline)(recipe, tuple(models), built.steps, pipeline.version)
        notes = shop._bundles.manifest(shop._bundles.current())["notes"]
        shop._bundles.use(shop._bundles.save(whole, notes))
    with plait.open(tmp_path, stage_modules=("tests",)) as shop:
        with pytest.raises(NotReadyError) as it:
            shop.recommend("user1")
        problems = shop.info()["problems"]
    assert it.value.hint == 'pip install "plait[deep]"'
    assert it.value.message.endswith("does not load: the stage 'mine' needs an optional part")
    assert problems == [f"{it.value.message} ({it.value.hint})"]
