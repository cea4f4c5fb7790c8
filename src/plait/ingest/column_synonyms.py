"""The usual names of columns by role, written without case, spaces and underscores.

Each role has tiers: a column of an earlier tier wins; two of one tier are equally good.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping

__all__ = [
    "ITEM_FIELDS",
    "ROLES",
    "TITLES",
    "USER_FIELDS",
    "is_order_number",
    "is_quantity",
    "is_user_column",
    "normalized_name",
]

_SUFFIX = re.compile(r":(token|token_seq|float|float_seq)$")
_PUNCTUATION = re.compile(r"[\W_]+")
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})


def normalized_name(name: str) -> str:
    """Reduce the name of a column to what is compared: `USER_ID`, `userId`, `user_id:token` agree.

    Args:
        name: The name.

    Returns:
        Its letters and digits in lower case, without accents; an umlaut as two letters.
    """
    plain = _SUFFIX.sub("", name.strip()).lower()
    if not plain.isascii():
        decomposed = unicodedata.normalize(
            "NFKD", unicodedata.normalize("NFC", plain).translate(_UMLAUTS)
        )
        plain = "".join(sign for sign in decomposed if not unicodedata.combining(sign))
    return _PUNCTUATION.sub("", plain)


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _tiers(*tiers: str) -> tuple[frozenset[str], ...]:
    return tuple(map(_words, tiers))


_USER = _tiers(
    "userid user",
    "customerid customer customerno customernumber visitorid memberid member accountid uid"
    " reviewerid buyerid clientid profileid personid playerid subscriberid householdid"
    " kundennummer kundennr kundenid kunde kdnr benutzerid benutzer nutzerid"
    " numeroclient idclient codeclient client utilisateur idutilisateur"
    " numeroclient noclient nclient refclient idacheteur"
    " numerocliente idcliente codigocliente cliente usuario idusuario idcomprador"
    " codicecliente numcliente ncliente idutente idacquirente idutilizador clienteid"
    " klantnummer klantnr klantid gebruikerid gebruikersid"
    " 用户id 用户编号 会员id 会员编号 会员号 会员卡号 客户id 客户编号 客户编码 顾客id 顾客编号"
    " 买家id 买家编号 用戶id 用戶編號 會員id 會員編號 客戶編號 顧客編號",
    "acheteur comprador utente acquirente utilizador klant gebruiker"
    " 用户 会员 客户 顾客 买家 买家会员名 用戶 會員 客戶 顧客",
    "cookieid deviceid anonymousid fullvisitorid userpseudoid",
)
_ITEM = _tiers(
    "itemid item",
    "productid product productuid productno movieid movie filmid film asin stockcode sku"
    " articleid article contentid newsid documentid docid postid videoid songid trackid artistid"
    " albumid podcastid bookid isbn gameid appid courseid recipeid listingid propertyid jobid"
    " eventitemid businessid restaurantid hotelid poiid venueid adid imageid"
    " artikelnummer artikelnr artnr artikelid artikel produktnummer produktnr produktid"
    " referenceproduit referencearticle codeproduit codearticle idproduit numeroarticle"
    " refproduit refarticle idarticle noarticle narticle"
    " codigoproducto referenciaproducto idproducto idarticulo codigoarticulo"
    " codicearticolo codiceprodotto idprodotto idarticolo riferimentoprodotto"
    " codigoproduto idproduto referenciaproduto idartigo codigoartigo referenciaartigo"
    " artikelcode productnummer productcode"
    " 商品id 商品编号 商品编码 商品代码 商品货号 货号 产品id 产品编号 产品编码 物品id 物品编号"
    " 宝贝id skuid sku编码 sku编号 商品編號 商品編碼 產品編號 貨號",
    "produit producto articulo articolo prodotto produto artigo 商品 产品 物品 產品",
    "parentasin",
)
_ITEM_OWN = (*_ITEM, frozenset({"id"}))
_USER_OWN = (*_USER, frozenset({"id"}))
_TIME = _tiers(
    "timestamp time ts datetime eventtime eventtimestamp occurredat",
    "invoicedate orderdate purchasedate transactiondate createdat unixreviewtime unixtime"
    " unixtimestamp sentat servertime loggedat eventdate ratedat clickedat viewedat watchedat"
    " timestampms timems reviewdate tdat transactiondt reviewedat"
    " bestelldatum kaufdatum rechnungsdatum bestellzeit zeitpunkt zeitstempel"
    " datecommande datedecommande dateachat datefacture dateheure horodatage"
    " fechapedido fechacompra fechafactura fechahora fechadepedido fechadecompra"
    " dataordine datadellordine dataacquisto datafattura dataora datavendita"
    " datapedido datacompra datahora datadopedido datadacompra datafatura dataencomenda"
    " besteldatum orderdatum aankoopdatum factuurdatum tijdstip"
    " 时间戳 下单时间 订单时间 订单创建时间 购买时间 交易时间 浏览时间 行为时间 评论时间"
    " 下單時間 訂單時間 購買時間",
    "date day datum fecha 时间 日期 创建时间 付款时间 支付时间 成交时间 時間 付款時間",
)
_CHANGED = _tiers("updatedat modifiedat lastmodified lastupdated changedat", "timestamp")
_KIND = _tiers(
    "eventtype kind feedbacktype interactiontype behaviortype behaviourtype actiontype",
    "event action interaction behavior behaviour eventname"
    " aktion ereignis ereignistyp aktionstyp typeevenement typeaction evenement"
    " accion tipoevento tipoaccion evento azione tipoazione acao accao tipoacao actie gebeurtenis"
    " 行为 行为类型 事件 事件类型 事件名称 操作类型 行為 行為類型",
    "type",
)

ROLES: Mapping[str, Mapping[str, tuple[frozenset[str], ...]]] = {
    "events": {
        "user": _USER,
        "item": _ITEM,
        "time": _TIME,
        "kind": _KIND,
        "value": _tiers(
            "rating bookrating starrating bewertung valutazione voto avaliacao beoordeling"
            " puntuacion valoracion 评分 打分 評分",
            "value eventvalue",
            "score stars overall rate",
            "weight playcount",
        ),
        "position": _tiers("position pos seq sequence sequenceno"),
        "session": _tiers(
            "sessionid session 会话id 会话编号 会话",
            "invoiceno invoice invoiceid orderid order orderno ordernumber basketid cartid"
            " transactionid visitid bestellnummer bestellnr auftragsnummer auftragsnr"
            " rechnungsnummer rechnungsnr numerocommande numerofacture numeropedido numerofactura"
            " nocommande ncommande idcommande refcommande idpedido npedido nopedido"
            " numeroordine nordine noordine idordine numerofattura"
            " idencomenda numeroencomenda numerofatura"
            " ordernummer bestelnummer bestelnr factuurnummer factuurnr"
            " 订单号 订单编号 订单id 交易号 訂單編號 訂單號",
            "commande facture pedido factura ordine fattura encomenda fatura bestelling",
        ),
        "request_id": _tiers("requestid recommid recommendationid"),
        "id": _tiers("eventid", "id"),
    },
    "items": {
        "item": _ITEM_OWN,
        "time": _CHANGED,
        "id": _tiers("eventid"),
    },
    "users": {
        "user": _USER_OWN,
        "time": _CHANGED,
        "id": _tiers("eventid"),
    },
    "facts": {
        "head": _tiers("head headid h", "subject source subjectid sourceid from"),
        "relation": _tiers("relation relationid rel r", "predicate predicateid property edge type"),
        "tail": _tiers("tail tailid t", "object target objectid targetid to"),
        "time": _tiers("timestamp time"),
        "id": _tiers("eventid"),
    },
}
"""By what the file holds, then by role: the tiers of names."""

TITLES = (
    "title",
    "name",
    "producttitle",
    "productname",
    "itemname",
    "itemtitle",
    "movietitle",
    "movie",
    "product",
    "displayname",
    "artistname",
    "trackname",
    "songname",
    "booktitle",
    "gametitle",
    "headline",
    "titel",
    "bezeichnung",
    "artikelname",
    "artikelbezeichnung",
    "produktname",
    "produktbezeichnung",
    "titre",
    "nomproduit",
    "designation",
    "titulo",
    "nombreproducto",
    "prodname",
    "libelle",
    "libelleproduit",
    "libellearticle",
    "intitule",
    "nomdeproduit",
    "nomduproduit",
    "nomarticle",
    "designationproduit",
    "designationarticle",
    "nom",
    "nombredelproducto",
    "nombrearticulo",
    "denominacion",
    "nombre",
    "titolo",
    "nomeprodotto",
    "nomearticolo",
    "nomedelprodotto",
    "denominazione",
    "nomeproduto",
    "nomedoproduto",
    "nomeartigo",
    "designacao",
    "denominacao",
    "nome",
    "productnaam",
    "artikelnaam",
    "artikelomschrijving",
    "benaming",
    "naam",
    "标题",
    "商品标题",
    "商品名称",
    "商品名",
    "产品名称",
    "宝贝标题",
    "品名",
    "名称",
    "標題",
    "商品名稱",
    "產品名稱",
    "名稱",
    "description",
    "beschreibung",
    "descripcion",
    "descrizione",
    "descricao",
    "omschrijving",
    "商品描述",
    "描述",
)
"""Names of columns that may hold the title of an item, best first."""

ITEM_FIELDS = _words(
    "title name description producttitle productname itemname itemtitle movietitle displayname"
    " artistname trackname songname booktitle headline price unitprice listprice brand manufacturer"
    " category categories categoryid genre genres tag tags keywords color colour size material year"
    " language author publisher artist album image imageurl thumbnail url"
    " 标题 商品标题 商品名称 商品名 产品名称 名称 价格 单价 品牌 分类 类别 类目 颜色 尺码"
)
"""The columns that are fields of an item that is read from a file of events."""

USER_FIELDS = _words(
    "country region city state zip zipcode postcode age agegroup gender sex occupation language"
    " locale segment plan membership birthyear consent"
)
"""The columns that are fields of a user that is read from a file of events."""

_ORDERS = frozenset().union(*ROLES["events"]["session"][1:])


def is_order_number(name: str) -> bool:
    """Return whether a column numbers invoices or orders: then its rows are purchases.

    Args:
        name: The name of the column.
    """
    return normalized_name(name) in _ORDERS


_QUANTITIES = _words(
    "quantity qty amount units menge anzahl stueckzahl quantite qte cantidad unidades"
    " quantita qta pezzi quantidade qtd qtde aantal stuks hoeveelheid 数量 购买数量 件数 數量"
)


def is_quantity(name: str) -> bool:
    """Return whether a column holds how many were bought.

    Args:
        name: The name of the column.
    """
    return normalized_name(name) in _QUANTITIES


def is_user_column(name: str) -> bool:
    """Return whether a name is one that columns of users have.

    Args:
        name: The name of the column.
    """
    return any(normalized_name(name) in tier for tier in _USER)
