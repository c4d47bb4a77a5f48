"""The form of the answer: `text.format` and `text.verbosity` in the words of chat."""

from typing import Any

Json = dict[str, Any]

PLAIN: Json = {"type": "text"}


def settled(asked: Json | None) -> Json:
    """The `text` of a response, every field present."""
    asked = asked or {}
    form: Json = asked.get("format") or PLAIN
    if form["type"] == "json_schema":
        form = {"description": None, "strict": False, **{k: v for k, v in form.items() if v is not None}}
    return {"format": form, "verbosity": asked.get("verbosity") or "medium"}


def chat_fields(text: Json | None) -> Json:
    """The fields of a chat request that say the same."""
    text = text or {}
    fields: Json = {}
    if (form := _response_format(text.get("format"))) is not None:
        fields["response_format"] = form
    if text.get("verbosity") is not None:
        fields["verbosity"] = text["verbosity"]
    return fields


def _response_format(form: Json | None) -> Json | None:
    if form is None or form["type"] == "text":
        return None
    if form["type"] == "json_object":
        return {"type": "json_object"}
    names = ("name", "description", "schema", "strict")
    return {"type": "json_schema", "json_schema": {name: form[name] for name in names if form.get(name) is not None}}
