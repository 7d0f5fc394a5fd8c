"""Which event a line is: what Python tells is what the engine tells."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from postledger.settings import load
from postledger.store.engine import Engine
from postledger.store.identity import of_line
from postledger.store.staging import Staging, came

TIMES = st.datetimes(
    datetime(1960, 1, 1),  # noqa: DTZ001 -- hypothesis adds the zone
    datetime(2210, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)
ZONES = st.sampled_from(["Z", "z", "+00:00", "-00:00", "+05:30", "-23:59", "+14:00"])


@st.composite
def stamps(draw: st.DrawFn) -> Any:
    """Times in every form that intake accepts."""
    time = draw(TIMES)
    fraction = draw(st.from_regex(r"(\.[0-9]{1,9})?", fullmatch=True))
    text = time.strftime(f"%Y-%m-%d{draw(st.sampled_from('Tt '))}%H:%M:%S") + fraction + draw(ZONES)
    seconds = int(time.timestamp())
    return draw(st.sampled_from([text, abs(seconds), abs(seconds) * 1000 + 7, seconds + 0.25]))


TEXTS: st.SearchStrategy[Any] = st.text(st.characters(codec="utf-8"), max_size=9)
REQUIRED: dict[str, st.SearchStrategy[Any]] = {"type": st.just("open"), "timestamp": stamps()}
OPTIONAL: dict[str, st.SearchStrategy[Any]] = {
    "event_id": TEXTS | st.integers(0, 9),
    "rcpt_meta": st.dictionaries(st.sampled_from(["timestamp", "event_id"]), st.text("ab")),
    "subject": TEXTS,
    "injection_time": stamps() | st.none(),
    "scheduled_time": stamps() | st.none(),
}
LINES = st.fixed_dictionaries(REQUIRED, optional=OPTIONAL)


@pytest.fixture(scope="module")
def staging(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Staging]:
    directory = str(tmp_path_factory.mktemp("identity"))
    engine = Engine(load({}, overrides={"data_dir": directory, "readers": 1}))
    yield Staging(engine, "test", {"types_from": [], "types_to": []})
    engine.close()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(events=st.lists(LINES, min_size=1, max_size=40), escaped=st.booleans())
def test_python_and_the_engine_say_the_same(
    staging: Staging, *, events: list[dict[str, Any]], escaped: bool
) -> None:
    """Where Python is certain, the engine agrees, so a repeat is found whichever way it comes."""
    lines = [json.dumps(event, ensure_ascii=escaped).encode() for event in events]
    engine_says = staging.identify(came("w", "native", b"\n".join(lines)))
    for line, theirs in zip(lines, engine_says, strict=True):
        ours = of_line("w", line)
        assert ours is None or ours == theirs, line


@pytest.mark.parametrize(
    "line",
    [
        b'{"type":"open","timestamp":"2026-11-20T09:30:00Z"}',
        b'{"type":"open","timestamp":"2026-11-20T09:30:00Z","event_id":""}',
        b'{"type":"open","timestamp":"2026-11-20T09:30:00Z","event_id":7}',
        b'{"type":"open","timestamp":"2026-11-20T09:30:00Z","event_id":"a","event_id":"b"}',
        b'{"type":"open","timestamp":1700000000,"event_id":"a"}',
        b'{"type":"open","timestamp":"2026-02-30T09:30:00Z","event_id":"a"}',
        b'{"type":"open","timestamp":"2926-11-20T09:30:00Z","event_id":"a"}',
        b'{"type":"open","timestamp":"2026-11-20T09:30:00.0000009Z","event_id":"a"}',
        b'{"type":"open","timestamp":"2026-11-20T09:30:00Z","event_id":"a","rcpt_meta":{"event_id":1}}',
        b'{"type":"open","timestamp":"2026-11-20T09:30:00Z","event_id":"a","mine":[1e400]}',
        b'{"type":"open","timestamp":"2026-11-20T09:30:00Z","event_id":"a","mine":1%be99}'
        % (b"0" * 250),
        b'{"type":"open","timestamp":"2026-11-20T09:30:00Z","event_id":"a","mine":1%b.5}'
        % (b"0" * 320),
        b'{"type":"open","timestamp":"2026-11-20T09:30:00Z","event_id":"a","event\\u005fid":"b"}',
        b'{"type":"open","timestamp":"2026-11-20T09:30:00Z","event_id":"a","time\\u0073tamp" :1}',
        b'{"type":"open","timestamp":"2026-11-20T09:30:00Z","event_id":"a","scheduled_time":17e8}',
        b'{"type":"open","timestamp":"2026-11-20T09:30:00Z","event_id":"a","injection_time":"1960-01-01T00:00:00Z"}',
        b'{"type":"open","timestamp":"2026-11-20T09:30:00Z","event_id":"a","scheduled_time":"2026-01-01T00:00:00Z","scheduled_time":null}',
        b'{"type":"open","timestamp":"2026-11-20T09:30:00Z","event_id":"a","injection\\u005ftime":"2026-01-01T00:00:00Z"}',
    ],
)
def test_what_is_not_plain_is_left_to_the_engine(line: bytes) -> None:
    """No guess where the two might differ."""
    assert of_line("w", line) is None


def test_a_plain_line_is_told() -> None:
    """Milliseconds are cut off, not rounded; the zone counts."""
    line = (
        b'{"type":"open","timestamp":"1970-01-01T01:00:01.9999+01:00","event_id":"a7e999",'
        b'"subject":"\\u00e9"}'
    )
    assert ("w", 1999, "a7e999", 0) == of_line("w", line)
