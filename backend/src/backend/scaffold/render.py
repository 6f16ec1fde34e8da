"""The files of a service, from its spec: what `docs/guide.md` writes by hand."""

import textwrap
from collections.abc import Mapping

from jinja2 import Environment, PackageLoader, StrictUndefined

from backend.scaffold.field_view import TargetView, quoted
from backend.scaffold.grammar import check_targets
from backend.scaffold.imports import with_imports
from backend.scaffold.names import singular
from backend.scaffold.service_view import ServiceView
from backend.scaffold.sources import sources_of
from backend.scaffold.spec import ServiceSpec, Target

__all__ = ["render_service"]

_MODULES = ("models", "schemas", "service", "routes", "factory")
_TESTS = ("models", "service", "routes")


def render_service(spec: ServiceSpec, targets: Mapping[str, Target]) -> dict[str, str]:
    """Each file's text by its path in `backend/`. Raises GrammarError.

    `targets` has the services that can be referred to. Ruff has yet to format what is given.
    """
    check_targets(spec, targets)
    known = {**targets, spec.name: spec.as_target}
    referred = {
        name: TargetView(known[name], singular(name) or name, itself=name == spec.name)
        for name in spec.references
    }
    service = ServiceView(spec, referred)
    sources = sources_of(service)
    templates = Environment(
        loader=PackageLoader("backend.scaffold"),
        autoescape=False,  # noqa: S701 - Python, and not HTML
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    templates.globals["docstring"] = _docstring
    templates.globals["quoted"] = quoted
    files = {f"src/backend/services/{spec.name}/__init__.py": ""}
    for module in _MODULES:
        text = templates.get_template(f"{module}.py.jinja").render(service=service)
        files[f"src/backend/services/{spec.name}/{module}.py"] = with_imports(text, sources)
    for module in _TESTS:
        text = templates.get_template(f"test_{module}.py.jinja").render(service=service)
        path = f"tests/services/{spec.name}/test_{spec.name}_{module}.py"
        files[path] = with_imports(text, sources)
    return files


def _docstring(text: str, indentation: int) -> str:
    lines = textwrap.wrap(f'"""{text}"""', 100 - indentation, break_long_words=False)
    return f"\n{' ' * indentation}".join(lines)
