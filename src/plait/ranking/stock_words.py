"""Words that say whether an item can be had, in several languages: "ausverkauft", "out of stock".

Texts are compared without case, accents, blanks and punctuation. What no list knows counts as
available.
"""

from __future__ import annotations

import re
import unicodedata

from plait.utils.text_cache import text_cache

__all__ = ["is_negative", "is_stock_word"]


def _folded(text: str) -> str:
    """Letters and digits alone, without case and accents; of an address its last part."""
    if "://" in text or "schema.org/" in text:
        text = re.split(r"[/#]", text.rstrip("/"))[-1]
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    return "".join(character for character in decomposed if character.isalnum())


def _folded_set(texts: str) -> frozenset[str]:
    """The parts of a list between commas, folded."""
    return frozenset(filter(None, map(_folded, texts.split(","))))


_NO = _folded_set(
    """no, n, false, f, off, none, out, oos, nein, falsch, aus, non, faux, nee, nej, nei, ei, não,
    nie, ne, hayır, falso, нет, ложь, 否, 无, いいえ, なし, 아니요, 없음, لا, inactive, disabled,
    archived, draft, unpublished, obsolete, deleted, inaktiv, deaktiviert, inactif, inactivo"""
)
"""Whole values that mean "not available" in a field whose name is about stock."""

_DENIALS = _folded_set(
    """out of stock, sold out, soldout, unavailable, not available, not currently available,
    not in stock, no stock, zero stock, no longer available, discontinued, stocked out,
    out of print, ausverkauft, nicht auf Lager, nicht am Lager, nicht verfügbar,
    nicht verfuegbar, nicht lieferbar, nicht vorrätig, nicht vorraetig, nicht mehr, vergriffen,
    kein Bestand, keine Ware, nicht erhältlich, épuisé, rupture, rupture de stock, en rupture,
    bientôt disponible, coming soon, bald verfügbar, demnächst, próximamente, prossimamente,
    indisponible, non disponible, pas disponible, hors stock, plus disponible, pas en stock,
    agotado, agotada, no disponible, sin existencias, sin stock, fuera de stock, descatalogado,
    esaurito, esaurita, non disponibile, fuori produzione, non in magazzino, uitverkocht,
    niet op voorraad, niet beschikbaar, niet leverbaar, esgotado, esgotada, indisponível,
    sem estoque, sem stock, fora de estoque, não disponível, slutsåld, slut i lager, ej i lager,
    udsolgt, ikke på lager, utsolgt, loppuunmyyty, loppu varastosta, wyprzedane, niedostępny,
    niedostępna, niedostępne, brak w magazynie, vyprodáno, není skladem, nedostupné, vypredané,
    elfogyott, nincs raktáron, stoc epuizat, tükendi, stokta yok, εξαντλημένο, нет в наличии,
    нету в наличии, распродано, закончился, немає в наявності, 售罄, 售完, 缺货, 缺貨, 无货,
    無貨, 无库存, 下架, 停售, 品切れ, 在庫なし, 在庫切れ, 売り切れ, 売切, 販売終了, 품절,
    재고없음, 재고 없음, نفد, غير متوفر, अनुपलब्ध, หมด"""
)
"""Phrases that deny wherever they stand in a value."""

_AFFIRMATIONS = _folded_set(
    """in stock, available, low stock, limited stock, limited availability, backorder, on backorder,
    backordered, available for order, preorder, pre-order, presale, made to order, in store only,
    online only, available now, only a few left, auf Lager, am Lager, verfügbar, verfuegbar,
    lieferbar, sofort lieferbar, vorrätig, vorraetig, sofort verfügbar, erhältlich, bestellbar,
    vorbestellbar, en stock, disponible, disponible de suite, sur commande, en existencia,
    en existencias, disponibile, in magazzino, op voorraad, beschikbaar, leverbaar, em estoque,
    em stock, disponível, i lager, på lager, varastossa, w magazynie, dostępny, dostępna,
    dostępne, skladem, dostupné, na sklade, raktáron, in stoc, stokta var, stokta, διαθέσιμο,
    в наличии, под заказ, в наявності, 有货, 有貨, 现货, 現貨, 预售, 在庫あり, 予約受付中,
    재고있음, 재고 있음, 판매중, متوفر"""
)
"""Whole values that say an item can be had or ordered."""

_UNITS = _AFFIRMATIONS | _folded_set(
    """left, left in stock, pcs, pieces, piece, pc, units, unit, items, ea, Stück, Stueck, Stk, St,
    Exemplare, pièces, unités, unidades, pezzi, stuks, szt, шт, 件, 个, 個, 点, 개"""
)
"""What may stand behind a count."""

_COUNT = re.compile(r"\s*([+\-−]?)\s*(\d[\d.,'’\s]*)(.*)", re.DOTALL)


@text_cache(65_536, longest=100)
def is_negative(text: str) -> bool:
    """Tell whether the value of a field about stock says that an item cannot be had.

    Args:
        text: The value: a word, a phrase, or a count such as "0" or "0 in stock".

    Returns:
        Whether it denies.
    """
    folded = _folded(text)
    if folded in _NO or _denies(folded):
        return True
    count = _COUNT.fullmatch(unicodedata.normalize("NFKC", text))
    if count is None:
        return False
    unit = _folded(count[3])
    digits = [int(character) for character in count[2] if character.isdecimal()]
    is_none = count[1] in ("-", "−") or not any(digits)
    return is_none and (not unit or unit in _UNITS)


@text_cache(65_536, longest=100)
def is_stock_word(text: str) -> bool:
    """Return whether a value describes stock under any field name.

    Args:
        text: The value.

    Returns:
        Whether it is a word or phrase about stock; numbers, yes and no are not.
    """
    folded = _folded(text)
    return folded in _AFFIRMATIONS or _denies(folded)


def _denies(folded: str) -> bool:
    return any(phrase in folded for phrase in _DENIALS)
