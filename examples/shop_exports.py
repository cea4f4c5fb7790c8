"""Writes three export files as real shop systems write them, for docs/guide-shop.md.

    python examples/shop_exports.py exports/

products.jsonl   nested JSON: German names, HTML, prices such as "1.299,00 €", four date formats,
                 sizes of one garment, stock
orders.csv       Windows-1252, semicolons, German headers; shipping and vouchers among the lines
clicks.jsonl     web events, half of them without a login
"""

from __future__ import annotations

import csv
import json
import random
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

LAST_DAY = datetime(2026, 3, 31, 20, tzinfo=UTC)
DATE_FORMATS = ("%Y-%m-%d", "%d.%m.%Y", "%d.%m.%Y %H:%M", "%Y-%m-%dT%H:%M:%S")
SIZES = ("S", "M", "L", "XL")
COLOURS = ("rot", "blau", "grün", "schwarz", "weiß")
DEPARTMENTS: dict[str, tuple[str, ...]] = {
    "Küche > Kaffee": ("Kaffeemaschine", "Kaffeekapseln", "Milchaufschäumer", "Kaffeemühle"),
    "Küche > Kochen": ("Bratpfanne", "Kochtopf", "Küchenmesser", "Schneidebrett"),
    "Büro > Drucken": ("Laserdrucker", "Druckertoner", "Druckerpapier", "Etikettendrucker"),
    "Garten > Werkzeug": ("Gartenschere", "Gießkanne", "Rasenmäher", "Gartenschlauch"),
    "Mode > Jacken": ("Regenjacke", "Winterjacke", "Fleecejacke"),
    "Mode > Hemden": ("Baumwollhemd", "Leinenhemd", "Flanellhemd"),
}
BRANDS = ("Alpina", "Borealis", "Cortado", "Delphin", "Edelweiß", "Falke")
PAIRS = {"Kaffeemaschine": "Kaffeekapseln", "Laserdrucker": "Druckertoner"}
"""Who buys the first soon buys the second of the same brand."""


def products(chance: random.Random) -> list[dict[str, Any]]:
    """The catalogue: every kind of product of every brand; garments in four sizes."""
    rows = []
    kinds = [
        (department, kind) for department, all_kinds in DEPARTMENTS.items() for kind in all_kinds
    ]
    for department, kind in kinds:
        for brand in BRANDS:
            price = chance.choice((9, 19, 49, 129, 1299)) + chance.choice((0.0, 0.5, 0.99))
            colour = chance.choice(COLOURS)
            is_garment = department.startswith("Mode")
            model = product_code(kind, brand)
            for size in SIZES if is_garment else ("",):
                created = LAST_DAY - timedelta(days=chance.randrange(30, 400))
                name = f"{kind} {brand} {colour}"
                rows.append(
                    {
                        "artikelnr": f"{model}-{size}" if size else model,
                        "name": {"de": f"{name} {size}".strip()},
                        "beschreibung": f"<p>{kind} von <b>{brand}</b> f&uuml;r Zuhause.</p>",
                        "preis": german_price(price),
                        "kategorie": department,
                        "marke": brand,
                        "bilder": [f"https://shop.example/{model}-{n}.jpg" for n in (1, 2)],
                        "lager": {
                            "bestand": 0 if chance.random() < 0.1 else chance.randrange(1, 90)
                        },
                        "modell": model if is_garment else None,
                        "angelegt": created.strftime(chance.choice(DATE_FORMATS)),
                    }
                )
    return rows


def product_code(kind: str, brand: str) -> str:
    """KAINE-ALP for a Kaffeemaschine of Alpina."""
    return f"{kind[:2]}{kind[-3:]}-{brand[:3]}".upper().replace("Ü", "UE").replace("Ä", "AE")


def german_price(price: float) -> str:
    """A price as German shops print it: 1.299,50 €."""
    return f"{price:,.2f} €".translate(str.maketrans(",.", ".,"))


def journeys(
    catalogue: list[dict[str, Any]], chance: random.Random
) -> tuple[list[dict[str, str]], list[dict[str, Any]]]:
    """Order lines and clicks of 400 customers, each true to two departments and one size."""
    orders, clicks = [], []
    for customer in range(1, 401):
        departments = chance.sample(sorted(DEPARTMENTS), 2)
        size = chance.choice(SIZES)
        own = [
            row
            for row in catalogue
            if row["kategorie"] in departments
            and (not row["modell"] or row["artikelnr"].endswith(f"-{size}"))
        ]
        for visit in range(chance.randrange(1, 6)):
            start = LAST_DAY - timedelta(minutes=chance.randrange(0, 60 * 24 * 180))
            looked_at = chance.sample(own, chance.randrange(1, 6))
            login = f"K{customer:05}" if chance.random() < 0.5 else None
            for step, row in enumerate(looked_at):
                clicks.append(
                    {
                        "ts": int((start + timedelta(minutes=step)).timestamp() * 1000),
                        "besucher": f"v{customer:05}-{visit}",
                        "login": login,
                        "aktion": "produktansicht",
                        "artikelnr": row["artikelnr"],
                    }
                )
            if chance.random() < 0.6:
                lines = order_lines(chance.choice(looked_at), catalogue, chance)
                head = {"Bestellnr": f"B{len(orders):06}", "Kundennr": f"K{customer:05}"}
                ordered = (start + timedelta(minutes=9)).strftime("%d.%m.%Y %H:%M")
                orders += [{**head, **line, "Bestelldatum": ordered} for line in lines]
    return orders, clicks


def order_lines(
    bought: dict[str, Any], catalogue: list[dict[str, Any]], chance: random.Random
) -> list[dict[str, str]]:
    """The lines of an order: what was bought, often with what belongs to it, and the shipping."""
    rows = [bought]
    partner = PAIRS.get(bought["name"]["de"].split()[0])
    if partner and chance.random() < 0.8:
        code = product_code(partner, bought["marke"])
        rows += [row for row in catalogue if row["artikelnr"] == code]
    shipping = {"artikelnr": "VERSAND", "name": {"de": "Versandkosten"}, "preis": "4,90 €"}
    return [
        {
            "Artikelnr": row["artikelnr"],
            "Bezeichnung": row["name"]["de"],
            "Menge": "1",
            "Preis": row["preis"],
        }
        for row in (*rows, shipping)
    ]


def main(folder: Path) -> None:
    """Write the three files.

    Args:
        folder: The folder; it is made if it does not exist.
    """
    chance = random.Random(7)
    catalogue = products(chance)
    orders, clicks = journeys(catalogue, chance)
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in {"products.jsonl": catalogue, "clicks.jsonl": clicks}.items():
        lines = (json.dumps(row, ensure_ascii=False) for row in rows)
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    with (folder / "orders.csv").open("w", encoding="cp1252", newline="") as file:
        writer = csv.DictWriter(file, list(orders[0]), delimiter=";")
        writer.writeheader()
        writer.writerows(orders)
    print(f"{len(catalogue)} products, {len(orders)} order lines, {len(clicks)} clicks in {folder}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "exports"))
