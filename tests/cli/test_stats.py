"""`postledger stats` against a real server: figures as a table, as NDJSON, and as charts."""

import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import Client, Server, new_client
from postledger.cli import main
from postledger.cli.figures import LONGEST_LINE, bars, unit_of, written
from postledger.cli.stats import Interval
from postledger.intervals import PUBLIC
from postledger.metrics import METRICS
from terminal import on_terminal

DAY = "2026-10-"
RANGE = ("--from", "2026-10-20", "--to", "2026-11-01")
WARSAW = ("--timezone", "Europe/Warsaw")


def made() -> Iterator[dict[str, Any]]:
    """Deliveries of twelve campaigns over six days, the larger the number the fewer; bounces of
    one in four messages; a name that a chart or a terminal might take for something else."""
    for campaign in range(12):
        name = {0: "zł $5_x$ <b> 日本", 1: "_hidden", 2: "\x1b]0;x\x07"}.get(
            campaign, f"c{campaign}"
        )
        for number in range(24 - campaign):
            one = {
                "timestamp": f"2026-10-{22 + number % 6}T22:30:00Z",
                "campaign_id": name,
                "message_id": f"m-{campaign}-{number}",
                "rcpt_to": f"ann{number}@a.example",
                "queue_time": 1000 + number,
            }
            yield one | {"type": "bounce" if number % 4 == 0 else "delivery", "bounce_class": 10}


EVENTS = list(made())


@pytest.fixture(scope="module")
def filled(server: Server) -> Client:
    client = new_client(server)
    client.store(*EVENTS)
    return client


@pytest.fixture(autouse=True)
def _here(filled: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POSTLEDGER_URL", filled.address)
    monkeypatch.setenv("POSTLEDGER_API_KEY", filled.key)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")


def counted(kind: str, field: str = "campaign_id") -> Counter[str]:
    return Counter(one[field] for one in EVENTS if one["type"] == kind)


def cells(line: str) -> list[str]:
    return re.split(r"\s{2,}", line.strip())


# -- JSON and tables


def test_a_pipe_gets_rows(capsys: pytest.CaptureFixture[str]) -> None:
    """In a pipe each row is a line of JSON; the figures are those of the events."""
    assert main(["stats", *RANGE, "--group-by", "campaign_id", "--metric", "count_delivered"]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert counted("delivery") == {row["campaign_id"]: row["count_delivered"] for row in rows}


def test_filters_limit_and_order(capsys: pytest.CaptureFixture[str]) -> None:
    """Filters are those of search; `--order-by` and `--limit` choose the groups."""
    words = "--metric count_delivered --metric count_bounce --order-by count_bounce --limit 1"
    assert main(["stats", *RANGE, *words.split(), "--group-by", "campaign_id"]) == 0
    assert main(["stats", *RANGE, "--metric", "count_sent", "--campaign-id", "c7"]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    bounced = counted("bounce")
    assert max(bounced.values()) == bounced[first["campaign_id"]] == first["count_bounce"]
    assert {"count_sent": 24 - 7} == second


def test_a_table_of_groups() -> None:
    """A terminal gets a row for each group, with percents, and nothing that steers it."""
    words = ("--group-by", "campaign_id", "--metric", "count_bounce", "--metric", "bounce_rate")
    status, out = on_terminal("stats", *RANGE, *words)
    assert status == 0
    found = {name: rest for name, *rest in map(cells, out.splitlines()) if len(rest) == 2}
    bounced, sent = counted("bounce"), Counter(one["campaign_id"] for one in EVENTS)
    for name in ("zł $5_x$ <b> 日本", "_hidden", "c11"):
        assert [str(bounced[name]), f"{bounced[name] / sent[name]:.2%}"] == found[name]
    assert "\x1b]0" not in out
    assert "from 2026-10-20T00:00:00.000Z to 2026-11-01T00:00:00.000Z, UTC" in out


def test_a_table_of_a_series() -> None:
    """With an interval a line of bars stands beside the figure of the whole range."""
    words = ("--interval", "day", "--metric", "count_unique_rendered", "--metric", "count_sent")
    status, out = on_terminal("stats", *RANGE, *words, *WARSAW)
    assert status == 0
    rows = {name: rest for name, *rest in map(cells, out.splitlines()) if len(rest) == 2}
    days = Counter(int(one["timestamp"][8:10]) for one in EVENTS)
    # 22:30 UTC is the next day in Warsaw, until clocks go back on the 25th
    local: Counter[int] = Counter()
    for day, count in days.items():
        local[day + 1 if day < 25 else day] += count
    expected = [local[day] for day in range(20, 33)]
    assert expected[4:7] == [days[23], days[24] + days[25], days[26]]
    assert [str(sum(days.values())), bars(expected)] == rows["count_sent"]
    assert ["0", "▁" * len(expected)] == rows["count_unique_rendered"]


def test_metrics_without_room(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No number is cut: metrics that do not fit on the terminal are named on stderr."""
    monkeypatch.setenv("COLUMNS", "60")
    status, out = on_terminal("stats", *RANGE, "--group-by", "campaign_id", "--interval", "day")
    assert status == 0
    assert "no room here for" in (said := capsys.readouterr().err)
    assert "count_unsubscribe" in said
    assert "unsubscribe" not in out
    assert all(len(line) <= 60 for line in out.splitlines() if not line.startswith("from "))
    assert "c11" in out


def test_no_events(capsys: pytest.CaptureFixture[str]) -> None:
    """Where nothing matches, a terminal is told so, a pipe gets nothing, and a chart is refused."""
    words = ("stats", *RANGE, "--group-by", "tag", "--campaign-id", "none")
    assert (0, True) == ((found := on_terminal(*words))[0], "no events match\n" in found[1])
    assert main(words) == 0
    assert main([*words, "--plot", "x.svg"]) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err == "postledger: there is nothing to draw: no events match\n"
    assert not Path("x.svg").exists()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("--metric nonsense", "metric: nonsense is none; expected"),
        ("--group-by nonsense", "group_by: nonsense is none; expected"),
        ("--timezone Europe/Nowhere", "Europe/Nowhere is not a time zone"),
        ("--order-by open_rate", "order_by: open_rate is none of the metrics asked for"),
        ("--interval minute --from 1970-01-01", "more than 100000 intervals of a minute"),
    ],
)
def test_what_the_server_refuses(words: str, says: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The server's sentence is passed on."""
    assert main(["stats", *words.split()]) == 1
    assert says in capsys.readouterr().err


def test_every_interval_is_a_choice() -> None:
    """The choices of `--interval` are the server's."""
    assert all(f"'{name}'" in str(Interval) for name in PUBLIC)


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_has_a_unit(name: str) -> None:
    """Rates are percents, times milliseconds, and only they."""
    unit = unit_of(name).value
    assert (name.endswith("_rate")) == (unit == "percent")
    assert ("delivery_time" in name) == (unit == "milliseconds")
    assert ("volume" in name) == (unit == "bytes")
    assert written(name, 0.5).endswith({"percent": "50.00%", "milliseconds": " ms"}.get(unit, ""))


@given(st.lists(st.integers(0, 10**12) | st.floats(0, 1), max_size=200))
def test_lines_of_bars(values: list[float]) -> None:
    """A line has a bar for each value, or as many as fit; the highest is where the largest is."""
    line = bars(values)
    assert len(line) == min(len(values), LONGEST_LINE)
    if any(values) and len(values) <= LONGEST_LINE:
        assert line[values.index(max(values))] == "█"
    if any(values):
        assert "█" in line


# -- charts


def texts(path: Path) -> list[str]:
    """The texts of an SVG file, which is well-formed."""
    root = ET.parse(path).getroot()
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    return ["".join(node.itertext()).strip() for node in root.iter() if node.tag.endswith("}text")]


def lines_of(path: Path) -> int:
    """How many lines of figures an SVG file has: groups of matplotlib that draw in a colour."""
    drawn = re.findall(r"stroke: (#\w{6}); stroke-width: 1.5", path.read_text(encoding="utf-8"))
    return len(set(drawn))


def test_a_chart_of_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """A series has a line for each group up to eight, names for them, and the asked time zone; how
    many were left out is said."""
    words = ("--interval", "day", "--group-by", "campaign_id", "--metric", "count_delivered")
    assert main(["stats", *RANGE, *words, *WARSAW, "--plot", "x.svg"]) == 0
    out, err = capsys.readouterr()
    assert (out, err) == ("", "4 groups are left out of the chart, 8 are in it\n")
    found = texts(Path("x.svg"))
    largest = [name for name, _ in counted("delivery").most_common(8)]
    assert 8 == lines_of(Path("x.svg"))
    assert "zł $5_x$ <b> 日本" in found
    assert "_hidden" in found
    assert [] == [name for name in largest if name.isalnum() and name not in found]
    assert "c11" not in found
    assert "count_delivered (deliveries) by campaign_id, per day" in " ".join(found)
    assert "start of each day, Europe/Warsaw" in found
    assert "count_delivered, events" in found


def test_one_line_needs_no_names(capsys: pytest.CaptureFixture[str]) -> None:
    """A single line has no legend, and a rate's axis has percents."""
    words = ("--interval", "day", "--metric", "bounce_rate", "--campaign-id", "c5")
    assert main(["stats", *RANGE, *words, "--plot", "x.svg"]) == 0
    found = texts(Path("x.svg"))
    assert "bounce_rate" not in found
    assert any(text.endswith("%") for text in found)
    assert any("campaign_id c5" in text for text in found)
    assert capsys.readouterr().err == ""


def test_a_chart_of_bars() -> None:
    """Without an interval groups have bars, with their numbers beside them."""
    words = ("--group-by", "campaign_id", "--metric", "count_delivered", "--metric", "bounce_rate")
    assert main(["stats", *RANGE, *words, "--plot", "x.SVG"]) == 0
    found = texts(Path("x.SVG"))
    assert [] == [name for name in counted("delivery") if name.isalnum() and name not in found]
    assert str(counted("delivery")["c5"]) in found
    assert {"count_delivered", "events", "bounce_rate", "percent"} <= set(found)


def test_metrics_of_other_units_have_panels(capsys: pytest.CaptureFixture[str]) -> None:
    """Without groups metrics are lines or bars, those of one unit together; one that is alone is
    named at its axis."""
    names = ("count_delivered", "count_unique_rendered", "bounce_rate", "delivery_time_p95")
    words = [word for name in names for word in ("--metric", name)]
    assert main(["stats", *RANGE, *words, "--plot", "x.svg"]) == 0
    assert {*names, "events", "percent", "milliseconds"} <= set(texts(Path("x.svg")))
    assert main(["stats", *RANGE, *words, "--interval", "hour", "--plot", "x.svg"]) == 0
    labels = {"events", "bounce_rate, percent", "delivery_time_p95, milliseconds"}
    assert {*names[:2], *labels} <= set(texts(Path("x.svg")))
    assert capsys.readouterr().err == ""


def test_a_single_interval() -> None:
    """One point is drawn on an axis that is about as long as its interval."""
    words = ("--interval", "month", "--from", "2026-10-01", "--to", "2026-11-01")
    assert main(["stats", *words, "--metric", "count_sent", "--plot", "x.svg"]) == 0
    found = texts(Path("x.svg"))
    assert [] == [text for text in found if text in {"2025", "2027"}]
    assert "start of each month, UTC" in found


@pytest.mark.parametrize("words", [("--interval", "day"), ("--group-by", "campaign_id"), ()])
def test_a_picture(words: tuple[str, ...]) -> None:
    """A PNG is one, and large enough to be read; names in any script are no fault."""
    assert main(["stats", *RANGE, *words, "--metric", "count_sent", "--plot", "x.png"]) == 0
    data = Path("x.png").read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = int.from_bytes(data[16:20]), int.from_bytes(data[20:24])
    assert width == 1500
    assert 250 < height < 2500


def test_the_same_chart_each_time() -> None:
    """A chart of the same figures is the same file."""
    words = ("--interval", "day", "--metric", "count_sent")
    for name in ("a.svg", "b.svg"):
        assert main(["stats", *RANGE, *words, "--plot", name]) == 0
    assert Path("a.svg").read_bytes() == Path("b.svg").read_bytes()


def test_other_forms_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """Only PNG and SVG; and a directory that is not there is told."""
    assert main(["stats", "--plot", "x.gif"]) == 2
    assert "--plot: a file that ends with .png or .svg" in capsys.readouterr().err
    assert main(["stats", *RANGE, "--plot", "nowhere/x.png"]) == 1
    assert "nowhere/x.png: No such file or directory" in capsys.readouterr().err


WITHOUT = """
import sys
sys.modules["matplotlib"] = None
from postledger.cli import main
sys.exit(main(["stats", "--plot", "x.png"]))
"""


def test_without_matplotlib() -> None:
    """Where matplotlib is not installed, one sentence says how to get it."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == (
        "postledger: charts need matplotlib; install it with `pip install 'postledger[plot]'`\n"
    )


def test_other_commands_do_not_load_matplotlib() -> None:
    """What draws is slow to load, so only `--plot` loads it."""
    code = (
        "import sys; from postledger.cli import main; main(['stats']); "
        "sys.exit(any(name.startswith(('matplotlib', 'numpy')) for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, stdout=-3).returncode == 0
