"""Reads the values that an action is given: from a command line, a spreadsheet or a JSON body."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from smalt.connectors import containers
from smalt.connectors.definitions.vocabulary import Action, Operation, Parameter
from smalt.connectors.value_types import is_empty, typed
from smalt.core.errors import InvalidRequest


def read_values(action: Action, given: Mapping[str, Any]) -> dict[str, Any]:
    """The values by the names of their parameters, or of whole containers (`messages`), as the document types them.

    What is empty counts as not given. Raises `InvalidRequest` for what is missing, unknown or of a wrong type.
    """
    operation = chosen_operation(action, given)
    parameters = parameters_of(action, operation)
    known = _known(parameters)
    wholes = _wholes(parameters, known)
    values: dict[str, Any] = {}
    for name, value in given.items():
        parameter = known.get(name) or wholes.get(name)
        if parameter is None:
            _refuse_unknown(action, operation, name, value, [*known, *wholes])
        elif name in known:
            _read(parameter, value, values)
        elif not is_empty(value, "object"):
            values[name] = typed(value, "array of object" if containers.is_list(parameter) else "object", name)
    _refuse_mixed(parameters, values)
    _fill_in(parameters, values)
    _refuse_missing(action, parameters, values)
    values |= {p.name: operation.name for p in parameters if p.place == "selector"}
    return _in_order(parameters, values)


def chosen_operation(action: Action, given: Mapping[str, Any]) -> Operation:
    """The operation that the selector names, or the action's first."""
    selector = next((parameter for parameter in action.parameters if parameter.place == "selector"), None)
    if selector is None:
        return action.operations[0]
    value = given.get(selector.name, given.get(selector.key))
    if is_empty(value) and not selector.required:
        return action.operations[0]
    for operation in action.operations:
        if not is_empty(value) and value in (operation.name, operation.title):
            return operation
    names = ", ".join(operation.name for operation in action.operations)
    fault = f"'{selector.name}' is missing" if is_empty(value) else f"'{selector.name}' has no operation {value!r}"
    raise InvalidRequest(f"{action.name}: {fault}. Choose one of {names}.", param=selector.name)


def parameters_of(action: Action, operation: Operation) -> Sequence[Parameter]:
    """The parameters that the action has for one of its operations."""
    return [p for p in action.parameters if not p.operations or operation.name in p.operations]


def _known(parameters: Sequence[Parameter]) -> dict[str, Parameter]:
    """By name, and by key where only one has it."""
    keys = [parameter.key for parameter in parameters]
    known = {parameter.key: parameter for parameter in parameters if keys.count(parameter.key) == 1}
    return {**known, **{parameter.name: parameter for parameter in parameters}}


def _wholes(parameters: Sequence[Parameter], known: Mapping[str, Parameter]) -> dict[str, Parameter]:
    """The outermost containers, each with one of its parameters."""
    named = ((containers.root(parameter), parameter) for parameter in parameters)
    return {name: parameter for name, parameter in named if name is not None and name not in known}


def _read(parameter: Parameter, value: Any, values: dict[str, Any]) -> None:
    name = parameter.name
    if is_empty(value, parameter.type):
        return
    if name in values:
        raise InvalidRequest(f"'{name}' is given twice, also as '{parameter.key}'. Keep one.", param=name)
    values[name] = typed(value, parameter.type, name)


def _refuse_unknown(action: Action, operation: Operation, name: str, value: Any, names: Sequence[str]) -> None:
    if name in _known(action.parameters):
        if is_empty(value):
            return  # a spreadsheet has a column for every operation's parameters
        raise InvalidRequest(f"'{name}' does not belong to the operation '{operation.name}'. Leave it out.", param=name)
    shared = [parameter.name for parameter in parameters_of(action, operation) if parameter.key == name]
    if shared:
        raise InvalidRequest(f"'{name}' stands for several parameters. Use one of {', '.join(shared)}.", param=name)
    near = get_close_matches(name, names, n=1)
    advice = f"Did you mean '{near[0]}'?" if near else f"It has {', '.join(names) or 'none'}."
    raise InvalidRequest(f"{action.name} has no parameter '{name}'. {advice}", param=name, code="unknown_parameter")


def _refuse_mixed(parameters: Sequence[Parameter], values: Mapping[str, Any]) -> None:
    for parameter in parameters:
        root = containers.root(parameter)
        if root is not None and root in values and root != parameter.name and parameter.name in values:
            raise InvalidRequest(
                f"'{parameter.name}' lies in '{root}', which is given whole. Give one or the other.",
                param=parameter.name,
            )


def _fill_in(parameters: Sequence[Parameter], values: dict[str, Any]) -> None:
    """Add defaults, and values that only confirm others."""
    given = [parameter for parameter in parameters if parameter.name in values]
    for parameter in parameters:
        name, root = parameter.name, containers.root(parameter)
        if parameter.repeats in values:
            _confirm(parameter, values)
        elif parameter.default is None or name in values or (root is not None and root in values):
            continue
        elif containers.is_needed(parameter, given):
            values[name] = typed(parameter.default, parameter.type, name)


def _confirm(parameter: Parameter, values: dict[str, Any]) -> None:
    name, original = parameter.name, values[parameter.repeats]
    if values.setdefault(name, original) != original:
        raise InvalidRequest(
            f"'{name}' must be the same as '{parameter.repeats}', or be left out.", param=name, code="invalid_value"
        )


def _refuse_missing(action: Action, parameters: Sequence[Parameter], values: Mapping[str, Any]) -> None:
    given = [parameter for parameter in parameters if parameter.name in values]
    for parameter in parameters:
        if not parameter.required or parameter.place == "selector" or parameter.name in values:
            continue
        root = containers.root(parameter)
        if root is not None and root in values:
            lacking = next(containers.missing(parameter, values[root]), None)
        else:
            lacking = parameter.name if containers.is_needed(parameter, given) else None
        if lacking is not None:
            raise InvalidRequest(
                f"{action.name} needs '{lacking}' ({parameter.title}).",
                param=lacking,
                code="missing_required_parameter",
            )


def _in_order(parameters: Sequence[Parameter], values: dict[str, Any]) -> dict[str, Any]:
    names = [parameter.name for parameter in parameters if parameter.name in values]
    return {name: values[name] for name in [*names, *values]}
