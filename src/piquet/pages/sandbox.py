# SPDX-License-Identifier: GPL-3.0-or-later
"""One page of a theme's template: plain values in, text out, in Jinja's sandbox, and no more than a page may be long.

The sandbox keeps a template from what is not its own, not from work without end: whoever runs one that is not the
package's own bounds time and memory around it (`render.confined`). No file.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from jinja2 import FunctionLoader, StrictUndefined, Template, TemplateError, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

TEMPLATE = "page.html.j2"
MAX_TEMPLATE_CHARACTERS = 128 * 1024
"""Of a theme's page: more than thirty times the longest of ours."""
MAX_PAGE_CHARACTERS = 2 * 1024 * 1024
"""Of what comes out: eight times the longest text that a page may have (`campaign.pages.MAX_PAGE_BYTES`)."""


class TemplateFault(Exception):  # noqa: N818 - a verdict that becomes a Problem with a place, never seen by users
    """Why a template makes no page.

    Attributes:
        line: of the theme's template, 0 if it is none of its lines.
        reason: one line.
    """

    def __init__(self, line: int, reason: str) -> None:
        """Keep both."""
        super().__init__(reason)
        self.line, self.reason = line, reason


def rendered(source: str, shared: Mapping[str, str], values: Mapping[str, Any]) -> str:
    """The page.

    Args:
        source: the theme's template.
        shared: what it may include, by name.
        values: what it may use.

    Raises:
        TemplateFault: it is not sound, asks for something that there is not, or makes too much.
    """
    if len(source) > MAX_TEMPLATE_CHARACTERS:
        raise TemplateFault(0, f"this template is longer than {MAX_TEMPLATE_CHARACTERS} characters")
    try:
        return _collected_text(_template(source, tuple(sorted(shared.items()))), values)
    except MemoryError as err:
        raise TemplateFault(_line(err), "this takes too much memory") from err
    except (
        TemplateError,
        TypeError,
        ValueError,
        ArithmeticError,
        LookupError,
        AttributeError,
        RuntimeError,
        SyntaxError,
    ) as err:
        raise TemplateFault(_line(err), str(err).partition("\n")[0] or "this cannot be done") from err


def _collected_text(template: Template, values: Mapping[str, Any]) -> str:
    parts, length = [], 0
    for part in template.generate(values):
        parts.append(part)
        length += len(part)
        if length > MAX_PAGE_CHARACTERS:
            raise ValueError(f"this makes a page of more than {MAX_PAGE_CHARACTERS} characters")
    return "".join(parts)


def _line(err: BaseException) -> int:
    """Line of the theme's template that an error comes from, 0 if it is none of its lines."""
    if isinstance(err, TemplateSyntaxError):
        return err.lineno
    lines, trace = [0], err.__traceback__
    while trace:
        if trace.tb_frame.f_code.co_filename == TEMPLATE:
            lines.append(trace.tb_lineno)
        trace = trace.tb_next
    return lines[-1]


@lru_cache(maxsize=8)
def _template(source: str, shared: tuple[tuple[str, str], ...]) -> Template:
    """The compiled template of a theme; a campaign has one, and dozens of pages."""
    known = {**dict(shared), TEMPLATE: source}

    def load(name: str) -> tuple[str, str, None] | None:
        return (known[name], name, None) if name in known else None

    environment = ImmutableSandboxedEnvironment(
        loader=FunctionLoader(load),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(TEMPLATE)
