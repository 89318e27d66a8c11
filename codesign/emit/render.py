"""The one strict Jinja environment, and the layout of generated C++."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import jinja2
from jinja2 import meta

from codesign.errors import TemplateError
from codesign.hardware.loading import URAM_LATENCY
from codesign.hardware.structure import Arithmetic, Count, Storage
from codesign.hardware.wire import wire_bits
from codesign.load import resource_folder
from codesign.network.tensor import signed_bits

INDENT = "    "


@cache
def environment() -> jinja2.Environment:
    """Return the environment; a name that Python does not provide raises when rendered."""
    env = jinja2.Environment(
        loader=jinja2.FileSystemLoader(resource_folder("templates") / "hls"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 (C++ and Tcl, never shown by a browser)
    )
    env.filters["signed_width"] = lambda limit: signed_bits(-int(limit), int(limit))
    env.filters["wire_bits"] = wire_bits
    env.filters["storage"] = storage_name
    env.filters["arithmetic"] = arithmetic_name
    env.globals["uram_latency"] = URAM_LATENCY
    return env


def storage_name(storage: Count) -> str:
    """Return the tools' name of a memory kind (`impl=` of BIND_STORAGE)."""
    return Storage(int(storage)).name.lower()


def arithmetic_name(arithmetic: Count) -> str:
    """Return the tools' name of a multiplier kind (`impl=` of BIND_OP)."""
    in_fabric = Arithmetic(int(arithmetic)) in (Arithmetic.LUT, Arithmetic.CONSTANT)
    return "fabric" if in_fabric else "dsp"


def render(template: str, names: Mapping[str, Any]) -> str:
    """Fill one template.

    Raises:
        TemplateError: the template uses a name that it was not given.
    """
    try:
        return environment().get_template(template).render(names)
    except jinja2.UndefinedError as error:
        raise TemplateError(f"templates/hls/{template}: {error.message}") from error


def source(template: str) -> str:
    """Return a file of `templates/hls` as it is."""
    return (resource_folder("templates") / "hls" / template).read_text()


def used_names(template: str) -> set[str]:
    """Return the names that a template expects to be given."""
    env = environment()
    return meta.find_undeclared_variables(env.parse(source(template)))


def layout(cpp: str) -> str:
    """Indent generated C++ by its braces and drop the blank lines inside functions.

    Preprocessor lines start in column 0; a label stands one level further out. Text in strings
    and comments has balanced braces in every template.
    """
    lines: list[str] = []
    depth = 0
    for raw in cpp.splitlines():
        line = raw.strip()
        if not line:
            if depth <= 1 and lines and lines[-1]:
                lines.append("")
            continue
        if line.startswith("}") and lines and not lines[-1]:
            lines.pop()
        opening, closing = line.count("{"), line.count("}")
        leading = len(line) - len(line.lstrip("}"))
        level = depth - leading
        if line.endswith(":") and not line.startswith(("//", "public", "private")):
            level -= 1
        lines.append(line if line.startswith("#") else INDENT * max(level, 0) + line)
        depth += opening - closing
    return "\n".join(lines).strip() + "\n"
