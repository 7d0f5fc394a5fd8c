"""The paths of figures, as data. Contract `bird-sparkpost.md`, section 9."""

from postledger.dialects.sparkpost.figures import (
    DEFAULT_LIMIT,
    DEFAULT_PRECISION,
    DELIVERABILITY,
    FILTERS_SCHEMA,
    LIST_PARAMETERS,
    MOST,
    ROOT,
    names_of,
)
from postledger.dialects.sparkpost.filters import KEYS
from postledger.dialects.sparkpost.metrics import LISTS, VIEWS, View
from postledger.dialects.sparkpost.schemas import Schema, array_of, object_of
from postledger.dialects.wire import Operation, Parameter
from postledger.events import FIELD

_TEXT: Schema = {"type": "string"}
_LINKS = array_of(object_of({"href": _TEXT, "rel": _TEXT, "method": _TEXT}))


def path_of(name: str) -> str:
    """The path of a sub-path of `deliverability`."""
    return f"{DELIVERABILITY}/{name}" if name else DELIVERABILITY


_FROM = Parameter("from", "First time, inclusive: YYYY-MM-DDTHH:MM in `timezone`; needed")
_PARAMETERS: dict[str, Parameter] = {
    each.name: each
    for each in (
        Parameter("to", "Last time, exclusive, in the same form; default now"),
        Parameter("timezone", "Time zone (tz database) of times and intervals; default UTC"),
        Parameter(
            "delimiter",
            "What stands between the values of a list",
            schema=(("type", "string"), ("default", ",")),
        ),
        Parameter("query_filters", "JSON object of filters; beside it the simple ones are ignored"),
        Parameter("match", "Only values that have this text in them"),
        Parameter("order_by", "Rows come by this metric, the largest first; default the first"),
        Parameter(
            "limit",
            "Most rows",
            schema=(
                ("type", "integer"),
                ("minimum", 1),
                ("maximum", MOST),
                ("default", DEFAULT_LIMIT),
            ),
        ),
        *(
            Parameter(name, f"{FIELD[field].meaning}, a list: equal to one of them")
            for name, field in KEYS.items()
        ),
    )
}


def _parameters(view: View) -> tuple[Parameter, ...]:
    usual = f"; default {DEFAULT_PRECISION}" if view.series else ""
    own = {
        "from": _FROM,
        "metrics": Parameter("metrics", f"A list, needed: any of {', '.join(view.metrics)}"),
        "precision": Parameter(
            "precision",
            f"To what the range is moved outward, and the interval of a series{usual}",
            schema=(("type", "string"), ("enum", list(view.precisions))),
        ),
    }
    return tuple((_PARAMETERS | own)[name] for name in names_of(view))


def _answer(view: View) -> Schema:
    columns = {name: schema for each in view.columns for name, schema in each.members.items()}
    told = columns | ({"ts": {"type": "string", "format": "date-time"}} if view.series else {})
    row = object_of(told, **{name: {"type": "integer"} for name in view.metrics})
    links = {"links": _LINKS} if not told else {}
    return object_of({"results": array_of(row)} | links)


def _list(name: str) -> Operation:
    whole = Parameter("from", "First time, inclusive: YYYY-MM-DDTHH:MM; default: the beginning")
    return Operation(
        f"{ROOT}/{name}",
        f"SparkPost: {name.replace('-', ' ')} that there are figures of",
        tuple((_PARAMETERS | {"from": whole})[each] for each in LIST_PARAMETERS),
        answer=object_of({"results": object_of({name: array_of(_TEXT)})}),
    )


METRICS_OPERATIONS: tuple[Operation, ...] = (
    Operation(
        ROOT,
        "SparkPost: the paths of figures",
        answer=object_of({"results": {"type": "object"}, "links": _LINKS}),
    ),
    *(
        Operation(
            path_of(name), f"SparkPost: {view.meaning}", _parameters(view), answer=_answer(view)
        )
        for name, view in VIEWS.items()
    ),
    Operation(
        FILTERS_SCHEMA,
        "SparkPost: JSON Schema of `query_filters`",
        answer=object_of({"results": {"type": "object"}}),
    ),
    *(_list(name) for name in LISTS),
)
