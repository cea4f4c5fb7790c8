"""Keys of recipes before 0.2 and what replaced them, for the hint of the error."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["RENAMED_KEYS", "RENAMED_SETTINGS"]

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
