# SPDX-License-Identifier: GPL-3.0-or-later
"""The one Jinja environment: undefined names are errors, HTML is escaped, other text goes through filters."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from piquet import resources
from piquet.answers import pcre_literal
from piquet.protocol import places
from piquet.servers import quoting


def render(template: str, **values: Any) -> str:
    """Render `templates/<template>`; same values, same text.

    Raises:
        BundleError: a value cannot be quoted for the place where the template puts it.
    """
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(resources.templates()),
        undefined=StrictUndefined,
        autoescape=select_autoescape(["html.j2"]),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals["places"] = places
    environment.filters.update(
        nginx=quoting.nginx_token,
        nginx_regex=quoting.nginx_regex,
        nginx_map_key=quoting.nginx_map_key,
        nginx_with=quoting.nginx_with,
        lua=quoting.lua_string,
        apache=quoting.apache_argument,
        apache_regex=quoting.apache_regex,
        cron=quoting.cron_command,
        comment=quoting.comment,
        literal=pcre_literal,
    )
    return environment
