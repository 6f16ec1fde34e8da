"""From which module each name of a generated service comes."""

from collections.abc import Mapping

from backend.scaffold.imported import IMPORTED
from backend.scaffold.service_view import ServiceView

__all__ = ["sources_of"]


def sources_of(service: ServiceView) -> Mapping[str, str]:
    """The module of each name, those of the service itself and of its targets too."""
    sources = {name: module for module, names in IMPORTED.items() for name in names.split()}
    package = f"backend.services.{service.name}"
    model, one = service.model, service.one
    own = {
        "models": [model, *(field.enum_class for field in service.enums)],
        "schemas": [
            *(f"{model}Create", f"{model}Read", f"{model}Sort", f"{model}Update"),
            *(field.alias for field in service.aliased if field.alias),
        ],
        "service": [
            f"{model}Service",
            *(field.taken_error for field in service.unique),
            *(field.missing_error for field in service.refs),
        ],
        "factory": [f"create_{one}", f"make_{one}"],
    }
    own["models"] += [field.max_length for field in service.fields if field.field.is_text]
    for module, names in own.items():
        sources |= dict.fromkeys(names, f"{package}.{module}")
    for target in service.targets:
        theirs = f"backend.services.{target.service}"
        sources[target.service_class] = f"{theirs}.service"
        sources[target.model] = f"{theirs}.models"
        sources[f"create_{target.one}"] = f"{theirs}.factory"
    return sources
