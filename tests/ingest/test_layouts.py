"""The mappings of well-known layouts read ten lines of each, made for these tests."""

from pathlib import Path

import pytest

import plait
from plait.utils.timestamps import iso

LAYOUTS = Path(__file__).parent / "layouts"
MAPPINGS = Path(__file__).resolve().parents[2] / "docs" / "mappings"

FILES = {
    "retailrocket": {
        "events": "events.csv",
        "items": "item_properties.csv",
        "facts": "category_tree.csv",
    },
    "book-crossing": {
        "events": "BX-Book-Ratings.csv",
        "items": "BX-Books.csv",
        "users": "BX-Users.csv",
    },
    "steam": {"events": "steam_reviews.json", "items": "steam_games.json"},
    "steam-200k": {"events": "steam-200k.csv"},
    "yelp": {
        "events": "yelp_academic_dataset_review.json",
        "items": "yelp_academic_dataset_business.json",
        "users": "yelp_academic_dataset_user.json",
    },
    "hm": {
        "events": "transactions_train.csv",
        "items": "articles.csv",
        "users": "customers.csv",
    },
    "mind": {"events": "behaviors.tsv", "items": "news.tsv"},
    "amazon-2018": {"events": "AMAZON_FASHION_5.json", "items": "meta_AMAZON_FASHION.json"},
    "amazon-2023": {"events": "All_Beauty.jsonl", "items": "meta_All_Beauty.jsonl"},
    "shopify": {"events": "orders_export.csv", "items": "products_export.csv"},
    "woocommerce": {"events": "orders.csv", "items": "products.csv"},
    "ga4": {"events": "events.json", "items": "events.json"},
}

STORED = {
    "retailrocket": {"events": 10, "items": 9, "facts": 2},
    "book-crossing": {"events": 10, "items": 2, "users": 2},
    "steam": {"events": 2, "items": 2},
    "steam-200k": {"events": 10},
    "yelp": {"events": 2, "items": 2, "users": 2},
    "hm": {"events": 10, "items": 2, "users": 2},
    "mind": {"events": 8, "items": 2},
    "amazon-2018": {"events": 2, "items": 2},
    "amazon-2023": {"events": 2, "items": 2},
    "shopify": {"events": 5, "items": 3},
    "woocommerce": {"events": 4, "items": 3},
    "ga4": {"events": 4, "items": 2},
}

EVENTS = {
    "retailrocket": ("purchase", "599528", "356475", "2015-06-02T05:17:56"),
    "book-crossing": ("rating", "276726", "0155061224", None),
    "steam": ("review", "Rosa Kettle", "328100", "2017-12-17T00:00:00"),
    "steam-200k": ("play", "151603712", "Fallen Lamp 4", None),
    "yelp": ("rating", "mh_-eMZ6K5RLWhZyISBhwA", "XQfwVwDr-v0ZS3_CbbE5Xw", "2018-07-07T22:09:11"),
    "hm": (
        "purchase",
        "0008968c0d451dbc5a9968da03196fe20051965edde7413775c4eb3be9abe9c2",
        "0531310002",
        "2018-09-21T00:00:00",
    ),
    "mind": ("click", "U91836", "N58114", "2019-11-12T18:11:30"),
    "amazon-2018": ("rating", "ALJ66O1Y6SLHA", "B000K2PJ4K", "2015-09-04T00:00:00"),
    "amazon-2023": ("rating", "AGKHLEW2SOWHNMFQIJGBECAF7INQ", "B097R46CSY", "2020-05-04T18:10:55"),
    "shopify": ("return", "ann@shop.example", "MUG-R", "2024-05-03T07:00:00"),
    "woocommerce": ("return", "ann@shop.example", "MUG-R", "2024-05-03T09:00:00"),
    "ga4": ("purchase", "ann", "POT-1", "2024-05-01T10:16:40"),
}
"""An event of each layout: type, user, item and time."""

ITEMS = {
    "retailrocket": {"460429": {"category": "1340"}, "59481": {"price": 15360}},
    "book-crossing": {
        "034545104X": {
            "title": 'The "Quiet" Harbour; a novel',
            "author": "A. Writer",
            "year": 2002,
            "publisher": "Lantern & Sons",
            "image": "http://img.example/l1.jpg",
        },
    },
    "steam": {
        "35140": {
            "title": "Ironbond",
            "genres": ["Free to Play"],
            "tags": ["Card Game"],
            "publisher": "Night Bus",
            "developer": "Night Bus",
        }
    },
    "hm": {
        "0663713002": {
            "title": "Harbour vest",
            "group_id": "0663713",
            "type": "Vest top",
            "category": "Garment Upper body",
            "pattern": "Solid",
            "colour": "White",
            "department": "Jersey Basic",
            "index": "Ladieswear",
            "section": "Womens Everyday",
            "garment": "Jersey Basic",
        }
    },
    "mind": {
        "N55689": {
            "category": "sports",
            "subcategory": "football",
            "title": 'Charles "Chuck" Rivet scores',
            "abstract": 'A late "goal, they say',
        }
    },
    "amazon-2018": {
        "B000K2PJ4K": {
            "title": "Boys' slippers",
            "brand": "Harbour",
            "features": "Fleece lined\nRubber sole",
            "description": "Soft & warm.",
            "price": 1014.99,
            "categories": ["Clothing, Shoes & Jewelry", "Boys"],
            "images": ["https://img.example/a.jpg", "https://img.example/b.jpg"],
        },
        "B00007GDFV": {"title": "Buxton purse", "brand": "Buxton"},
    },
    "amazon-2023": {
        "B00YQ6X8EO": {
            "title": "Lavender mist",
            "category": "All Beauty",
            "features": "Vegan",
            "description": "First paragraph.\nSecond paragraph.",
            "price": 18.99,
            "images": ["https://img.example/1.jpg", "https://img.example/2.jpg"],
            "brand": "Harbour",
            "average_rating": 4.8,
            "ratings": 10,
        }
    },
    "shopify": {
        "POT-2": {
            "title": "Tea pot",
            "description": "Glass\nLid",
            "group_id": "tea-pot",
            "brand": "Harbour",
            "category": "Pots",
            "tags": ["kitchen"],
            "option": "2 l",
            "price": 12,
            "stock": 0,
            "image": "https://cdn.example/pot2.jpg",
            "status": "active",
        }
    },
    "woocommerce": {
        "MUG-R": {
            "title": "Red mug",
            "summary": "A mug.",
            "description": "Holds 0.3 l",
            "categories": ["Kitchen > Mugs", "Gifts"],
            "tags": ["red", "mug"],
            "images": ["https://shop.example/mug.jpg", "https://shop.example/mug2.jpg"],
            "price": 9,
            "sale_price": 8.5,
            "in_stock": "1",
            "stock": 14,
        }
    },
    "ga4": {"MUG-R": {"title": "Red mug", "brand": "Harbour", "category": "Mugs", "price": 9}},
}
"""Items of the layouts, with all their fields."""


def log_of(workspace):
    """The interactions as type, user, item and time."""
    log = workspace._log
    kinds, users, items = log.kinds(), log.user_ids(), log.item_ids()
    return [
        (kinds[kind], users[user], items[item], None if time < 0 else iso(time - time % 10**6)[:19])
        for chunk in log.read()
        for kind, user, item, time in zip(
            chunk.kinds, chunk.users, chunk.items, chunk.times.tolist(), strict=True
        )
        if user >= 0 and item >= 0
    ]


@pytest.mark.parametrize("name", FILES)
def test_layout(name, tmp_path):
    with plait.open(tmp_path) as workspace:
        sources = {kind: LAYOUTS / name / file for kind, file in FILES[name].items()}
        report = workspace.ingest(**sources, map=MAPPINGS / f"{name}.toml")
        counts = {kind: result.stored for kind, result in report.by_kind.items()}
        assert counts == STORED[name]
        assert report.rejected == 0
        assert EVENTS[name] in log_of(workspace)
        for item, fields in ITEMS.get(name, {}).items():
            assert workspace.get_item(item)["fields"] == fields


@pytest.mark.parametrize("name", FILES)
def test_layout_again_changes_nothing(name, tmp_path):
    with plait.open(tmp_path) as workspace:
        sources = {kind: LAYOUTS / name / file for kind, file in FILES[name].items()}
        for _ in range(2):
            report = workspace.ingest(**sources, map=MAPPINGS / f"{name}.toml")
    assert report.stored == 0
