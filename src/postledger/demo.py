"""A made-up stream of e-mail events, the same bytes each time, for demos, tests and benchmarks.

Every line is one event as in section 3 of the native contract, as a sender would report it: flat
JSON, UTF-8, times in UTC. Messages live in a heap of what happens next, soonest first, so the
stream is in time order, save for the lines that come late or again.

The same bytes on any machine: randomness is `Random.random` and `Random.getrandbits` of an integer
seed; delays come from tables of quantiles with whole milliseconds, since `math.log` and its kin may
differ in the last bit from one C library to the next.

Memory has a ceiling (`MOST_WAITING`, `MOST_HELD`), whatever the number of lines. It is reached
at more than 100 million events in 30 days; from there on fewer messages are read, and fewer lines
come late or again.

Names are reserved ones (RFC 2606) and addresses documentation ones (RFC 5737, RFC 3849), except
for the domains of real mailbox providers.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from heapq import heappop, heappush
from itertools import accumulate, count as numbers, islice, pairwise
from random import Random
from typing import NamedTuple

SECOND = 1_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

MOST_WAITING = 250_000  # things yet to happen, about 400 bytes each
MOST_HELD = 50_000  # lines to come late or again, about 700 bytes each

# How busy an hour of the day and a day of the week (Monday first) are, in UTC.
BUSY_HOURS = (8, 6, 5, 5, 6, 10, 22, 45, 70, 88, 96, 92, 84, 82, 86, 90, 94, 88, 76, 64, 52, 38, 24, 14)
BUSY_DAYS = (100, 104, 102, 106, 98, 48, 40)
NIGHT = (22, 23, 0, 1, 2, 3, 4, 5)

# Quantiles at even steps, from least to most; milliseconds.
DELIVERED_AFTER = (180, 520, 740, 980, 1_270, 1_640, 2_140, 2_900, 4_200, 7_400, 65_000)
READ_AFTER = tuple(
    seconds * SECOND
    for seconds in (15, 120, 480, 1_500, 3_600, 7_200, 14_400, 28_800, 50_000, 95_000, 350_000)
)
READ_AGAIN_AFTER = tuple(
    seconds * SECOND for seconds in (60, 600, 3_000, 9_000, 21_600, 43_200, 90_000, 500_000)
)
NEXT_CLICK_AFTER = (900, 3_000, 6_000, 11_000, 19_000, 45_000, 240_000)
HOURS_AFTER = (2 * MINUTE, 20 * MINUTE, HOUR, 3 * HOUR, 9 * HOUR, 30 * HOUR, 4 * DAY)
RETRY_AFTER = (10 * MINUTE, 20 * MINUTE, 40 * MINUTE, 80 * MINUTE, 160 * MINUTE, 320 * MINUTE)
LATE_BY = (HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR, 16 * HOUR, 30 * HOUR, 3 * DAY)
AGAIN_AFTER = (2 * SECOND, 30 * SECOND, MINUTE, 5 * MINUTE, HOUR, 6 * HOUR, DAY)
CAMPAIGN_LASTS = (DAY, 2 * DAY, 3 * DAY, 4 * DAY, 9 * DAY)

# Recipient numbers at even steps: a tenth of the mail goes to 600 people, a tenth to 200,000.
AUDIENCE = (0, 600, 1_800, 4_000, 8_000, 15_000, 30_000, 60_000, 110_000, 200_000, 400_000)

# Shares of all messages, or of the delivered ones.
TRANSACTIONAL = 0.25
REFUSED = 0.005
BOUNCED = 0.026
DELAYED = 0.04
GIVEN_UP = 0.15
READ = 0.5
READ_AGAIN = 0.44
OPENED_TO_THE_END = 0.9
CLICKED = 0.16
CLICKED_AGAIN = 0.4
READ_AT_NIGHT = 0.3


def _json(**fields: object) -> str:
    """The members of a JSON object, without its braces."""
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))[1:-1]


# --- who writes ---


class Brand(NamedTuple):
    """A sender: one sub-account with a domain and a pool of addresses."""

    domain: str
    subaccount_id: str
    ip_pool: str
    ips: tuple[str, ...]


class Theme(NamedTuple):
    """What a campaign or a transactional mail is about; `#N` in a subject is a number."""

    slug: str
    brand: str
    locale: int
    subjects: tuple[str, ...]
    amp: bool = False


class Send(NamedTuple):
    """One campaign, or one kind of transactional mail, as ready JSON text."""

    transmission_id: str  # empty: each message has its own
    fields: str
    flags: str
    links: tuple[str, ...]
    ips: tuple[str, ...]
    locale: int
    size: int
    amp: bool


EN, DE, PL, FR, JA, ZH = range(6)

BRANDS = {
    "shop": Brand("shop.example", "11", "retail", tuple(f"192.0.2.{n}" for n in range(10, 18))),
    "reise": Brand("reise.example", "12", "travel", tuple(f"192.0.2.{n}" for n in range(40, 44))),
    "bank": Brand("bank.example", "13", "finance", ("2001:db8:25::10", "2001:db8:25::11")),
    "sklep": Brand("sklep.example", "14", "retail", tuple(f"192.0.2.{n}" for n in range(18, 22))),
    "boutique": Brand("boutique.example", "15", "shared-eu", ("203.0.113.7", "203.0.113.8")),
    "mise": Brand("mise.example", "16", "shared-ap", ("203.0.113.130", "203.0.113.131")),
    "books": Brand("example.org", "0", "default", ("192.0.2.99",)),
}
TRANSACTIONAL_IPS = tuple(f"198.51.100.{n}" for n in range(20, 26))

# The first are the largest senders. One edition of each runs at a time.
CAMPAIGNS = (
    Theme("weekly-newsletter", "shop", EN, ("New this week", "Your week at the shop, in 5 minutes")),
    Theme("black-friday", "shop", EN, ("Black Friday: 40 % off everything", "Last hours: 40 % off")),
    Theme("herbst-sale", "shop", DE, ("Herbst-Sale: bis zu 50 % günstiger", "Nur für Sie: 20 € geschenkt")),
    Theme("amp-catalogue", "shop", EN, ("Choose your colours right in this mail",), amp=True),
    Theme("basket-reminder", "shop", EN, ("You left something behind", "Still thinking it over?")),
    Theme("wyprzedaz", "sklep", PL, ("Wyprzedaż: wszystko do −60 %", "Ostatnie sztuki w Twoim rozmiarze")),
    Theme("city-breaks", "reise", EN, ("72 hours in Lisbon from 99 €", "City breaks you can still book")),
    Theme("urlaubsplaner", "reise", DE, ("Früh buchen, später zahlen", "Ihr Urlaub 2026: jetzt planen")),
    Theme("soldes", "boutique", FR, ("Soldes d'été : -30 % dès aujourd'hui", "Votre sélection privée")),
    Theme("spring-sale-jp", "mise", JA, ("春のセール:全品20%オフ", "本日限り!送料無料")),
    Theme("double-eleven", "mise", ZH, ("双十一大促:全场五折起", "限时优惠,最后一天")),
    Theme("loyalty-points", "bank", EN, ("Your points expire soon", "Double points this weekend")),
    Theme("depot-brief", "bank", DE, ("Ihr Marktbericht für diese Woche",)),
    Theme("reading-list", "books", EN, ("Ten novels for long evenings", "New in paperback")),
    Theme("win-back", "shop", EN, ("We miss you", "Is this goodbye?")),
    Theme("nowosci", "sklep", PL, ("Nowości, które pokochasz", "Łap okazje: darmowa dostawa")),
    Theme("webinar-invite", "bank", EN, ("Invitation: saving for a house, live on Thursday",)),
    Theme("survey-nps", "reise", EN, ("How was your trip?", "Two minutes for a better journey")),
    Theme("geburtstag", "shop", DE, ("Alles Gute zum Geburtstag! 🎂",), amp=True),
    Theme("rentree", "boutique", FR, ("La rentrée à prix doux", "Nouveautés : coup de cœur garanti")),
)
NOTICES = (
    Theme("order-confirmation", "shop", EN, ("Your order #N is confirmed",)),
    Theme("shipping-notice", "shop", EN, ("Order #N is on its way",)),
    Theme("password-reset", "bank", EN, ("Reset your password",)),
    Theme("bestellbestaetigung", "shop", DE, ("Ihre Bestellung #N ist eingegangen",)),
    Theme("potwierdzenie", "sklep", PL, ("Zamówienie #N przyjęte – dziękujemy",)),
    Theme("sign-in-code", "bank", EN, ("#N is your sign-in code",)),
    Theme("facture", "boutique", FR, ("Votre facture n° #N",)),
    Theme("order-jp", "mise", JA, ("ご注文 #N の確認",)),
    Theme("order-cn", "mise", ZH, ("订单 #N 已发货",)),
    Theme("itinerary", "reise", EN, ("Your itinerary, booking #N",)),
)
LINKS = ("hero", "product-1", "product-2", "product-3", "shop-now", "account", "imprint")


def _send(rng: Random, theme: Theme, day: str | None) -> Send:
    """An edition of a campaign that starts on `day` (YYYY-MM-DD); a kind of notice when None."""
    brand = BRANDS[theme.brand]
    host = f"{'news' if day else 'service'}.{brand.domain}"
    campaign = {"campaign_id": f"{theme.slug}-{day}"} if day else {}
    page = f"https://www.{brand.domain}/{theme.slug}"
    source = f"?utm_campaign={theme.slug}-{day}" if day else ""
    return Send(
        transmission_id=str(10**16 + rng.getrandbits(56)) if day else "",
        fields=_json(
            **campaign,
            template_id=f"{theme.slug}-v{1 + rng.getrandbits(2)}",
            subject=theme.subjects[rng.getrandbits(8) % len(theme.subjects)],
            friendly_from=f"hello@{host}",
            sending_domain=host,
            ip_pool=brand.ip_pool if day else "transactional",
            subaccount_id=brand.subaccount_id,
            transactional=day is None,
        ),
        flags="," + _json(
            amp_enabled=theme.amp,
            click_tracking=True,
            open_tracking=True,
            recv_method="rest" if day else "esmtp",
        ),
        links=tuple(
            "," + _json(target_link_name=name, target_link_url=f"{page}/{name}{source}")
            for name in LINKS
        ),
        ips=brand.ips if day else TRANSACTIONAL_IPS,
        locale=theme.locale,
        size=12_000 + rng.getrandbits(16) if day else 6_000 + rng.getrandbits(12),
        amp=theme.amp,
    )


class Programme:
    """The campaigns that run now, one edition of each theme, next to the transactional mail."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._notices = [_send(rng, theme, None) for theme in NOTICES]
        self._editions: dict[int, tuple[int, Send]] = {}  # theme: when it ends, and what it sends

    def pick(self, now: int) -> Send:
        """What is sent at `now` (milliseconds since 1970)."""
        rng = self._rng
        choice = rng.random()
        if choice < TRANSACTIONAL:
            return self._notices[int(choice / TRANSACTIONAL * len(NOTICES))]
        number = _low(rng, len(CAMPAIGNS))
        ends, send = self._editions.get(number, (now, self._notices[0]))
        if ends <= now:
            send = _send(rng, CAMPAIGNS[number], _stamp(now)[:10])
            self._editions[number] = (now + _draw(rng, CAMPAIGN_LASTS), send)
        return send


# --- who reads ---


class Locale(NamedTuple):
    """The people of one language: names, mail hosts (domain, JSON) by share, places (JSON)."""

    first: tuple[str, ...]
    last: tuple[str, ...]
    hosts: tuple[tuple[str, str], ...]
    places: tuple[str, ...]


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
}  # fmt: skip
COMPANIES = tuple(
    f"{trade}-{place}.example"
    for trade in "atlas birch copper delta ember falcon garnet harbor iris juniper".split()
    for place in (
        "air art bank bau bio care chem data dental design energy farm foods glass group haus hotel "
        "invest labs law legal line logistics media metal motors museum online paper partners pharma "
        "print rail solar tech trade"
    ).split()
)
LOCALES = (
    ("james mary robert linda david susan emily oliver grace noah chloe ethan",
     "smith jones brown taylor wilson evans walker wright green baker carter morgan",
     {"gmail.com": 240, "yahoo.com": 80, "outlook.com": 50, "hotmail.com": 40, "icloud.com": 50,
      "aol.com": 20, "comcast.net": 16},
     (("US", "NY", "New York", 40.71, -74.01, "10001"), ("US", "CA", "San Jose", 37.34, -121.89, "95113"),
      ("GB", "ENG", "Leeds", 53.8, -1.55, "LS1"), ("AU", "NSW", "Sydney", -33.87, 151.21, "2000"))),
    ("anna lukas sophie jonas lena felix marie paul katrin stefan heike uwe",
     "mueller schmidt weber fischer becker wagner hoffmann schulz koch bauer richter klein",
     {"gmx.de": 120, "web.de": 110, "gmail.com": 100, "t-online.de": 60, "outlook.com": 40,
      "freenet.de": 20, "icloud.com": 20},
     (("DE", "BE", "Berlin", 52.52, 13.41, "10115"), ("DE", "BY", "München", 48.14, 11.58, "80331"),
      ("AT", "9", "Wien", 48.21, 16.37, "1010"), ("CH", "ZH", "Zürich", 47.37, 8.54, "8001"))),
    ("jan zofia piotr hanna tomasz ewa marek julia pawel magda adam ola",
     "nowak kowalski wisniewski wojcik kaminski lewandowski zielinski szymanski dabrowski kozlowski mazur krol",
     {"gmail.com": 170, "wp.pl": 130, "o2.pl": 60, "onet.pl": 60, "interia.pl": 40},
     (("PL", "14", "Warszawa", 52.23, 21.01, "00-001"), ("PL", "10", "Łódź", 51.76, 19.46, "90-001"),
      ("PL", "12", "Kraków", 50.06, 19.94, "30-001"))),
    ("camille louis chloe hugo manon jules lea arthur ines lucas alice theo",
     "martin bernard dubois thomas robert richard petit durand leroy moreau simon laurent",
     {"gmail.com": 190, "orange.fr": 90, "free.fr": 50, "hotmail.com": 60, "laposte.net": 40, "sfr.fr": 30},
     (("FR", "IDF", "Paris", 48.86, 2.35, "75001"), ("FR", "ARA", "Lyon", 45.76, 4.84, "69001"),
      ("BE", "BRU", "Bruxelles", 50.85, 4.35, "1000"))),
    ("yuki haruto aoi sora hina ren mei kaito rin daiki nana kenta",
     "sato suzuki takahashi tanaka watanabe ito yamamoto nakamura kobayashi kato yoshida yamada",
     {"gmail.com": 180, "yahoo.co.jp": 150, "docomo.ne.jp": 80, "icloud.com": 60},
     (("JP", "13", "東京", 35.68, 139.69, "100-0001"), ("JP", "27", "大阪", 34.69, 135.5, "530-0001"))),
    ("wei fang min jing lei yan tao juan chao xia ping gang",
     "wang li zhang liu chen yang zhao huang zhou wu xu sun",
     {"qq.com": 260, "163.com": 120, "126.com": 40, "gmail.com": 20, "outlook.com": 20},
     (("CN", "SH", "上海", 31.23, 121.47, "200000"), ("CN", "GD", "深圳", 22.54, 114.06, "518000"))),
)  # fmt: skip
PLACE = ("country", "region", "city", "latitude", "longitude", "postal_code")


def _hosts(shares: dict[str, int], companies: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each provider `share` times and each company once, with the fields that tell of the host."""
    for domain, share in shares.items():
        provider, region = PROVIDERS[domain]
        fields = _json(mailbox_provider=provider, mailbox_provider_region=region)
        yield from [(domain, fields)] * share
    for number, domain in enumerate(companies):
        provider = ("Google Workspace", "Office 365", "Other")[number % 3]
        yield domain, _json(mailbox_provider=provider, mailbox_provider_region=GLOBAL)


PEOPLE = tuple(
    Locale(
        tuple(first.split()),
        tuple(last.split()),
        tuple(_hosts(shares, COMPANIES[number :: len(LOCALES)])),
        tuple(
            "," + _json(geo_ip=dict(zip(PLACE, place, strict=True))) for place in places
        ),
    )
    for number, (first, last, shares, places) in enumerate(LOCALES)
)  # fmt: skip
AGENTS = tuple(
    "," + _json(user_agent=agent)
    for agent in (
        "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148",
        "Mozilla/5.0",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/126.0.0.0 Safari/537.36",
        "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/125.0.0.0 Mobile",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15",
        "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.17628; Pro)",
        "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html",
        "Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Thunderbird/115.12.0",
    )
)
TAGS = ('["vip"]', '["new"]', '["loyal","mobile"]', '["b2b"]', '["new","web"]', '["trial"]', '["app"]')


def _recipient(number: int) -> tuple[str, str, str]:
    """The address of a recipient, its domain, and the fields that tell of its host."""
    people = PEOPLE[number % len(PEOPLE)]
    rank = number // len(PEOPLE)
    rest, first = divmod(rank, len(people.first))
    serial, last = divmod(rest, len(people.last))
    # Knuth's multiplicative hash: neighbours have different hosts.
    domain, host = people.hosts[(rank * 2_654_435_761 & 0xFFFF_FFFF) * len(people.hosts) >> 32]
    name = f"{people.first[first]}{'._-'[serial % 3]}{people.last[last]}"
    return f"{name}{serial or ''}@{domain}", domain, host


# --- what goes wrong ---


class Failure(NamedTuple):
    """An answer: its fields with the private parts masked, and the raw one (JSON) to fill in."""

    fields: str
    raw: str

    def about(self, message: "Message", ip: str) -> str:
        """The fields of this failure for a message that was offered to the server at `ip`."""
        address = _recipient(message.recipient)[0]
        token = f"{message.identity & 0xFFFF_FFFF_FFFF:012x}"
        return self.fields + self.raw.format(rcpt=address, ip=ip, id=token)


def _failures(*rows: tuple[int, str, str]) -> tuple[Failure, ...]:
    """From rows of bounce class (0: has none), error code and text, the commonest first."""
    return tuple(
        Failure(
            "," + (_json(bounce_class=bounce_class) + ",") * (bounce_class > 0)
            + _json(error_code=code, reason=text.format(rcpt="***", ip="a.b.c.d", id="***")),
            "," + _json(raw_reason=text),
        )
        for bounce_class, code, text in rows
    )  # fmt: skip


BOUNCES = _failures(
    (10, "550", "550 5.1.1 <{rcpt}>: there is no such user here ({id})"),
    (10, "550", "550 5.1.1 Requested action not taken: mailbox unavailable, see help/{id}"),
    (10, "554", "554 5.7.1 <{rcpt}>: recipient account is disabled {id} - gsmtp"),
    (30, "550", "550 5.1.3 cannot make out a recipient in <{rcpt}>"),
    (51, "554", "554 5.7.1 service unavailable; client host [{ip}] is on a block list, ref {id}"),
    (52, "550", "550 5.7.1 message {id} looks like unsolicited mail and was refused"),
    (50, "550", "550 5.7.26 mail from [{ip}] does not pass the sender's DMARC policy. {id}"),
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
    (20, "554", "554 5.4.7 message expired in the queue after repeated 4xx answers from [{ip}]"),
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
RENDERING = _failures(
    (0, "554", "part html, line 14: the substitution value 'first_name' is missing for {rcpt}"),
    (0, "554", "part text, line 3: unknown macro, generation {id} stopped"),
)
REJECTION = _failures((25, "554", "554 5.7.1 {rcpt} was suppressed by the customer's policy"))


# --- one message ---


class Message(NamedTuple):
    """All that is kept of a message; its fields are made of this again for each of its events."""

    send: Send
    recipient: int
    identity: int  # 80 random bits
    at: int  # injection, milliseconds since 1970


class Later(NamedTuple):
    """Something that happens to a message, whose events are made only when its time has come."""

    happen: "Callable[[Random, Message, int], Iterator[Step]]"
    message: Message


Step = tuple[int, bytes | Later]  # when (milliseconds since 1970), and what


def _draw(rng: Random, quantiles: Sequence[int]) -> int:
    """A random number with these quantiles at even steps."""
    place = rng.random() * (len(quantiles) - 1)
    step = int(place)
    return quantiles[step] + int((quantiles[step + 1] - quantiles[step]) * (place - step))


def _low(rng: Random, size: int) -> int:
    """A random number from 0 to `size` - 1, low ones more often."""
    draw = rng.random()
    return int(draw * draw * size)


@lru_cache(maxsize=4_096)
def _minute(number: int) -> str:
    return (EPOCH + timedelta(minutes=number)).isoformat()[:17]


def _stamp(at: int) -> str:
    """`YYYY-MM-DDTHH:MM:SS.mmmZ` for milliseconds since 1970."""
    minute, rest = divmod(at, MINUTE)
    return f"{_minute(minute)}{rest // SECOND:02}.{rest % SECOND:03}Z"


def _event(rng: Random, kind: str, at: int, fields: str) -> bytes:
    """A line: 18 or 19 digits of event id, then the fields."""
    event_id = 10**17 + rng.getrandbits(62)
    return (
        f'{{"type":"{kind}","timestamp":"{_stamp(at)}","event_id":"{event_id}",{fields}}}'.encode()
    )


def _about(message: Message) -> str:
    """The fields that every event of a message has, also where it was never made."""
    send, recipient, bits, _ = message
    address, domain, host = _recipient(recipient)
    fields = send.fields
    if not send.transmission_id:
        fields = fields.replace("#N", str(bits % 1_000_000))
    return (
        f'{fields},"transmission_id":"{send.transmission_id or 10**16 + (bits >> 24)}"'
        f',"rcpt_to":"{address}","recipient_domain":"{domain}",{host}'
        f',"rcpt_tags":{TAGS[recipient % len(TAGS)]},"rcpt_meta":{{"customer":{recipient}}}'
        f',"sending_ip":"{send.ips[bits % len(send.ips)]}"'
    )


def _body(message: Message) -> str:
    """The fields that every event of an injected message has."""
    _, _, bits, at = message
    return (
        f'"message_id":"{bits:020x}",{_about(message)},"injection_time":"{_stamp(at)}"'
        f',"msg_size":{message.send.size + bits % 3_001}'
    )


def _sent(rng: Random, message: Message) -> Iterator[Step]:
    """The injection or a refusal; then each attempt, and what follows from a delivery."""
    at = message.at
    if rng.random() < REFUSED:
        yield at, _refused(rng, message)
        return
    body = _body(message)
    yield at, _event(rng, "injection", at, body + message.send.flags)

    queued = _draw(rng, DELIVERED_AFTER)
    ip = f"203.0.113.{message.recipient % 100}"
    attempt = f'{body},"delv_method":"esmtp","ip_address":"{ip}","num_retries":'
    fate = rng.random()
    retries = 1 + _low(rng, len(RETRY_AFTER)) if fate < DELAYED else 0
    for retry in range(retries):
        failure = DELAYS[_low(rng, len(DELAYS))].about(message, ip)
        fields = f'{attempt}{retry},"queue_time":{queued}{failure}'
        yield at + queued, _event(rng, "delay", at + queued, fields)
        queued += RETRY_AFTER[retry]

    if DELAYED * GIVEN_UP < fate < DELAYED or fate > DELAYED + BOUNCED:
        fields = f'{attempt}{retries},"queue_time":{queued},"routing_domain":"{_domain(message)}"'
        yield at + queued, _event(rng, "delivery", at + queued, fields)
        yield from _after(rng, message, at + queued)
    else:
        kinds = EXPIRIES if retries else BOUNCES
        failure = kinds[_low(rng, len(kinds))].about(message, ip)
        yield at + queued, _event(rng, "bounce", at + queued, f"{attempt}{retries}{failure}")


def _refused(rng: Random, message: Message) -> bytes:
    """A message that is never injected; one that was not even made has no message id."""
    kind, failures, fields = (
        ("policy_rejection", POLICY, f'"message_id":"{message.identity:020x}",{_about(message)}'),
        ("generation_rejection", REJECTION, _about(message)),
        ("generation_failure", RENDERING, _about(message)),
    )[_low(rng, 3)]
    failure = failures[_low(rng, len(failures))].about(message, "198.51.100.250")
    return _event(rng, kind, message.at, fields + failure)


def _domain(message: Message) -> str:
    return _recipient(message.recipient)[1]


# --- what follows a delivery ---


def _after(rng: Random, message: Message, at: int) -> Iterator[Step]:
    """Readings, and now and then a reaction, of a message delivered at `at`."""
    if rng.random() < READ:
        yield _awake(rng, at + _draw(rng, READ_AFTER)), Later(_read_first, message)
    chance = rng.random()
    for share, happen in REACTIONS:
        if chance < share:
            yield at + _draw(rng, HOURS_AFTER), Later(happen, message)
            return
        chance -= share


def _awake(rng: Random, at: int) -> int:
    """The same time, or for most of what falls into the night the next morning."""
    asleep = at // HOUR % 24 in NIGHT and rng.random() > READ_AT_NIGHT
    return at + 8 * HOUR if asleep else at


def _reader(message: Message) -> str:
    """Where the recipient reads, and with what."""
    bits = message.identity >> 32
    places = PEOPLE[message.recipient % len(PEOPLE)].places
    ip = f"2001:db8:{bits & 0xFFFF:x}::1" if bits & 3 == 0 else f"198.51.100.{bits >> 2 & 127}"
    place = places[message.recipient // len(PEOPLE) % len(places)]
    return f'{place}{AGENTS[bits % len(AGENTS)]},"ip_address":"{ip}"'


def _read_first(rng: Random, message: Message, at: int) -> Iterator[Step]:
    return _read(rng, message, at, first=True)


def _read_again(rng: Random, message: Message, at: int) -> Iterator[Step]:
    return _read(rng, message, at, first=False)


def _read(rng: Random, message: Message, at: int, *, first: bool) -> Iterator[Step]:
    """One reading: the upper pixel, mostly the lower one, and now and then links."""
    fields = _body(message) + _reader(message)
    amp = "amp_" if message.send.amp and message.identity & 1 else ""
    yield at, _event(rng, f"{amp}initial_open", at, fields)
    if rng.random() < OPENED_TO_THE_END:
        opened = at + 100 + rng.getrandbits(11)
        yield opened, _event(rng, f"{amp}open", opened, fields)
    clicked = at + SECOND
    chance = CLICKED
    while rng.random() < chance:
        clicked += _draw(rng, NEXT_CLICK_AFTER)
        link = message.send.links[_low(rng, len(LINKS))]
        if first and not amp and chance == CLICKED:
            yield clicked, _event(rng, "initial_click", clicked, fields + link)
        yield clicked, _event(rng, f"{amp}click", clicked, fields + link)
        chance = CLICKED_AGAIN
    if rng.random() < READ_AGAIN:
        again = _awake(rng, at + _draw(rng, READ_AGAIN_AFTER))
        yield again, Later(_read_again, message)


def _returned(rng: Random, message: Message, at: int) -> Iterator[Step]:
    ip = f"203.0.113.{message.recipient % 100}"
    failure = RETURNS[_low(rng, len(RETURNS))].about(message, ip)
    yield at, _event(rng, "out_of_band", at, f'{_body(message)},"delv_method":"esmtp"{failure}')


def _complained(rng: Random, message: Message, at: int) -> Iterator[Step]:
    desk = f'"report_by":"feedback@{_domain(message)}","report_to":"abuse@example.net"'
    yield at, _event(rng, "spam_complaint", at, f'{_body(message)},"fbtype":"abuse",{desk}')


def _left_list(rng: Random, message: Message, at: int) -> Iterator[Step]:
    """The mail program's own unsubscribe (RFC 2369, RFC 8058)."""
    sender = f'"mailfrom":"{_recipient(message.recipient)[0]}"'
    yield at, _event(rng, "list_unsubscribe", at, f"{_body(message)},{sender}")


def _left_by_link(rng: Random, message: Message, at: int) -> Iterator[Step]:
    """The link at the foot of a mail that was opened for it."""
    fields = _body(message) + _reader(message)
    yield at, _event(rng, "initial_open", at, fields)
    left = at + _draw(rng, NEXT_CLICK_AFTER)
    link = ',"target_link_name":"unsubscribe","target_link_url":"https://example.net/unsubscribe"'
    yield left, _event(rng, "link_unsubscribe", left, fields + link)


def _replied(rng: Random, message: Message, at: int) -> Iterator[Step]:
    sender = f'"mailfrom":"{_recipient(message.recipient)[0]}","remote_addr":"203.0.113.200:25"'
    yield at, _event(rng, "response", at, f"{_body(message)},{sender}")


REACTIONS = (
    (0.0030, _returned),
    (0.0030, _left_list),
    (0.0025, _left_by_link),
    (0.0020, _complained),
    (0.0015, _replied),
)


# --- all messages ---


class Post:
    """The messages under way: what is yet to happen to them, soonest first."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._programme = Programme(rng)
        self._waiting: list[tuple[int, int, bytes | Later]] = []
        self._order = numbers()

    def next(self, now: int) -> bytes:
        """The first event that is due by `now`; where there is none, a new message sets out."""
        if not self._waiting or self._waiting[0][0] > now:
            self._add(_sent(self._rng, self._message(now)))
        while True:
            due, _, what = heappop(self._waiting)
            if isinstance(what, bytes):
                return what
            self._add(what.happen(self._rng, what.message, due))

    def _message(self, now: int) -> Message:
        send = self._programme.pick(now)
        people = _draw(self._rng, AUDIENCE) // len(PEOPLE) * len(PEOPLE)
        return Message(send, people + send.locale, self._rng.getrandbits(80), now)

    def _add(self, steps: Iterator[Step]) -> None:
        for due, what in steps:
            if isinstance(what, bytes) or len(self._waiting) < MOST_WAITING:
                heappush(self._waiting, (due, next(self._order), what))


def _ticks(count: int, start: int, end: int) -> Iterator[int]:
    """`count` rising times from `start` (inclusive) to `end` (exclusive), busy hours the denser."""
    bounds = [start, *range(start - start % HOUR + HOUR, end, HOUR), end]
    hours = list(pairwise(bounds))
    # 1970 began on a Thursday.
    weights = accumulate(
        (to - at) * BUSY_HOURS[at // HOUR % 24] * BUSY_DAYS[(at // DAY + 3) % 7] for at, to in hours
    )
    sums = list(weights)
    first = 0
    for (at, to), weight in zip(hours, sums, strict=True):
        last = count * weight // sums[-1]
        for line in range(first, last):
            yield at + (to - at) * (line - first) // (last - first)
        first = last


def _stream(rng: Random, ticks: Iterator[int], repeats: float, late: float) -> Iterator[bytes]:
    """A line for each tick."""
    post = Post(rng)
    held: list[tuple[int, bytes]] = []  # to come late or again, soonest first
    again = repeats / (1 - repeats)
    for now in ticks:
        if held and held[0][0] <= now:
            yield heappop(held)[1]
            continue
        line = post.next(now)
        while rng.random() < late and len(held) < MOST_HELD:
            heappush(held, (now + _draw(rng, LATE_BY), line))
            line = post.next(now)
        yield line
        if rng.random() < again and len(held) < MOST_HELD:
            heappush(held, (now + _draw(rng, AGAIN_AFTER), line))


def lines(
    count: int,
    *,
    seed: int = 1,
    end: datetime,
    days: float = 30,
    repeats: float = 0.01,
    late: float = 0.01,
) -> Iterator[bytes]:
    """Exactly `count` events as lines of NDJSON, without the newline, about 650 bytes each.

    Timestamps lie in the `days` before `end` (aware, exclusive), in UTC to the millisecond. Lines
    come in the order of their timestamps, save for two shares: `repeats` of all lines are byte
    for byte lines that came up to a day before, and `late` of the others come hours to
    days late. So 1 - `repeats` of the lines are distinct, or slightly more, since what would come
    again or late after `end` does not come. Distinct lines have distinct (timestamp, event_id).

    The same arguments give the same bytes. Raises ValueError for arguments out of range.
    """
    if count < 0 or days <= 0:
        raise ValueError("count must not be negative, and days must be positive")
    if end.tzinfo is None:
        raise ValueError("end needs a time zone")
    if not (0 <= repeats <= 0.5 and 0 <= late < 1):
        raise ValueError("repeats must be from 0 to 0.5, and late from 0 to less than 1")
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
    """The same lines joined by newlines, `size` a batch, the last one shorter."""
    if size < 1:
        raise ValueError("size must be positive")
    rest = lines(count, seed=seed, end=end, days=days, repeats=repeats, late=late)
    return iter(lambda: b"\n".join(islice(rest, size)), b"")
