"""JSON Schema: pieces of which descriptions are made, and a check of a value against one.

The check knows the keywords that our schema of `query_filters` is made of, and no others; a test
holds it against a library.
"""

import re
from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]
Violation = dict[str, str]
"""`path`, dotted, of what is wrong, and a `message`."""


def object_of(required: Schema, **optional: Schema) -> Schema:
    return {"type": "object", "properties": required | optional, "required": list(required)}


def array_of(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def violations(value: object, schema: Schema, root: Schema, path: str = "") -> Iterator[Violation]:
    """What is wrong with a JSON value; nothing: it is as `schema` says. `root` has its `$defs`."""
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if not any(_is(value, kind) for kind in kinds):
        yield _wrong(path, f"expected {' or '.join(kinds)}")
    elif isinstance(value, dict):
        yield from _of_object(value, schema, root, path)
    elif isinstance(value, list):
        yield from _of_array(value, schema, root, path)
    elif isinstance(value, str):
        yield from _of_string(value, schema, path)
    elif not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        yield _wrong(path, f"expected {schema['minimum']} to {schema['maximum']}")


def _is(value: object, kind: str) -> bool:
    if kind == "integer":
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        return whole and not isinstance(value, bool)
    return isinstance(value, {"object": dict, "array": list, "string": str}[kind])


def _of_object(
    value: dict[str, object], schema: Schema, root: Schema, path: str
) -> Iterator[Violation]:
    known = schema["properties"]
    for name in schema.get("required", ()):
        if name not in value:
            yield _wrong(path, f"{name} is missing")
    least, most = schema.get("minProperties", 0), schema.get("maxProperties", len(value))
    if not least <= len(value) <= most:
        number = str(least) if least == schema.get("maxProperties") else f"at least {least}"
        yield _wrong(path, f"expected {number} of {', '.join(known)}")
    for name, inner in value.items():
        if name in known:
            yield from violations(inner, known[name], root, _below(path, name))
        else:
            yield _wrong(path, f"{name} is none of {', '.join(known)}")


def _of_array(value: list[object], schema: Schema, root: Schema, path: str) -> Iterator[Violation]:
    if len(value) < schema.get("minItems", 0):
        yield _wrong(path, "expected at least one element")
    for number, inner in enumerate(value):
        yield from violations(inner, schema["items"], root, _below(path, str(number)))


def _of_string(value: str, schema: Schema, path: str) -> Iterator[Violation]:
    if len(value) < schema.get("minLength", 0):
        yield _wrong(path, f"expected at least {schema['minLength']} characters")
    if "pattern" in schema and not re.search(schema["pattern"].replace("$", r"\Z"), value):
        yield _wrong(path, f"expected a text like {schema['pattern']}")


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _wrong(path: str, message: str) -> Violation:
    return {"path": path, "message": message}
