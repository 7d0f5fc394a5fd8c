"""A made-up stream of e-mail events, the same bytes each time, for demos, tests and benchmarks.

Every line is one event as in section 3 of the native contract: flat JSON, UTF-8, times in UTC.
What happens next to the messages under way waits in a heap, soonest first, so the stream is in
time order, save for the lines that come late or again.

The same bytes on any machine: chance is `getrandbits` of an integer seed and `random`, delays are
integer arithmetic on tables of quantiles, and `math.log` and its kin are left alone, since they
may differ in the last bit from one C library to the next.

Memory has a ceiling (`MOST_WAITING`, `MOST_HELD`), whatever the number of lines. It is reached
at about 100 million lines in 30 days: from there on fewer messages are read, and fewer lines come
late or again.

Names are reserved ones (RFC 2606) and addresses documentation ones (RFC 5737, RFC 3849), except
for the domains of real mailbox providers.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from heapq import heappop, heappush
from itertools import accumulate, islice, pairwise
from itertools import count as serials
from random import Random
from typing import NamedTuple, TypeVar

T = TypeVar("T")

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

MOST_WAITING = 150_000  # things yet to happen, about 550 bytes each
MOST_HELD = 30_000  # lines to come late or again, about 700 bytes each
MOST_REPEATS = 0.5


# --- chance ---

Quantiles = tuple[tuple[int, int], ...]


def _quantiles(unit: int, *bounds: int) -> Quantiles:
    """Sixteen equally likely spans (start, width), from their seventeen bounds."""
    return tuple((unit * low, unit * (high - low)) for low, high in pairwise(bounds))


def _draw(rng: Random, quantiles: Quantiles) -> int:
    """A random number with these quantiles."""
    bits = rng.getrandbits(20)
    low, width = quantiles[bits >> 16]
    return low + (width * (bits & 0xFFFF) >> 16)


def _some(rng: Random, things: tuple[T, ...]) -> T:
    """One of these, the first more often."""
    return things[_low(rng, len(things))]


def _low(rng: Random, size: int) -> int:
    """A random number from 0 to `size` - 1, low ones more often."""
    draw = rng.random()
    return int(draw * draw * size)


# fmt: off
# How busy an hour of the day and a day of the week (Monday first) are, in UTC.
BUSY_HOURS = (
    8, 6, 5, 5, 6, 10, 22, 45, 70, 88, 96, 92, 84, 82, 86, 90, 94, 88, 76, 64, 52, 38, 24, 14)
BUSY_DAYS = (100, 104, 102, 106, 98, 48, 40)
NIGHT = (22, 23, 0, 1, 2, 3, 4, 5)

# Log-normal, about a median of 1.5 s.
DELIVERED_AFTER = _quantiles(
    1, 150, 420, 560, 690, 820, 960, 1_110, 1_290, 1_500, 1_740, 2_030, 2_400, 2_880, 3_560, 4_660,
    7_100, 60_000)
READ_AFTER = _quantiles(
    SECOND, 12, 50, 120, 240, 450, 800, 1_400, 2_300, 3_600, 5_400, 7_800, 11_000, 15_500, 22_000,
    32_000, 50_000, 172_800)
READ_AGAIN_AFTER = _quantiles(
    SECOND, 40, 120, 260, 500, 900, 1_500, 2_400, 3_600, 5_200, 7_200, 10_000, 14_000, 19_000,
    26_000, 36_000, 55_000, 259_200)
NEXT_CLICK_AFTER = _quantiles(
    SECOND, 1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 18, 22, 28, 36, 55, 90, 300)
REACTION_AFTER = _quantiles(
    MINUTE, 2, 6, 12, 20, 32, 48, 70, 100, 150, 220, 320, 470, 700, 1_100, 1_800, 3_000, 6_000)
LATE_BY = _quantiles(
    MINUTE, 60, 75, 95, 120, 150, 190, 240, 300, 380, 480, 600, 760, 960, 1_200, 1_600, 2_400,
    4_320)
REPEATED_AFTER = _quantiles(
    SECOND, 2, 5, 10, 20, 30, 31, 60, 61, 62, 120, 300, 301, 900, 3_600, 3_700, 21_600, 86_400)
CAMPAIGN_LASTS = _quantiles(
    HOUR, 24, 26, 29, 33, 37, 42, 47, 53, 60, 68, 77, 87, 98, 111, 130, 170, 240)
# Numbers of recipients: a sixteenth of the mail goes to 1,500 people, and one to 115,000.
AUDIENCE = _quantiles(
    1, 0, 1_500, 3_500, 6_000, 9_500, 14_000, 20_000, 28_000, 38_000, 52_000, 70_000, 95_000,
    125_000, 165_000, 215_000, 285_000, 400_000)
RETRIED_AFTER = tuple(minutes * MINUTE for minutes in (10, 20, 40, 80, 160, 320))
# fmt: on

# Shares of the messages, of the delivered ones, of the readings.
TRANSACTIONAL = 0.25
REFUSED = 0.005
DELAYED = 0.04
GIVEN_UP = 0.15  # of the delayed ones
BOUNCED = 0.026
READ = 0.52
READ_AGAIN = 0.44
OPENED_TO_THE_END = 0.9
CLICKED = 0.16
CLICKED_AGAIN = 0.4
READ_AT_NIGHT = 0.3


# --- text ---

SECONDS = tuple(f"{number:02}." for number in range(60))
MILLISECONDS = tuple(f"{number:03}Z" for number in range(1_000))


def _json(**fields: object) -> str:
    """The members of a JSON object, without its braces, as UTF-8 read as Latin-1.

    So a character is a byte, and text in any language is put together at the same speed.
    """
    text = json.dumps(fields, ensure_ascii=False, separators=(",", ":"))[1:-1]
    return text.encode().decode("latin-1")


@lru_cache(maxsize=4_096)
def _minute(at: int) -> str:
    return (EPOCH + timedelta(milliseconds=at)).isoformat()[:17]


def _stamp(at: int) -> str:
    """`YYYY-MM-DDTHH:MM:SS.mmmZ` for milliseconds since 1970."""
    rest = at % MINUTE
    return f"{_minute(at - rest)}{SECONDS[rest // 1_000]}{MILLISECONDS[rest % 1_000]}"


def _event(rng: Random, kind: str, at: int, fields: str) -> bytes:
    """A line; its event id has 18 or 19 digits."""
    rest = at % MINUTE  # as in _stamp, but a call less for each line
    return (
        f'{{"type":"{kind}","timestamp":"{_minute(at - rest)}{SECONDS[rest // 1_000]}'
        f'{MILLISECONDS[rest % 1_000]}","event_id":"{10**17 + rng.getrandbits(60)}",{fields}}}'
    ).encode("latin-1")


# --- who writes ---


@dataclass(frozen=True, slots=True)
class Brand:
    """A sender: one sub-account with a domain and a pool of addresses."""

    domain: str
    subaccount_id: str
    ip_pool: str
    ips: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Theme:
    """What a campaign or a notice is about; `#N` in a notice's subject is a number."""

    slug: str
    brand: str
    locale: int
    subjects: tuple[str, ...]
    amp: bool = False


@dataclass(frozen=True, slots=True)
class Send:
    """An edition of a campaign, or one kind of notice, with its fields as JSON."""

    notice: bool  # the fields have places for a number (#N) and a transmission id (#T)
    fields: str
    options: str
    links: tuple[str, ...]
    ips: tuple[str, ...]
    locale: int
    size: int
    amp: bool


EN, DE, PL, FR, JA, ZH = range(6)

# fmt: off
BRANDS = {
    "shop": Brand("shop.example", "11", "retail", tuple(f"192.0.2.{n}" for n in range(10, 18))),
    "trips": Brand("trips.example", "12", "travel", tuple(f"192.0.2.{n}" for n in range(40, 44))),
    "bank": Brand("bank.example", "13", "finance", ("2001:db8:25::10", "2001:db8:25::11")),
    "sklep": Brand("sklep.example", "14", "retail", tuple(f"192.0.2.{n}" for n in range(18, 22))),
    "mode": Brand("mode.example", "15", "shared-eu", ("203.0.113.107", "203.0.113.108")),
    "mise": Brand("mise.example", "16", "shared-ap", ("203.0.113.130", "203.0.113.131")),
    "books": Brand("example.org", "0", "default", ("192.0.2.99",)),
}
NOTICE_IPS = tuple(f"198.51.100.{n}" for n in range(220, 226))

# The first send the most. Of each theme one edition runs at a time.
CAMPAIGNS = (
    Theme("weekly-news", "shop", EN, ("New this week", "Your week at the shop, in 5 minutes")),
    Theme("black-friday", "shop", EN, ("Black Friday: 40 % off everything", "Last hours: -40 %")),
    Theme("herbst-sale", "shop", DE, ("Herbst-Sale: bis zu 50 % günstiger", "20 € für Sie")),
    Theme("catalogue", "shop", EN, ("Choose your colours right in this mail",), amp=True),
    Theme("basket", "shop", EN, ("You left something behind", "Still thinking it over?")),
    Theme("wyprzedaz", "sklep", PL, ("Wyprzedaż: wszystko do -60 %", "Ostatnie sztuki, okazja")),
    Theme("city-breaks", "trips", EN, ("72 hours in Lisbon from 99 €", "City breaks in May")),
    Theme("fruehbucher", "trips", DE, ("Früh buchen, später zahlen", "Ihr Urlaub: jetzt planen")),
    Theme("soldes", "mode", FR, ("Soldes d'été : -30 % dès aujourd'hui", "Ventes privées")),
    Theme("spring-sale", "mise", JA, ("春のセール:全品20%オフ", "本日限り!送料無料")),
    Theme("double-11", "mise", ZH, ("双十一大促:全场五折起", "限时优惠,最后一天")),
    Theme("points", "bank", EN, ("Your points expire soon", "Double points this weekend")),
    Theme("depot-brief", "bank", DE, ("Ihr Marktbericht für diese Woche",)),
    Theme("reading-list", "books", EN, ("Ten novels for long evenings", "New in paperback")),
    Theme("win-back", "shop", EN, ("We miss you", "Is this goodbye?")),
    Theme("nowosci", "sklep", PL, ("Nowości, które pokochasz", "Darmowa dostawa do piątku")),
    Theme("webinar", "bank", EN, ("Invitation: saving for a house, live",)),
    Theme("survey", "trips", EN, ("How was your trip?", "Two minutes for a better journey")),
    Theme("geburtstag", "shop", DE, ("Alles Gute zum Geburtstag! 🎂",), amp=True),
    Theme("rentree", "mode", FR, ("La rentrée à prix doux", "Nouveautés : coup de cœur")),
)
NOTICES = (
    Theme("order-confirmation", "shop", EN, ("Your order #N is confirmed",)),
    Theme("shipping-notice", "shop", EN, ("Order #N is on its way",)),
    Theme("password-reset", "bank", EN, ("Reset your password",)),
    Theme("bestellung", "shop", DE, ("Ihre Bestellung #N ist eingegangen",)),
    Theme("zamowienie", "sklep", PL, ("Zamówienie #N przyjęte, dziękujemy",)),
    Theme("sign-in-code", "bank", EN, ("#N is your sign-in code",)),
    Theme("facture", "mode", FR, ("Votre facture n° #N",)),
    Theme("order-jp", "mise", JA, ("ご注文 #N の確認",)),
    Theme("order-cn", "mise", ZH, ("订单 #N 已发货",)),
    Theme("itinerary", "trips", EN, ("Your itinerary, booking #N",)),
)
# fmt: on
NOTICE: dict[str, object] = {"transactional": True}
AMP: dict[str, object] = {"amp_enabled": True}
LINKS = ("hero", "product-1", "product-2", "product-3", "shop-now", "account", "imprint")


def _send(rng: Random, theme: Theme, day: str = "") -> Send:
    """An edition of a campaign that starts on `day` (YYYY-MM-DD); without a day a notice."""
    brand = BRANDS[theme.brand]
    host = f"{'news' if day else 'service'}.{brand.domain}"
    page = f"https://www.{brand.domain}/{theme.slug}"
    kind: dict[str, object] = {"campaign_id": f"{theme.slug}-{day}"} if day else NOTICE
    fields = _json(
        **kind,
        transmission_id=str(10**16 + rng.getrandbits(56)) if day else "#T",
        template_id=f"{theme.slug}-v{1 + rng.getrandbits(2)}",
        subject=theme.subjects[rng.getrandbits(8) % len(theme.subjects)],
        sending_domain=host,
        ip_pool=brand.ip_pool if day else "transactional",
        subaccount_id=brand.subaccount_id,
    )
    options = _json(
        friendly_from=f"hello@{host}",
        click_tracking=True,
        open_tracking=True,
        recv_method="rest" if day else "esmtp",
        **AMP if theme.amp else {},
    )
    return Send(
        notice=not day,
        fields=fields,
        options="," + options,
        links=tuple(
            "," + _json(target_link_name=name, target_link_url=f"{page}/{name}") for name in LINKS
        ),
        ips=brand.ips if day else NOTICE_IPS,
        locale=theme.locale,
        size=12_000 + rng.getrandbits(16) if day else 6_000 + rng.getrandbits(12),
        amp=theme.amp,
    )


class Programme:
    """The campaigns that run now, one edition of each theme, next to the notices."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._notices = tuple(_send(rng, theme) for theme in NOTICES)
        self._editions: dict[int, tuple[int, Send]] = {}  # of a theme: when it ends, what it sends

    def pick(self, now: int) -> Send:
        """What is sent at `now` (milliseconds since 1970)."""
        if self._rng.random() < TRANSACTIONAL:
            return _some(self._rng, self._notices)
        number = _low(self._rng, len(CAMPAIGNS))
        ends, send = self._editions.get(number, (now, self._notices[0]))
        if ends <= now:
            send = _send(self._rng, CAMPAIGNS[number], _stamp(now)[:10])
            self._editions[number] = (now + _draw(self._rng, CAMPAIGN_LASTS), send)
        return send


# --- who reads ---


@dataclass(frozen=True, slots=True)
class Host:
    """Where mailboxes are, and its fields as JSON: for every event, injections, attempts."""

    domain: str
    fields: str
    region: str
    routing: str


@dataclass(frozen=True, slots=True)
class People:
    """The recipients of one language: names, hosts by share, and places as JSON."""

    names: tuple[str, ...]
    hosts: tuple[Host, ...]
    places: tuple[str, ...]


# One of about 400,000, who follow from their numbers: the address, its host, the places of reading.
Recipient = tuple[str, Host, tuple[str, ...]]

# fmt: off
GLOBAL, AMERICA, GERMANY = "Global", "North America - US", "Europe - Germany"
POLAND, FRANCE, JAPAN, CHINA = "Europe - Poland", "Europe - France", "APAC - Japan", "APAC - China"
PROVIDERS = {
    "gmail.com": ("Gmail", GLOBAL), "yahoo.com": ("Yahoo", GLOBAL), "aol.com": ("Yahoo", GLOBAL),
    "outlook.com": ("Microsoft", GLOBAL), "hotmail.com": ("Microsoft", GLOBAL),
    "icloud.com": ("Apple", GLOBAL), "comcast.net": ("Comcast", AMERICA),
    "gmx.de": ("GMX", GERMANY), "web.de": ("WEB.DE", GERMANY), "t-online.de": ("Telekom", GERMANY),
    "freenet.de": ("freenet", GERMANY), "wp.pl": ("WP", POLAND), "o2.pl": ("WP", POLAND),
    "onet.pl": ("Onet", POLAND), "interia.pl": ("Interia", POLAND), "orange.fr": ("Orange", FRANCE),
    "free.fr": ("Free", FRANCE), "laposte.net": ("La Poste", FRANCE), "sfr.fr": ("SFR", FRANCE),
    "yahoo.co.jp": ("Yahoo Japan", JAPAN), "docomo.ne.jp": ("NTT Docomo", JAPAN),
    "qq.com": ("Tencent", CHINA), "163.com": ("NetEase", CHINA), "126.com": ("NetEase", CHINA),
}
NAMES = "atlas birch copper delta ember falcon garnet harbor iris juniper"
TRADES = (
    "air art bank bau bio care chem data dental design energy farm foods glass group haus hotel "
    "invest labs law legal line media metal motors museum online paper pharma print rail solar "
    "tech trade wine yachts"
)
COMPANIES = tuple(
    f"{name}-{trade}.example" for name in NAMES.split() for trade in TRADES.split()
)
# Per language, in the order EN, DE, PL, FR, JA, ZH: twelve first names, twelve last names, the
# shares of the providers (next to 60 for its companies), and places.
LANGUAGES: tuple[tuple[str, str, dict[str, int], tuple[tuple[object, ...], ...]], ...] = (
    ("james mary robert linda david susan emily oliver grace noah chloe ethan",
     "smith jones brown taylor wilson evans walker wright green baker carter morgan",
     {"gmail.com": 240, "yahoo.com": 80, "outlook.com": 50, "hotmail.com": 40, "icloud.com": 50,
      "aol.com": 20, "comcast.net": 16},
     (("US", "NY", "New York", 40.71, -74.01), ("US", "CA", "San Jose", 37.34, -121.89),
      ("GB", "ENG", "Leeds", 53.8, -1.55), ("AU", "NSW", "Sydney", -33.87, 151.21))),
    ("anna lukas sophie jonas lena felix marie paul katrin stefan heike uwe",
     "mueller schmidt weber fischer becker wagner hoffmann schulz koch bauer richter klein",
     {"gmx.de": 120, "web.de": 110, "gmail.com": 100, "t-online.de": 60, "outlook.com": 40,
      "freenet.de": 20, "icloud.com": 20},
     (("DE", "BE", "Berlin", 52.52, 13.41), ("DE", "BY", "München", 48.14, 11.58),
      ("AT", "9", "Wien", 48.21, 16.37), ("CH", "ZH", "Zürich", 47.37, 8.54))),
    ("jan zofia piotr hanna tomasz ewa marek julia pawel magda adam ola",
     "nowak kowal wisnia wojcik kaminski lewan zielin szyman dabrow kozlow mazur krol",
     {"gmail.com": 170, "wp.pl": 130, "o2.pl": 60, "onet.pl": 60, "interia.pl": 40},
     (("PL", "14", "Warszawa", 52.23, 21.01), ("PL", "10", "Łódź", 51.76, 19.46),
      ("PL", "12", "Kraków", 50.06, 19.94))),
    ("camille louis chloe hugo manon jules lea arthur ines lucas alice theo",
     "martin bernard dubois thomas robert richard petit durand leroy moreau simon laurent",
     {"gmail.com": 190, "orange.fr": 90, "free.fr": 50, "hotmail.com": 60, "laposte.net": 40,
      "sfr.fr": 30},
     (("FR", "IDF", "Paris", 48.86, 2.35), ("FR", "ARA", "Lyon", 45.76, 4.84),
      ("BE", "BRU", "Bruxelles", 50.85, 4.35))),
    ("yuki haruto aoi sora hina ren mei kaito rin daiki nana kenta",
     "sato suzuki takahashi tanaka watanabe ito yamamoto nakamura kobayashi kato yoshida yamada",
     {"gmail.com": 180, "yahoo.co.jp": 150, "docomo.ne.jp": 80, "icloud.com": 60},
     (("JP", "13", "東京", 35.68, 139.69), ("JP", "27", "大阪", 34.69, 135.5))),
    ("wei fang min jing lei yan tao juan chao xia ping gang",
     "wang li zhang liu chen yang zhao huang zhou wu xu sun",
     {"qq.com": 260, "163.com": 120, "126.com": 40, "gmail.com": 20, "outlook.com": 20},
     (("CN", "SH", "上海", 31.23, 121.47), ("CN", "GD", "深圳", 22.54, 114.06))),
)
PLACE = ("country", "region", "city", "latitude", "longitude")
AGENTS = tuple("," + _json(user_agent=agent) for agent in (
    "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15",
    "Mozilla/5.0",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0.0.0",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/125.0.0.0",
    "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0)",
    "YahooMailProxy",
    "Thunderbird/115.12.0",
))
TAGS = ('["vip"]', '["new"]', '["loyal","app"]', '["b2b"]', '["new","web"]', '["trial"]', '["app"]')
# fmt: on


def _hosts(shares: dict[str, int], companies: Sequence[str]) -> Iterator[Host]:
    """Each provider `share` times and each company once."""
    for domain, share in shares.items():
        yield from [_host(domain, *PROVIDERS[domain])] * share
    for number, domain in enumerate(companies):
        yield _host(domain, ("Google Workspace", "Office 365", "Other")[number % 3], GLOBAL)


def _host(domain: str, provider: str, region: str) -> Host:
    return Host(
        domain,
        fields=_json(recipient_domain=domain, mailbox_provider=provider),
        region="," + _json(mailbox_provider_region=region),
        routing="," + _json(routing_domain=domain),
    )


PEOPLE = tuple(
    People(
        names=tuple(
            f"{first}{mark}{last}"
            for last in surnames.split()
            for mark in "._-"
            for first in firsts.split()
        ),
        hosts=tuple(_hosts(shares, COMPANIES[number :: len(LANGUAGES)])),
        places=tuple(
            "," + _json(geo_ip=dict(zip(PLACE, place, strict=True))) for place in places
        ),
    )
    for number, (firsts, surnames, shares, places) in enumerate(LANGUAGES)
)  # fmt: skip


@lru_cache(maxsize=256)
def _recipient(number: int) -> Recipient:
    rank, language = divmod(number, len(PEOPLE))
    people = PEOPLE[language]
    names, hosts = people.names, people.hosts
    host = hosts[rank * 7_919 % len(hosts)]  # a prime, so that neighbours have different hosts
    name = f"{names[rank % len(names)]}{rank // len(names) or ''}"
    return f"{name}@{host.domain}", host, people.places


# --- one message ---


class Message(NamedTuple):
    """All that is kept of a message; the fields of its events are made of it each time."""

    send: Send
    recipient: int
    message_id: str
    injected: int  # milliseconds since 1970
    bits: int  # 30 random ones, for what differs from message to message


# A step is a time (milliseconds since 1970) and either a line, or what makes the steps from then on
# when that time has come, the first of them at once.
Step = tuple[int, "bytes | Later"]
Later = Callable[[int], Iterator[Step]]


def _about(message: Message) -> str:
    """The fields that every event has, also of a message that was never made."""
    send, number, bits = message.send, message.recipient, message.bits
    address, host, _ = _recipient(number)
    fields = send.fields
    if send.notice:
        fields = fields.replace("#N", str(100_000 + bits % 900_000))
        fields = fields.replace("#T", str(10**16 + int(message.message_id[:14], 16)))
    return (
        f'{fields},"sending_ip":"{send.ips[bits % len(send.ips)]}","rcpt_to":"{address}"'
        f',{host.fields},"rcpt_tags":{TAGS[number % 7]}'
    )


def _body(message: Message) -> str:
    """The fields that every event of an injected message has."""
    return f'"message_id":"{message.message_id}",{_about(message)}'


def _later(message: Message) -> str:
    """The fields that every event after the injection has."""
    return f'{_body(message)},"injection_time":"{_stamp(message.injected)}"'


def _server(message: Message) -> str:
    """The address of the server that takes the recipient's mail."""
    return f"203.0.113.{message.recipient % 100}"


# --- what goes wrong ---


@dataclass(frozen=True, slots=True)
class Failure:
    """An answer as JSON: with the private parts masked, and the raw one, to fill in."""

    fields: str
    raw: str

    def of(self, message: Message, ip: str) -> str:
        """The fields of this failure, of a message and the address (IP) that it is about."""
        address = _recipient(message.recipient)[0]
        return self.fields + self.raw.format(rcpt=address, ip=ip, id=message.message_id[8:])


def _failures(*rows: tuple[int, str, str]) -> tuple[Failure, ...]:
    """From rows of bounce class, error code (none: 0, empty) and text, the commonest first."""
    masked = {"rcpt": "***", "ip": "a.b.c.d", "id": "***"}
    tables = (
        {"bounce_class": number, "error_code": code, "reason": text.format(**masked)}
        for number, code, text in rows
    )
    return tuple(
        Failure(
            "," + _json(**{name: value for name, value in table.items() if value}),
            "," + _json(raw_reason=text),
        )
        for table, (_, _, text) in zip(tables, rows, strict=True)
    )


BOUNCES = _failures(
    (10, "550", "550 5.1.1 <{rcpt}>: there is no such user here ({id})"),
    (10, "550", "550 5.1.1 action not taken: mailbox unavailable, see help/{id}"),
    (10, "554", "554 5.2.1 <{rcpt}>: this account is disabled {id}"),
    (30, "550", "550 5.1.3 cannot make out a recipient in <{rcpt}>"),
    (51, "554", "554 5.7.1 client host [{ip}] is on a block list, ref {id}"),
    (52, "550", "550 5.7.1 message {id} looks like unsolicited mail and was refused"),
    (50, "550", "550 5.7.26 mail from [{ip}] fails the sender's DMARC policy. {id}"),
    (22, "552", "552 5.2.2 <{rcpt}>: mailbox is over quota"),
    (23, "552", "552 5.3.4 message is larger than this system takes ({id})"),
    (54, "550", "550 5.7.1 <{rcpt}>: relay access denied to [{ip}]"),
    (53, "552", "552 5.7.0 attachment type is not allowed here, session {id}"),
    (20, "550", "550 5.5.0 transaction failed, try again in a few hours ({id})"),
    (21, "550", "550 5.4.4 unable to route: no mail server for the domain of <{rcpt}>"),
    (25, "550", "550 5.7.0 refused by a rule of the administrator of <{rcpt}>"),
    (1, "571", "571 Delivery not possible: contact postmaster, quoting {id}"),
    (40, "550", "550 no"),
)
DELAYS = _failures(
    (70, "421", "421 4.7.0 [{ip}] too many messages of late, slow down. {id}"),
    (70, "451", "451 4.7.1 <{rcpt}>: greylisted, please come back in 5 minutes"),
    (22, "452", "452 4.2.2 <{rcpt}>: mailbox full for now"),
    (24, "", "connection to [{ip}] timed out while waiting for the greeting"),
    (70, "450", "450 4.3.2 system is going down for maintenance, session {id}"),
    (21, "", "no answer from the name servers of the domain of {rcpt}"),
)
EXPIRIES = _failures(
    (24, "", "gave up: [{ip}] did not answer within the retry time"),
    (22, "552", "552 5.2.2 <{rcpt}>: mailbox still full, giving up ({id})"),
    (20, "554", "554 5.4.7 message expired in the queue after 4xx answers from [{ip}]"),
    (21, "554", "554 5.4.4 domain of {rcpt} could not be resolved"),
)
RETURNS = _failures(
    (10, "550", "550 5.1.1 unknown address <{rcpt}>, reported by the next hop {id}"),
    (22, "552", "552 5.2.2 delivery to {rcpt} failed: quota exceeded"),
    (60, "", "Out of office: {rcpt} is away until Monday"),
    (40, "550", "550 5.0.0 message {id} could not be delivered"),
    (100, "", "Please confirm that you are a person: challenge {id}"),
    (90, "", "Please take {rcpt} off this list"),
    (80, "", "Please add {rcpt} to this list"),
)
POLICY = _failures(
    (25, "550", "550 5.7.1 <{rcpt}> is on the suppression list"),
    (25, "550", "550 5.7.1 sending from [{ip}] is beyond the hourly limit of this account"),
)
GENERATION = _failures(
    (0, "554", "part html, line 14: the value of 'first_name' is missing for {rcpt}"),
    (0, "554", "part text, line 3: unknown macro, generation {id} stopped"),
)
REJECTION = _failures((25, "554", "554 5.7.1 {rcpt} was suppressed by the customer's policy"))


# --- sending ---


def _sent(rng: Random, message: Message, at: int) -> Iterator[Step]:
    """The injection or a refusal; then each attempt, and what follows from a delivery."""
    if rng.random() < REFUSED:
        yield at, _refused(rng, message, at)
        return
    send, number = message.send, message.recipient
    _, host, _ = _recipient(number)
    body = f'{_body(message)},"msg_size":{send.size + message.bits % 3_001}'
    own = f'{host.region},"rcpt_meta":{{"customer":{number}}}'
    yield at, _event(rng, "injection", at, body + send.options + own)

    queued = _draw(rng, DELIVERED_AFTER)
    ip = _server(message)
    attempt = (
        f'{body}{host.routing},"injection_time":"{_stamp(message.injected)}","delv_method":"esmtp"'
        f',"ip_address":"{ip}","num_retries":'
    )
    fate = rng.random()
    retries = 1 + _low(rng, len(RETRIED_AFTER)) if fate < DELAYED else 0
    for retry in range(retries):
        fields = f'{attempt}{retry},"queue_time":{queued}{_some(rng, DELAYS).of(message, ip)}'
        yield at + queued, _event(rng, "delay", at + queued, fields)
        queued += RETRIED_AFTER[retry]

    end = at + queued
    if fate < DELAYED * GIVEN_UP or DELAYED <= fate < DELAYED + BOUNCED:
        failure = _some(rng, EXPIRIES if retries else BOUNCES).of(message, ip)
        yield end, _event(rng, "bounce", end, f"{attempt}{retries}{failure}")
        return
    yield end, _event(rng, "delivery", end, f'{attempt}{retries},"queue_time":{queued}')
    if rng.random() < READ:
        yield _awake(rng, end + _draw(rng, READ_AFTER)), partial(_read, rng, message, 0)
    if rng.random() < REACTED:
        yield end + _draw(rng, REACTION_AFTER), partial(_some(rng, REACTIONS), rng, message)


def _refused(rng: Random, message: Message, at: int) -> bytes:
    """A message that is never injected; one that was not even made has no message id."""
    kind, failures, fields = (
        ("policy_rejection", POLICY, _body(message)),
        ("generation_rejection", REJECTION, _about(message)),
        ("generation_failure", GENERATION, _about(message)),
    )[_low(rng, 3)]
    failure = _some(rng, failures).of(message, "198.51.100.250")
    return _event(rng, kind, at, fields + failure)


# --- what follows a delivery ---


def _awake(rng: Random, at: int) -> int:
    """The same time, or for most of what falls into the night the morning after."""
    asleep = at // HOUR % 24 in NIGHT and rng.random() > READ_AT_NIGHT
    return at + 8 * HOUR if asleep else at


def _reader(message: Message) -> str:
    """Where the recipient reads, and with what; a shared address tells no place."""
    bits = message.bits >> 4
    agent = AGENTS[bits % len(AGENTS)]
    if bits & 8:
        return f'{agent},"ip_address":"2001:db8:{bits & 0xFFFF:x}::1"'
    number = message.recipient
    _, _, places = _recipient(number)
    return f'{agent},"ip_address":"198.51.100.{number % 200}"{places[number // 6 % len(places)]}'


def _read(rng: Random, message: Message, visit: int, at: int) -> Iterator[Step]:
    """One reading: the upper pixel, mostly the lower one, and now and then links."""
    fields = _later(message) + _reader(message)
    amp = "amp_" if message.send.amp and message.bits & 1 else ""
    yield at, _event(rng, f"{amp}initial_open", at, fields)
    if rng.random() < OPENED_TO_THE_END:
        opened = at + 100 + rng.getrandbits(11)
        yield opened, _event(rng, f"{amp}open", opened, fields)

    clicked = at + SECOND
    chance = CLICKED
    while rng.random() < chance:
        clicked += _draw(rng, NEXT_CLICK_AFTER)
        link = _some(rng, message.send.links)
        if visit == 0 and not amp and chance == CLICKED:
            yield clicked, _event(rng, "initial_click", clicked, fields + link)
        yield clicked, _event(rng, f"{amp}click", clicked, fields + link)
        chance = CLICKED_AGAIN

    if rng.random() < READ_AGAIN:
        again = _awake(rng, at + _draw(rng, READ_AGAIN_AFTER))
        yield again, partial(_read, rng, message, visit + 1)


def _returned(rng: Random, message: Message, at: int) -> Iterator[Step]:
    failure = _some(rng, RETURNS).of(message, _server(message))
    fields = f'{_later(message)},"delv_method":"esmtp"{failure}'
    yield at, _event(rng, "out_of_band", at, fields)


def _complained(rng: Random, message: Message, at: int) -> Iterator[Step]:
    domain = _recipient(message.recipient)[1].domain
    desk = f'"report_by":"feedback@{domain}","report_to":"abuse@example.net"'
    fields = f'{_later(message)},"fbtype":"abuse",{desk}'
    yield at, _event(rng, "spam_complaint", at, fields)


def _left_list(rng: Random, message: Message, at: int) -> Iterator[Step]:
    """The mail program's own unsubscribe (RFC 2369, RFC 8058)."""
    sender = f',"mailfrom":"{_recipient(message.recipient)[0]}"'
    yield at, _event(rng, "list_unsubscribe", at, _later(message) + sender)


def _left_by_link(rng: Random, message: Message, at: int) -> Iterator[Step]:
    """The link at the foot of a mail that was opened for it."""
    fields = _later(message) + _reader(message)
    yield at, _event(rng, "initial_open", at, fields)
    left = at + _draw(rng, NEXT_CLICK_AFTER)
    link = ',"target_link_name":"unsubscribe","target_link_url":"https://example.net/unsubscribe"'
    yield left, _event(rng, "link_unsubscribe", left, fields + link)


def _replied(rng: Random, message: Message, at: int) -> Iterator[Step]:
    address = _recipient(message.recipient)[0]
    sender = f',"mailfrom":"{address}","remote_addr":"{_server(message)}"'
    yield at, _event(rng, "response", at, _later(message) + sender)


REACTED = 0.012  # of the delivered ones
REACTIONS = (_returned, _left_list, _left_by_link, _complained, _replied)


# --- all messages ---


class Post:
    """The messages under way: what is yet to happen to them, soonest first."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._programme = Programme(rng)
        self._waiting: list[tuple[int, int, bytes | Later]] = []
        self._order = serials()  # keeps what is due at the same time in order

    def next(self, now: int) -> bytes:
        """The first event that is due by `now`; where there is none, a new message sets out."""
        waiting = self._waiting
        what: bytes | Later
        if waiting and waiting[0][0] <= now:
            due, _, what = heappop(waiting)
        else:
            due, what = now, partial(_sent, self._rng, self._message(now))
        while not isinstance(what, bytes):
            steps = what(due)
            due, what = next(steps)
            self._add(steps)
        return what

    def _message(self, now: int) -> Message:
        send = self._programme.pick(now)
        number = _draw(self._rng, AUDIENCE) // len(PEOPLE) * len(PEOPLE) + send.locale
        return Message(send, number, self._rng.randbytes(10).hex(), now, self._rng.getrandbits(30))

    def _add(self, steps: Iterator[Step]) -> None:
        waiting, order = self._waiting, self._order
        for due, what in steps:
            if len(waiting) < MOST_WAITING or isinstance(what, bytes):
                heappush(waiting, (due, next(order), what))


def _ticks(count: int, start: int, end: int) -> Iterator[int]:
    """`count` times from `start` (inclusive) to `end` (exclusive), denser in busy hours."""
    hours = list(pairwise([start, *range(start - start % HOUR + HOUR, end, HOUR), end]))
    # 1970 began on a Thursday.
    weights = accumulate(
        (to - at) * BUSY_HOURS[at // HOUR % 24] * BUSY_DAYS[(at // DAY + 3) % 7] for at, to in hours
    )
    sums = list(weights)
    first = 0
    for (at, to), weight in zip(hours, sums, strict=True):
        last = count * weight // sums[-1]
        for line in range(last - first):
            yield at + (to - at) * line // (last - first)
        first = last


def _stream(rng: Random, ticks: Iterator[int], repeats: float, late: float) -> Iterator[bytes]:
    """A line for each tick."""
    post = Post(rng)
    held: list[tuple[int, bytes]] = []  # what comes late or again, soonest first
    again = repeats / (1 - repeats) * (1 - late)  # of all draws, those for late lines included
    for now in ticks:
        if held and held[0][0] <= now:
            yield heappop(held)[1]
            continue
        line = post.next(now)
        chance = rng.random()
        while chance < late and len(held) < MOST_HELD:
            heappush(held, (now + _draw(rng, LATE_BY), line))
            line = post.next(now)
            chance = rng.random()
        yield line
        if chance >= 1 - again and len(held) < MOST_HELD:
            heappush(held, (now + _draw(rng, REPEATED_AFTER), line))


def lines(
    count: int,
    *,
    seed: int = 1,
    end: datetime,
    days: float = 30,
    repeats: float = 0.01,
    late: float = 0.01,
) -> Iterator[bytes]:
    """Exactly `count` events as lines of NDJSON, without the newline, about 670 bytes each.

    Timestamps lie in the `days` before `end` (exclusive, with a time zone), and are UTC to the
    millisecond. Lines come in the order of their timestamps, save for two shares: `repeats` of
    all lines are, byte for byte, lines that came up to a day before, and `late` of the others
    come hours to days late. So about 1 - `repeats` of the lines are distinct (more of them in a
    short time, since what would come again after `end` does not come). Distinct lines have
    distinct pairs of timestamp and event id, so a set of either counts the events.

    The same arguments give the same bytes. Raises ValueError for arguments out of range.
    """
    if count < 0 or seed < 0 or days <= 0:
        raise ValueError("count and seed must not be negative, and days must be positive")
    if end.tzinfo is None:
        raise ValueError("end needs a time zone")
    if not (0 <= repeats <= MOST_REPEATS and 0 <= late < 1):
        raise ValueError(f"repeats must be from 0 to {MOST_REPEATS}, and late from 0 to below 1")
    last = (end - EPOCH) // timedelta(milliseconds=1)
    first = last - max(1, timedelta(days=days) // timedelta(milliseconds=1))
    return _stream(Random(seed), _ticks(count, first, last), repeats, late)


def batches(
    count: int,
    *,
    size: int = 10_000,
    seed: int = 1,
    end: datetime,
    days: float = 30,
    repeats: float = 0.01,
    late: float = 0.01,
) -> Iterator[bytes]:
    """The same lines joined by newlines, `size` a batch, none after the last of a batch."""
    if size < 1:
        raise ValueError("size must be positive")
    rest = lines(count, seed=seed, end=end, days=days, repeats=repeats, late=late)
    return iter(lambda: b"\n".join(islice(rest, size)), b"")
