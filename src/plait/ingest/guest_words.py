"""Words that shops write in the column of users for people whom they do not know."""

from __future__ import annotations

from plait.ingest.column_synonyms import normalized_name
from plait.schema.missing_words import BLANKS

__all__ = ["is_guest_word", "is_number"]

_NUMBERS = frozenset({"0", "00", "000", "0000", "-1"})

_WORDS = (
    "guest guests guestuser guestcustomer guestcheckout anonymous anonymoususer anon unknown"
    " unknownuser unregistered notloggedin notregistered nouser nologin loggedout visitor nobody"
    " nan null none undefined"
    " gast gaeste gastkunde gastbestellung gastbesteller anonym unbekannt unbekannter besucher"
    " nichtangemeldet ohnekonto laufkunde laufkundschaft"
    " invite clientinvite invitee visiteur anonyme inconnu nonconnecte noninscrit sanscompte"
    " clientdepassage passage"
    " invitado clienteinvitado visitante anonimo desconocido sincuenta sinregistro"
    " ospite ospiti clienteospite visitatore sconosciuto nonregistrato utenteanonimo"
    " convidado clienteconvidado visita desconhecido semconta anonima"
    " gastklant anoniem bezoeker onbekend nietingelogd zonderaccount"
    " gosc anonimowy nieznany host anonymni gaest ukendt gjest ukjent okand vieras misafir"
    " гость аноним 匿名 匿名用户 游客 访客 未登录 ゲスト 未ログイン 비회원 게스트 ضيف"
)
"""Without case, accents, blanks and signs."""

_NAMES = frozenset(_WORDS.split())


def is_guest_word(user_id: str) -> bool:
    """Return whether an id is probably no person but a word for all who are not known.

    Args:
        user_id: The id of a user.
    """
    text = user_id.strip(BLANKS)
    return is_number(text) or normalized_name(text) in _NAMES


def is_number(user_id: str) -> bool:
    """Return whether an id is a number that often stands for guests, but may be a person's.

    Args:
        user_id: The id of a user.
    """
    return user_id.strip(BLANKS) in _NUMBERS
