"""Spells out the nested types of a document, as the return fields of the action that answers with one."""

from collections.abc import Iterator, Mapping, Sequence

from smalt.connectors.definitions.vocabulary import Definition, ReturnField

LIST_OF = "array of "


def fields_of(name: str, definitions: Sequence[Definition]) -> tuple[ReturnField, ...]:
    """Every field of the definition at every depth, with plain types and with paths and sources from the top."""
    return tuple(_spelled(name, {each.name: each for each in definitions}, "", ""))


def _spelled(name: str, known: Mapping[str, Definition], path: str, source: str) -> Iterator[ReturnField]:
    definition = known[name.removeprefix(LIST_OF)]
    if definition.type.startswith(LIST_OF):
        yield from _spelled(definition.type, known, path, source)
    for field in definition.fields:
        full, origin = path + field.path, _origin(field, source)
        yield ReturnField(
            path=full,
            title=field.title,
            type=_plain(field.type, known),
            help=field.help,
            source="" if origin == full else origin,
        )
        if field.type.removeprefix(LIST_OF) in known:
            # What lies in a list that was put together lies where its own path says.
            beneath = full if " + " in origin else origin
            yield from _spelled(field.type, known, f"{full}.", f"{beneath}.")


def _origin(field: ReturnField, source: str) -> str:
    return " + ".join(source + part for part in (field.source or field.path).split(" + "))


def _plain(kind: str, known: Mapping[str, Definition]) -> str:
    """The type without the names of definitions: `array of object` instead of `array of Message`."""
    if kind.startswith(LIST_OF):
        return LIST_OF + _plain(kind.removeprefix(LIST_OF), known)
    return _plain(known[kind].type, known) if kind in known else kind
