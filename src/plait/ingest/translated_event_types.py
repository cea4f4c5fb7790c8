"""Words of other languages for the usual event types."""

from __future__ import annotations

from plait.ingest.column_synonyms import normalized_name

__all__ = ["usual_event_type"]

_WORDS = {
    "purchase": (
        "buy bought purchased order ordered sale sold transaction"
        " kauf kaufen gekauft bestellung bestellt verkauf einkauf"
        " achat achete acheter commande vente"
        " compra comprado comprar pedido venta venda encomenda"
        " acquisto acquistato ordine vendita"
        " aankoop gekocht bestelling verkoop koop 购买 下单 付款 支付 成交 購買"
    ),
    "view": (
        "viewed viewitem itemview productview pageview pageviewed detail"
        " ansicht angesehen aufruf produktansicht produktaufruf seitenaufruf"
        " vue consultation consulte affichage visite pagevue"
        " vista visto visualizacion visualizacao visualizado visita"
        " visualizzazione visualizzato"
        " bekeken weergave bekijken 浏览 查看 瀏覽"
    ),
    "cart": (
        "addtocart addcart basket addtobasket"
        " warenkorb inwarenkorb einkaufswagen"
        " panier ajoutpanier ajoutaupanier"
        " carrito anadiralcarrito agregaralcarrito carrinho adicionaraocarrinho"
        " carrello aggiuntoalcarrello"
        " winkelwagen winkelmand inwinkelwagen 加购 加入购物车 加购物车 購物車"
    ),
    "click": "clicked klick geklickt clic clique clicado geklikt 点击 點擊",
    "return": (
        "returned refund refunded retoure rueckgabe erstattung retour remboursement devolucion"
        " reembolso devolucao reso rimborso retourzending terugbetaling 退货 退款 退貨"
    ),
    "rating": "rated bewertung note evaluation puntuacion valoracion avaliacao valutazione voto"
    " 评分 评价 評價",
}
_EVENT_TYPES = {word: kind for kind, words in _WORDS.items() for word in words.split()}


def usual_event_type(name: str) -> str:
    """Find the usual event type that a word of another language or form means.

    Args:
        name: The event type of a row.

    Returns:
        The usual event type; "" if the word is not known, or is one itself.
    """
    return _EVENT_TYPES.get(normalized_name(name), "")
