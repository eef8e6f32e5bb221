"""botocore's descriptions of AWS's services: requests are checked against them, and documents spelled by them."""

import functools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape
from botocore.validate import ParamValidator


@functools.cache
def service_model(service: str) -> Any:
    """Return the description of a service, by its name in botocore."""
    return ServiceModel(Loader().load_service_model(service, "service-2"))


def request_mistakes(service: str, operation: str, document: Mapping[str, Any], any_case: frozenset[str]) -> str:
    """Return all mistakes in a request, or nothing. Words of the shapes in `any_case` are taken in any case."""
    shape = service_model(service).operation_model(operation).input_shape
    report = ParamValidator().validate(document, shape)
    if report.has_errors():
        return str(report.generate_report())
    return "; ".join(_wrong_words(shape, document, "", any_case))


def _wrong_words(shape: Shape, value: Any, place: str, any_case: frozenset[str]) -> Iterator[str]:
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            if value.get(name) is not None:
                yield from _wrong_words(member, value[name], f"{place}.{name}".lstrip("."), any_case)
    elif shape.type_name == "list":
        for number, item in enumerate(value):
            yield from _wrong_words(shape.member, item, f"{place}[{number}]", any_case)
    elif shape.type_name == "string" and shape.enum:
        spelled = value.upper() if shape.name in any_case else value
        if spelled not in shape.enum:
            yield f"{place}: {value} is not one of {', '.join(shape.enum)}"


def respelled(document: Any, shape: Shape, spell: Callable[[str], str]) -> Any:
    """Return a document with its members' names spelled otherwise; the keys of maps are the user's, and stay."""
    if shape.type_name == "structure" and isinstance(document, dict):
        known = {name.lower(): (name, member) for name, member in shape.members.items()}
        found = {}
        for key, value in document.items():
            name, member = known.get(key.lower(), (key, None))
            found[spell(name)] = respelled(value, member, spell) if member is not None else value
        return found
    if shape.type_name == "list" and isinstance(document, list):
        return [respelled(item, shape.member, spell) for item in document]
    return document
