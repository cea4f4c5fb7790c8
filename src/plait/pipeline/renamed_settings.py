"""Refuses unknown keys of recipes; the hint names what replaced a key of an older version."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from plait.errors import RecipeError

__all__ = ["RENAMED_KEYS", "RENAMED_SETTINGS", "reject_unknown_keys"]

RENAMED_KEYS: Mapping[str, str] = {
    "strands": "models",
    "retrieve": "candidates_per_model",
    "kinds": "event_weights",
    "goal": "target_events",
    "facts": "triples",
}
"""Keys at the top of a recipe: old to new."""

RENAMED_SETTINGS: Mapping[str, tuple[str, ...]] = {
    "accumulate": ("gradient_accumulation_steps",),
    "among": ("max_predictors",),
    "average": ("ema_decay",),
    "band_prior": ("band_prior_strength",),
    "bands": ("history_length_bands",),
    "batch": ("batch_size",),
    "bigrams": ("bigram_weight",),
    "blocks": ("num_layers",),
    "by": ("segment_by",),
    "category": ("category_weight",),
    "clip": ("max_grad_norm",),
    "components": ("svd_components",),
    "context_weight": ("segment_weight",),
    "curve": ("transform",),
    "curves": ("transforms",),
    "damp_history": ("damp_long_histories",),
    "decay": ("basket_decay",),
    "describe": ("use_item_features",),
    "described": ("use_side_information",),
    "dim": ("embedding_dim",),
    "earn": ("require_gain",),
    "from_norm": ("source_popularity_exponent",),
    "groups": ("n_groups",),
    "half": ("bf16_logits",),
    "heads": ("num_heads",),
    "history": ("max_length",),
    "implicit": ("use_implicit_feedback",),
    "items": ("item_query_weights",),
    "kinds": ("event_types",),
    "knowledge": ("use_triples",),
    "l2": ("weight_decay",),
    "latent": ("svd_weight",),
    "layers": ("num_layers",),
    "least": (
        "min_band_queries",
        "min_count",
        "min_entity_items",
    ),
    "lend": ("content_smoothing",),
    "lenders": ("content_neighbors",),
    "longest": ("max_baskets",),
    "margin": ("missing_margin",),
    "mask": ("mask_probability",),
    "maximum": ("max_df",),
    "member": ("set_member_weight",),
    "minimum": ("min_df",),
    "missing": ("missing_score",),
    "most": (
        "max_queries",
        "max_reasons",
    ),
    "most_items": ("max_dense_items",),
    "most_users": ("max_neighbor_users",),
    "negative": ("allow_negative_weights",),
    "negatives": ("num_negatives",),
    "neighbours": (
        "n_neighbors",
        "top_k",
    ),
    "order": ("order_aware",),
    "popular_by": ("context_field",),
    "power": ("negative_popularity_exponent",),
    "prior": ("prior_strength",),
    "ranges": ("numeric_bins",),
    "rounds": ("coordinate_ascent_rounds",),
    "scalars": ("max_weights",),
    "scale": ("normalization",),
    "sentences": ("templates",),
    "share": ("neighbor_weight",),
    "smoothing": ("label_smoothing",),
    "softness": ("log_offset",),
    "start": ("pmi_init_scale",),
    "text": ("text_query_weights",),
    "to_norm": ("target_popularity_exponent",),
    "warmup": ("warmup_ratio",),
}
"""Settings of stages: old to the new names it has, by stage one of them."""


def reject_unknown_keys(settings: Mapping[str, object], allowed: Iterable[str], where: str) -> None:
    """Refuse keys that are not allowed.

    Args:
        settings: A table of a recipe.
        allowed: The keys that the table may have.
        where: The name of the table in the message.

    Raises:
        RecipeError: A key is not allowed; `field` is the key, the hint lists the allowed ones or
            gives the new name of a renamed one.
    """
    allowed = tuple(allowed)
    for key in settings:
        if key not in allowed:
            successors = (RENAMED_KEYS.get(key), *RENAMED_SETTINGS.get(key, ()))
            new_name = next((name for name in successors if name in allowed), None)
            hint = f"it is called {new_name!r} now" if new_name else ""
            raise RecipeError(
                f"{where} has no setting {key!r}",
                hint=hint or f"there are {', '.join(allowed) or 'none'}",
                field=key,
            )
