"""Reads an OData filter as Azure AI Search knows it: text to a tree."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal as OneOf

from smalt.core.errors import InvalidRequest

Value = str | int | float | bool | None
Operator = OneOf["eq", "ne", "gt", "ge", "lt", "le"]

OPERATORS: tuple[Operator, ...] = ("eq", "ne", "gt", "ge", "lt", "le")
MOST_DEPTH = 64
"""Brackets and `not`s inside one another; a deeper filter is refused before it can exhaust the stack."""

TOKEN = re.compile(
    r"""\s*(?:
    (?P<string>'(?:[^']|'')*')
  | (?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:\d\d))
  | (?P<number>[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)
  | (?P<word>[A-Za-z_]\w*(?:[./][A-Za-z_]\w*)*)
  | (?P<mark>[(),])
    )""",
    re.VERBOSE,
)
WORDS: dict[str, Value] = {"true": True, "false": False, "null": None}


@dataclass(frozen=True, slots=True)
class Comparison:
    """`field operator value`."""

    field: str
    operator: Operator
    value: Value


@dataclass(frozen=True, slots=True)
class Truth:
    """A field that must be true by itself."""

    field: str


@dataclass(frozen=True, slots=True)
class In:
    """`search.in(field, 'a, b')`: the field is one of the values."""

    field: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StartsWith:
    """`startswith(field, 'prefix')`."""

    field: str
    prefix: str


@dataclass(frozen=True, slots=True)
class Constant:
    """`true` or `false` where a condition stands."""

    value: bool


@dataclass(frozen=True, slots=True)
class Not:
    """The opposite of a condition."""

    condition: "Node"


@dataclass(frozen=True, slots=True)
class Joined:
    """All (`and`) or one (`or`) of several conditions."""

    word: OneOf["and", "or"]
    conditions: tuple["Node", ...]


Node = Comparison | Truth | In | StartsWith | Constant | Not | Joined


class InvalidExpression(InvalidRequest):
    """A filter or another expression cannot be read; the message says where."""

    def __init__(self, reason: str, *, position: int, text: str, param: str = "filter") -> None:
        shown = text if len(text) <= 200 else f"{text[:200]}…"  # noqa: PLR2004 - enough to recognise it by
        super().__init__(
            f"Invalid expression: {reason} at position {position} in '{shown}'.\r\nParameter name: ${param}",
            param=param,
        )
        self.position = position


def parse(text: str) -> Node:
    """The tree of a filter; raises `InvalidExpression`."""
    parser = _Parser(text)
    node = parser.either()
    if parser.kind != "end":
        raise parser.fault(f"'{parser.lexeme}' stands where the filter should end; join conditions with 'and' or 'or'")
    return node


def literal(value: Value) -> str:
    """A value as OData writes it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return repr(value)


def fields_of(node: Node) -> list[str]:
    """The fields that a filter names, in its order."""
    match node:
        case Constant():
            return []
        case Not():
            return fields_of(node.condition)
        case Joined():
            return [field for condition in node.conditions for field in fields_of(condition)]
        case _:
            return [node.field]


class _Parser:
    """One token ahead; `either` is the loosest binding rule, `operand` the tightest."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._next = 0
        self._depth = 0
        self.position = 0
        self.kind = ""
        self.lexeme = ""
        self._advance()

    def either(self) -> Node:
        """Conditions joined by `or`."""
        return self._joined("or", self._all)

    def fault(self, reason: str) -> InvalidExpression:
        """What is wrong at the present token."""
        return InvalidExpression(reason, position=self.position, text=self._text)

    def _all(self) -> Node:
        return self._joined("and", self._opposite)

    def _joined(self, word: OneOf["and", "or"], part: Callable[[], Node]) -> Node:
        conditions = [part()]
        while self._is_at("word", word):
            self._advance()
            conditions.append(part())
        return Joined(word, tuple(conditions)) if len(conditions) > 1 else conditions[0]

    def _opposite(self) -> Node:
        if not self._is_at("word", "not"):
            return self._operand()
        depth = self._deeper()
        self._advance()
        node = Not(self._opposite())
        self._depth = depth
        return node

    def _operand(self) -> Node:
        if self._is_at("mark", "("):
            return self._bracketed()
        if self.kind != "word":
            return self._reversed()
        word = self.lexeme
        self._advance()
        if self._is_at("mark", "("):
            return self._call(word)
        if word in WORDS:
            return self._constant(word)
        return Comparison(word, self._operator(), self._value()) if self._is_operator() else Truth(word)

    def _bracketed(self) -> Node:
        depth = self._deeper()
        self._advance()
        node = self.either()
        self._expect(")")
        self._depth = depth
        return node

    def _constant(self, word: str) -> Node:
        value = WORDS[word]
        if self._is_operator():
            return self._turned(value)
        if value is None:
            raise self.fault("'null' needs a comparison, such as 'field eq null'")
        return Constant(value is True)

    def _reversed(self) -> Node:
        """`5 lt field` is `field gt 5`."""
        if self.kind == "end":
            raise self.fault("a condition is missing")
        return self._turned(self._value())

    def _turned(self, value: Value) -> Node:
        turned: dict[Operator, Operator] = {"gt": "lt", "ge": "le", "lt": "gt", "le": "ge"}
        operator = self._operator()
        field = self._field()
        return Comparison(field, turned.get(operator, operator), value)

    def _call(self, name: str) -> Node:
        functions = {"search.in": self._in, "startswith": self._starts_with}
        if name not in functions:
            raise self.fault(f"the function '{name}' is not supported; there are search.in and startswith")
        self._advance()
        node = functions[name]()
        self._expect(")")
        return node

    def _in(self) -> Node:
        field = self._field()
        self._expect(",")
        values = self._string("the values of search.in, in quotes")
        separators = " ,"
        if self._is_at("mark", ","):
            self._advance()
            separators = self._string("the separators of search.in, in quotes")
        parts = re.split(f"[{re.escape(separators)}]", values) if separators else [values]
        return In(field, tuple(part.strip() for part in parts if part.strip()))

    def _starts_with(self) -> Node:
        field = self._field()
        self._expect(",")
        return StartsWith(field, self._string("the prefix of startswith, in quotes"))

    def _is_at(self, kind: str, *lexemes: str) -> bool:
        return self.kind == kind and self.lexeme in lexemes

    def _is_operator(self) -> bool:
        return self._is_at("word", *OPERATORS)

    def _operator(self) -> Operator:
        for operator in OPERATORS:
            if self._is_at("word", operator):
                self._advance()
                return operator
        raise self.fault(f"one of {', '.join(OPERATORS)} was expected, not '{self.lexeme}'")

    def _field(self) -> str:
        if self.kind != "word" or self.lexeme in WORDS:
            raise self.fault(f"the name of a field was expected, not '{self.lexeme}'")
        return self._taken()

    def _string(self, what: str) -> str:
        if self.kind != "string":
            raise self.fault(f"{what}, were expected, not '{self.lexeme}'")
        return self._taken()[1:-1].replace("''", "'")

    def _value(self) -> Value:
        if self.kind == "string":
            return self._string("")
        if self.kind == "number":
            text = self._taken()
            return int(text) if re.fullmatch(r"[+-]?\d+", text) else float(text)
        if self.kind == "time":
            return self._taken()
        if self._is_at("word", *WORDS):
            return WORDS[self._taken()]
        raise self.fault(
            f"a value was expected (a string in quotes, a number, true, false or null), not '{self.lexeme}'"
        )

    def _expect(self, mark: str) -> None:
        if not self._is_at("mark", mark):
            raise self.fault(f"'{mark}' was expected, not '{self.lexeme}'")
        self._advance()

    def _taken(self) -> str:
        lexeme = self.lexeme
        self._advance()
        return lexeme

    def _deeper(self) -> int:
        depth = self._depth
        self._depth += 1
        if self._depth > MOST_DEPTH:
            raise self.fault(f"the filter has more than {MOST_DEPTH} brackets inside one another")
        return depth

    def _advance(self) -> None:
        match = TOKEN.match(self._text, self._next)
        if match is None:
            self._finish()
            return
        self.kind = match.lastgroup or ""
        self.lexeme = match[self.kind]
        self.position = match.start(self.kind)
        self._next = match.end()

    def _finish(self) -> None:
        rest = self._text[self._next :]
        self.position = self._next + len(rest) - len(rest.lstrip())
        if rest.strip():
            self.lexeme = rest.strip()[0]
            raise self.fault("a string is not closed" if self.lexeme == "'" else f"'{self.lexeme}' cannot be read")
        self.kind, self.lexeme = "end", "the end"
