# SPDX-License-Identifier: GPL-3.0-or-later
"""What stands in the way is said by survey and by plan: each finding fires on one file, and not on its neighbour."""

from __future__ import annotations

import pytest

from tests.corpus.apache_texts import APACHE, IF, IN_TWO, LATE, OTHERWISE, PART

from .conftest import Planter
from .kinds import Provider
from .picket import picket
from .surveyed import look

NGINX = "server {{ listen 8080; server_name more.example; {} }}\n"
HOOK = "include /etc/piquet/nginx/server/*.conf;"
FILES = '<FilesMatch "html$">\n{}\n</FilesMatch>'
GONE = "RewriteEngine On\nRewriteRule ^/x - [G]"
CACHE = "CacheEnable disk /\nCacheQuickHandler {}"

CASES: list[tuple[Provider, str, str, str]] = [
    (
        "nginx", "open-file-cache", NGINX.format("open_file_cache max=9;"),
        NGINX.format("open_file_cache off; location / { open_file_cache max=9; }"),
    ),
    ("nginx", "hook-not-first", NGINX.format(f"return 301 /; {HOOK}"), NGINX.format(f"{HOOK} return 301 /;")),
    (
        "nginx", "hook-not-first", NGINX.format(f"if ($request_method = POST) {{ return 405; }} {HOOK}"),
        NGINX.format(f"root /srv; error_page 404 /x; {HOOK}"),
    ),
    (
        "nginx", "own-server-rewrite", NGINX.format("server_rewrite_by_lua_block { ngx.exit(403) }"),
        NGINX.format("location / { rewrite_by_lua_block { ngx.exit(403) } }"),
    ),
    (
        "nginx", "own-server-rewrite", "server_rewrite_by_lua_file /etc/x.lua;\n",
        NGINX.format("sub_filter_types *; return 200;"),
    ),
    ("nginx", "name-not-selectable", NGINX.format("server_name ~^x;"), NGINX.format("server_name *.x.example;")),
    (
        "apache", "use-canonical-name", APACHE.format("UseCanonicalName On", "UseCanonicalName Off"),
        APACHE.format("UseCanonicalName Off", "UseCanonicalName Off"),
    ),
    (
        "apache", "quick-handler-cache", APACHE.format(CACHE.format("on"), CACHE.format("off")),
        APACHE.format(CACHE.format("off"), "CacheQuickHandler on"),
    ),
    (
        "apache", "quick-handler-cache", "CacheEnable disk /\n" + APACHE.format("", "CacheQuickHandler off"),
        "CacheQuickHandler off\n" + APACHE.format("CacheEnable disk /", "CacheEnable disk /"),
    ),
    (
        "apache", "own-substitute", APACHE.format("SetOutputFilter INCLUDES;SUBSTITUTE", ""),
        APACHE.format("SetOutputFilter INCLUDES", ""),
    ),
    (
        "apache", "own-lifetime", APACHE.format(LATE.format("Header always set cache-control max-age=9"), ""),
        APACHE.format(LATE.format("") + PART.format(IN_TWO).format("Header set Cache-Control max-age=9"), ""),
    ),
    (
        "apache", "own-lifetime", APACHE.format(OTHERWISE.format("Header set Cache-Control max-age=9"), ""),
        APACHE.format(OTHERWISE.format("") + PART.format("Header set Cache-Control max-age=9"), ""),
    ),
    (
        "apache", "own-lifetime", APACHE.format(LATE.format("Header unset Cache-Control"), ""),
        APACHE.format(LATE.format("Header unset ETag"), ""),
    ),
    (
        "apache", "own-lifetime", APACHE.format(IN_TWO.format(IN_TWO).format("Header set Cache-Control max-age=9"), ""),
        APACHE.format(IN_TWO.format(IF).format("Header set Cache-Control max-age=9"), ""),
    ),
    (
        "apache", "own-lifetime", APACHE.format(LATE.format("Header set 'X-Accel-Expires' '9'"), ""),
        APACHE.format(LATE.format("Header set Cache-Control 'no-store, private'\nHeader set Expires 0"), ""),
    ),
    (
        "apache", "own-type", APACHE.format(FILES.format("Header set Content-Type application/xhtml+xml"), ""),
        APACHE.format("Header set Content-Type 'text/html; charset=utf-8'\nHeader note Content-Type x", ""),
    ),
    (
        "apache", "own-type", APACHE.format("Header edit Content-Type ^text/html text/plain", ""),
        APACHE.format("Header edit Content-Type ^text/html $0;x\nHeader set Content-Type image/avif", ""),
    ),
    ("apache", "own-store", APACHE.format("CacheStoreNoStore On", ""), APACHE.format("CacheStoreNoStore Off", "")),
    (
        "apache", "trace-enabled", APACHE.format("TraceEnable extended", "TraceEnable Off"),
        APACHE.format("", "TraceEnable Off"),
    ),
    (
        "apache", "ignore-inherit", APACHE.format(f"RewriteOptions IgnoreInherit\n{GONE}", ""),
        APACHE.format(f"RewriteOptions AllowAnyURI\n{GONE}", "RewriteOptions IgnoreInherit\nRewriteRule ^/x - [G]"),
    ),
    (
        "apache", "ignore-inherit", APACHE.format(GONE, f"RewriteOptions Inherit\n{GONE}"),
        APACHE.format(f"RewriteOptions InheritBefore IgnoreInherit\n{GONE}", "RewriteEngine On"),
    ),
    (
        "apache", "ignore-inherit", "RewriteOptions InheritDown\n" + APACHE.format(GONE, ""),
        "RewriteOptions InheritDown\n"
        + APACHE.format(f"RewriteOptions IgnoreInherit\nRewriteOptions InheritBefore\n{GONE}", ""),
    ),
    (
        "apache", "ignore-inherit", APACHE.format(GONE, "") + "RewriteOptions IgnoreInherit\n",
        APACHE.format(f"RewriteOptions AllowAnyURI\n{GONE}", "") + "RewriteOptions IgnoreInherit\n",
    ),
    (
        "apache", "ignore-inherit",
        "RewriteEngine On\n" + APACHE.format("RewriteOptions IgnoreInherit\nRewriteRule ^/x - [G]", ""),
        "RewriteEngine On\n" + APACHE.format("RewriteOptions IgnoreInherit\nRewriteEngine Off\nRewriteRule ^ -", ""),
    ),
    (
        "apache", "use-canonical-name", "<IfModule !mod_ssl.c>\nUseCanonicalName DNS\n</IfModule>\n",
        "<IfModule mod_ssl.c>\nUseCanonicalName On\n</IfModule>\n<IfDefine X>\nUseCanonicalName On\n</IfDefine>\n",
    ),
    (
        "apache", "server-level-rules", "RewriteMap lc int:tolower\n", "RewriteOptions InheritDownBefore\n",
    ),
    (
        "apache", "server-level-rules", "<IfDefine !X>\nRewriteRule ^/x - [G]\n</IfDefine>\n" + APACHE.format("", ""),
        "<Directory /srv>\nRewriteRule ^x - [G]\n</Directory>\n" + APACHE.format("RewriteRule ^/x - [G]", ""),
    ),
]  # fmt: skip


LOADED = ("ngx_nchan_module", "ngx_http_auth_pam_module", "ngx_http_uploadprogress_module")
PAM = NGINX.format('auth_pam "Members"; auth_pam_service_name nginx;')
BY_SITES: list[tuple[str, str, str, str]] = [
    ("disable-symlinks", NGINX.format("disable_symlinks on;"), NGINX.format("disable_symlinks off;"), ":1"),
    (
        "disable-symlinks", NGINX.format("disable_symlinks on from=$document_root;"),
        NGINX.format("disable_symlinks if_not_owner from=$document_root;"), ":1",
    ),
    (
        "disable-symlinks", "disable_symlinks on;\n" + NGINX.format(""),
        "disable_symlinks on;\n" + NGINX.format("disable_symlinks off;"), ":1",
    ),
    (
        "disable-symlinks", NGINX.format("\ndisable_symlinks on;"),
        NGINX.format("location /x { disable_symlinks on; }"), ":2",
    ),
    ("inherited-answers", NGINX.format("nchan_pubsub; nchan_channel_id x;"), PAM, ":1"),
    (
        "inherited-answers", NGINX.format("\n\nreport_uploads up;") + "upload_progress up 1m;\n",
        NGINX.format("location = /progress { report_uploads up; }") + "upload_progress up 1m;\n", ":3",
    ),
]  # fmt: skip
"""Code of the plan alone, what fires and what does not, and the end of the place that is named."""


@pytest.mark.parametrize(("code", "fires", "silent", "place"), BY_SITES)
def test_single_sites_are_refused_with_file_and_line(
    code: str, fires: str, silent: str, place: str, planted: Planter
) -> None:
    """The plan names the site and the place of the word, and nobody else."""
    server = planted("nginx", "static", more_modules=LOADED)
    said = []
    for text in (fires, silent):
        server.chroot.write("/etc/nginx/sites-enabled/more.conf", text.encode())
        assert server.test() == ""
        seen = look(server, picket(server).campaign)
        said.append([finding.got for finding in seen.findings if finding.code == code])
    told, others = said
    assert f"more.example (/etc/nginx/sites-enabled/more.conf{place})" in told[0]
    assert all("more.example" not in got for got in others)


def test_what_no_module_of_ours_has_is_refused_by_name(planted: Planter) -> None:
    """A name that nobody here knows, at both levels; nginx itself need not know it either to be surveyed."""
    server = planted("nginx", "static")
    text = "waf_zone all;\n" + NGINX.format("auth_ldap on;")
    server.chroot.write("/etc/nginx/sites-enabled/more.conf", text.encode())
    seen = look(server, picket(server).campaign)
    told = {f.message.split("`")[1]: f.sites for f in seen.findings if f.code == "inherited-unknown"}
    assert told == {"auth_ldap": ("more.example",), "waf_zone": ("more.example", "static.corpus.example")}


@pytest.mark.parametrize(
    ("provider", "code", "fires", "silent"), CASES, ids=[f"{c[0]}-{c[1]}" for c in CASES]
)
def test_it_is_said_where_it_is_so_and_nowhere_else(
    provider: Provider, code: str, fires: str, silent: str, planted: Planter
) -> None:
    """By survey and by plan alike, whatever another file of the same server says."""
    names = {"nginx": ("static",), "apache": ("static", "cache", "front-controller")}[provider]
    server = planted(provider, *names)
    campaign = picket(server).campaign
    said = []
    for text in (fires, silent):
        folder = {"nginx": "nginx", "apache": "apache2"}[provider]
        server.chroot.write(f"/etc/{folder}/sites-enabled/more.conf", text.encode())
        seen = look(server, campaign)
        said.append((code in seen.survey, code in seen.plan))
    assert said == [(True, True), (False, False)]
