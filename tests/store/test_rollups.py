"""Figures from roll-ups are those that are counted from the events, whatever came when."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count, pairwise, product

from hypothesis import given
from hypothesis import strategies as st

from asking import Store
from making import Event, examples, iso
from postledger.intervals import runs, starts
from postledger.metrics import METRICS, Count, Total, figure
from postledger.query import EventQuery, Filter, Match, MetricsQuery
from postledger.store import metrics as statements
from postledger.store.dimensions import DIMENSIONS, is_rolled, may_be_rolled
from reckoning import expected, questions

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
_NAMES = count()
COUNTED_BY_QUARTER = [name for name in METRICS if isinstance(figure(name), Count | Total)]


@st.composite
def rolled_questions(draw: st.DrawFn) -> tuple[datetime, list[Event], MetricsQuery]:
    """The same, cut down to what the roll-ups can tell by quarters of an hour."""
    about, events, query = draw(questions())
    metrics = draw(st.lists(st.sampled_from(COUNTED_BY_QUARTER), unique=True, min_size=1))
    groups = st.just(()) | st.sampled_from([(name,) for name in (*DIMENSIONS, "type")])
    return (
        about,
        events,
        replace(
            query,
            metrics=tuple(metrics),
            group_by=draw(groups),
            filters=(),
            groupings=(),
            order_by=None,
        ),
    )


@examples(20)
@given(asked=questions() | rolled_questions(), data=st.data())
def test_rolled_figures_are_what_the_model_counts(
    store: Store, asked: tuple[datetime, list[Event], MetricsQuery], data: st.DataObject
) -> None:
    """Sent in any order, in pieces, with repeats, folded in steps of any length between them and
    not to the end: each event counts once, in its own quarter of an hour."""
    about, events, unplaced = asked
    query = replace(unplaced, workspace=f"rolled-{next(_NAMES)}")
    numbered = [event | {"event_id": f"e{n:04}"} for n, event in enumerate(events)]
    pieces = _pieces(data, data.draw(st.permutations(numbered)))
    for piece in pieces:
        store.send(query.workspace, piece)
        for most in data.draw(st.lists(st.integers(1, 10), max_size=2)):
            store.fold(most)
    rows = store.read("metrics", query)
    assert expected(events, query, about) == [
        replace(row, time=row.time and row.time.astimezone(UTC)) for row in rows
    ]
    listed = EventQuery(query.workspace, query.start, query.end, query.filters, limit=1000)
    assert store.read("count", listed) == len(store.read("page", listed).events)


def _pieces(data: st.DataObject, events: Sequence[Event]) -> list[list[Event]]:
    """The events in pieces; each piece has some that came before, too."""
    pieces: list[list[Event]] = []
    rest = list(events)
    while rest:
        size = data.draw(st.integers(1 + len(rest) // 3, len(rest)))
        before = [event for piece in pieces for event in piece]
        again = data.draw(st.lists(st.sampled_from(before), max_size=4)) if before else []
        pieces.append(rest[:size] + again)
        rest = rest[size:]
    return pieces


def _query(**more: object) -> MetricsQuery:
    common = MetricsQuery("w", NOON - 3 * DAY, NOON, ("count_delivered",))
    return replace(common, **more)  # type: ignore[arg-type]


CAMPAIGN = Filter("campaign_id", Match.EQUAL, ("a", "b"))
TAGGED = Filter("rcpt_tags", Match.MEMBER, ("t",))
BOUNCED = Filter("type", Match.EQUAL, ("bounce",))
ROLLED = [
    _query(),
    *(_query(group_by=(name,)) for name in (*DIMENSIONS, "type")),
    _query(group_by=("type", "campaign_id"), filters=(CAMPAIGN, BOUNCED)),
    _query(filters=(TAGGED,)),
    _query(metrics=("count_unique_clicked", "count_clicked")),
    *(_query(interval=name, timezone="Europe/Warsaw") for name in ("hour", "day", "week", "month")),
    *(_query(interval=name, timezone="Asia/Kathmandu") for name in ("hour", "half day", "week")),
    *(_query(interval=name, timezone="Australia/Lord_Howe") for name in ("hour", "day", "week")),
    _query(interval="15 minutes"),
    _query(start=NOON + timedelta(minutes=15), end=NOON + timedelta(minutes=45)),
    _query(interval="day", timezone="Asia/Kolkata", metrics=("total_msg_volume",)),
]
CUT = ROLLED[-9:]
"""Where hours are taken apart."""
COUNTED = [
    _query(group_by=("tag", "campaign_id")),
    _query(group_by=("tag",), filters=(TAGGED,)),
    _query(group_by=("template_id",), filters=(CAMPAIGN,)),
    _query(filters=(Filter("rcpt_tags", Match.MEMBER, ("t", "u")),)),
    _query(filters=(Filter("rcpt_tags", Match.MEMBER, ("",)),)),
    _query(filters=(replace(TAGGED, negated=True),)),
    _query(filters=(TAGGED, replace(TAGGED, values=("u",)))),
    _query(filters=(Filter("rcpt_to", Match.EQUAL, ("a@x.example",)),)),
    _query(filters=(Filter("reason", Match.WORDS, ("full",)),)),
    _query(alternatives=(CAMPAIGN,)),
    _query(metrics=("count_unique_clicked", "delivery_time_p50")),
    _query(interval="minute"),
    _query(start=NOON, end=NOON + timedelta(minutes=59)),
]


def test_what_roll_ups_can_answer_comes_from_them() -> None:
    """One dimension, whole hours: from the roll-ups, and only newer events are counted."""
    for query in ROLLED:
        assert may_be_rolled(query), query
        text = _statement(query)
        assert "FROM db.rollups" in text
        assert (" AS quarter " in text) == (query in CUT)
        uniques = "count_unique_clicked" in query.metrics
        assert text.count("FROM db.events") == text.count("AND seq > {") + uniques, text


AUTUMN = datetime(2026, 4, 4, 12, tzinfo=UTC)
QUARTERED = ("15 minutes", "hour", "half day", "day", "week", "month")
BROKEN = ("Asia/Kolkata", "Asia/Kathmandu", "Australia/Lord_Howe", "America/St_Johns")


def _counted(times: Sequence[datetime], query: MetricsQuery) -> list[int]:
    """How many of these times are in each interval, and in the range."""
    assert query.interval
    told = pairwise(starts(query.start, query.end, query.interval, query.timezone))
    within = [time for time in times if query.start <= time < query.end]
    return [sum(first <= time < last for time in within) for first, last in told]


def test_intervals_that_begin_at_a_quarter_need_no_events(store: Store) -> None:
    """The roll-ups alone have them when the events are gone, also where a zone changes its clock by
    half an hour, and for ranges that begin and end at a quarter."""
    made = [AUTUMN - 5 * DAY + n * timedelta(minutes=13) for n in range(1100)]
    told = [{"type": "delivery", "timestamp": iso(time), "msg_size": 3} for time in made]
    workspace = store.add(told)
    store.fold_all()
    store.run(f"DELETE FROM postledger.events WHERE workspace = '{workspace}'")
    for early, late in ((0, 75), (30, 0), (45, 45)):
        start = AUTUMN - 4 * DAY + timedelta(minutes=early)
        end = AUTUMN + 3 * DAY + timedelta(minutes=late)
        asked = MetricsQuery(workspace, start, end, ("count_delivered", "total_msg_volume"))
        number = sum(start <= time < end for time in made)
        assert [(number, 3 * number)] == [row.values for row in store.read("metrics", asked)]
        for zone, interval in product(BROKEN, QUARTERED if early == late else ("day",)):
            query = replace(asked, interval=interval, timezone=zone)
            counted = [(number, 3 * number) for number in _counted(made, query)]
            assert counted == [row.values for row in store.read("metrics", query)], query


def test_days_that_begin_within_a_quarter_take_all_other_hours_from_the_roll_ups(
    store: Store,
) -> None:
    """Hours in which a range ends at an odd minute, or a day of an old local time begins, are
    counted from their events, folded or not. Each event counts once."""
    winter = datetime(1972, 1, 7, tzinfo=UTC)
    made = [winter - 5 * DAY + n * timedelta(minutes=13) for n in range(1100)]
    told = [{"type": "delivery", "timestamp": iso(time), "msg_size": 1} for time in made]
    workspace = store.add(told[::2])
    store.fold_all()
    store.send(workspace, [event | {"event_id": f"l{n}"} for n, event in enumerate(told[1::2])])
    asked = MetricsQuery(workspace, made[0], made[-1], ("count_delivered",))
    for zone, metric in product(
        (*BROKEN, "Africa/Monrovia"), ("count_delivered", "total_msg_volume")
    ):
        for interval in ("day", "week", "month"):
            query = replace(asked, interval=interval, timezone=zone, metrics=(metric,))
            assert _statement(query).count("FROM db.rollups") == 1
            counted = _counted(made, query)
            assert counted == [row.values[0] for row in store.read("metrics", query)], query


def test_groups_of_other_quarters_are_not_listed(store: Store) -> None:
    """A campaign whose events are in the same hour, but before the range, is not one of it."""
    late = NOON + timedelta(minutes=29)
    workspace = store.add(
        [
            {"type": "delivery", "timestamp": iso(time), "campaign_id": name}
            for name, time in (("before", NOON), ("within", late))
        ]
    )
    store.fold(1000)
    query = MetricsQuery(
        workspace,
        NOON + timedelta(minutes=15),
        NOON + HOUR,
        ("count_delivered",),
        group_by=("campaign_id",),
    )
    for limit in (1, 10):
        rows = store.read("metrics", replace(query, limit=limit))
        assert [(("within",), (1,))] == [(row.group, row.values) for row in rows]


def test_all_else_is_counted_from_the_events() -> None:
    for query in COUNTED:
        assert "rollups" not in _statement(query), query


def _statement(query: MetricsQuery) -> str:
    through = statements.Folded(7) if may_be_rolled(query) else None
    if query.interval is None:
        return statements.totals(query, "db", through).text
    told = runs(starts(query.start, query.end, query.interval, query.timezone))
    return statements.series(query, told, "db", through).text


def test_every_count_and_sum_is_in_the_roll_ups() -> None:
    """A new metric that they cannot tell would go to the events without a word."""
    figures = [figure(name) for name in METRICS]
    assert [] == [f for f in figures if isinstance(f, Count | Total) and not is_rolled(f)]


def test_days_are_taken_by_the_day_and_ends_by_the_hour_or_less(store: Store) -> None:
    """A range with broken hours at both ends, hours, and whole days: each event counts once, also
    where the broken hour is the first or the last of a day."""
    minute = timedelta(minutes=1)
    first, last = NOON - 3 * DAY - 12 * HOUR, NOON + 12 * HOUR
    made = [first + n * 17 * minute for n in range(350)]
    workspace = store.add([{"type": "delivery", "timestamp": iso(time)} for time in made])
    while store.fold(97):
        pass
    odd = 7 * minute + timedelta(microseconds=500)
    for early, late in product((odd, 15 * minute, 12 * HOUR + odd), repeat=2):
        start, end = first + early, last - late
        query = MetricsQuery(workspace, start, end, ("count_delivered",))
        assert _statement(query).count("span = 'day'") == 1
        begin, finish = (time.replace(microsecond=0) for time in (start, end))
        counted = sum(begin <= time < finish for time in made)
        assert [(counted,)] == [row.values for row in store.read("metrics", query)]


def test_a_step_is_one_part(store: Store) -> None:
    """One insert of one block: a crash leaves all of a step behind, or nothing."""
    store.fold_all()
    before = _blocks(store)
    months = [{"type": "open", "timestamp": iso(NOON - n * 40 * DAY)} for n in range(30)]
    store.add([one | {"campaign_id": f"c{n}"} for n in range(40) for one in months])
    steps = 0
    while store.fold(400):
        steps += 1
    assert (3, 3) == (steps, _blocks(store) - before)


def _blocks(store: Store) -> int:
    """How many parts there have been, merged or not: each gets a number."""
    ((found,),) = store.run(
        "SELECT max(max_block_number) FROM system.parts WHERE active AND table = 'rollups'"
    )
    return int(found)


def test_what_became_of_a_step_is_looked_up(store: Store) -> None:
    """A step whose end was not heard of is neither repeated nor left out."""
    workspace = store.add([{"type": "click", "timestamp": iso(NOON)} for _ in range(10)])
    store.fold(1000)
    store.forget_numbers()
    assert not store.fold(1000)
    query = MetricsQuery(workspace, NOON - HOUR, NOON + HOUR, ("count_clicked",))
    assert [(10,)] == [row.values for row in store.read("metrics", query)]


def test_totals_are_of_the_events_that_are_there(store: Store) -> None:
    """Roll-ups outlive events, so they do not tell how many events there are of times before the
    horizon."""
    workspace = f"rolled-{next(_NAMES)}"
    gone, kept = datetime(1971, 1, 1, tzinfo=UTC), datetime(1971, 2, 1, tzinfo=UTC)
    events: list[Event] = [
        {"event_id": f"e{at}", "type": "open", "timestamp": iso(at)} for at in (gone, kept)
    ]
    assert store.send(workspace, events) == 2
    store.fold_all()
    query = EventQuery(workspace, gone, kept + DAY)
    assert store.read("count", query) == 2
    store.run(
        f"DELETE FROM postledger.events WHERE workspace = '{workspace}' AND event_id = 'e{gone}'"
    )
    assert store.read("count", query) == 2, "this is what the roll-ups say"
    store.move_horizon(kept)
    assert store.read("count", query) == 1
