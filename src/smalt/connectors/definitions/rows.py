"""Short forms for the long tables of the definitions."""

from dataclasses import replace

from smalt.connectors.definitions.vocabulary import Parameter, ReturnField, ValueType

Row = tuple[str, str, str] | tuple[str, str, str, str]
"""A path, a title, a type and, where the title does not say it all, a help text."""


def returned(*rows: Row) -> tuple[ReturnField, ...]:
    """The return fields of a table."""
    return tuple(
        ReturnField(path=path, title=title, type=kind, help="".join(text)) for path, title, kind, *text in rows
    )


def within(prefix: str, fields: tuple[ReturnField, ...]) -> tuple[ReturnField, ...]:
    """The same fields one level deeper than they lie in the service's answer."""
    return tuple(replace(field, path=f"{prefix}.{field.path}", source=field.path) for field in fields)


def option(key: str, kind: ValueType, text: str, *, at: str = "") -> Parameter:
    """A field that only those who open the advanced settings see."""
    title = key.replace("_", " ").capitalize()
    return Parameter(key=key, title=title, type=kind, help=text, at=at, is_advanced=True)
