# SPDX-License-Identifier: GPL-3.0-or-later
"""Configurations of nginx made at random: what http and server blocks may say, by its own modules and by others.

Each part is a line that stands by itself, at most once per level; what it does is nobody's business here. A case is
text, so that a failing one can be read and planted by hand.
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

from piquet.campaign.model import Mode

MODULES = (
    "ndk_http_module", "ngx_http_lua_module", "ngx_http_auth_pam_module", "ngx_http_brotli_filter_module",
    "ngx_http_brotli_static_module", "ngx_http_dav_ext_module", "ngx_http_fancyindex_module",
    "ngx_http_headers_more_filter_module", "ngx_http_modsecurity_module", "ngx_http_set_misc_module",
    "ngx_http_subs_filter_module",
)  # fmt: skip
_RULES = r"modsecurity on; modsecurity_rules 'SecRuleEngine On\nSecRule REQUEST_METHOD POST \"id:{},phase:1,deny\"';"
ANYWHERE = (
    "auth_basic members; auth_basic_user_file /srv/none;", "auth_basic off;", "deny all;", "allow 127.0.0.1; deny all;",
    "satisfy any;", "limit_req zone=requests burst=900 nodelay;", "limit_conn connections 90;", "limit_rate 400k;",
    "add_header X-Owner 1 always;", 'add_header Cache-Control "public, max-age=60";', "add_trailer X-Seen $uri;",
    "add_header Vary Cookie always;", "expires 1h;", "expires -1;", "etag off;", "if_modified_since before;",
    "charset koi8-r;", "charset_types *;", "override_charset on;", "gzip on;", "gzip off;", "gzip_types *;",
    "gzip_vary on;", "gzip_static always;", "gunzip on;", "ssi on;", "ssi_types *;", "sub_filter e E;",
    "sub_filter_types *;", "sub_filter_once off;", "add_before_body /files/one.txt;", "add_after_body /files/two.txt;",
    "addition_types *;", "error_page 401 403 404 503 =200 /soft.html;", "error_page 403 405 503 @none;",
    "error_page 503 https://elsewhere.example/;", "recursive_error_pages on;", "root /srv/none;", "root /srv/static;",
    "index one.txt;", "autoindex on;", "types { text/plain html css; }", "default_type text/x-owner;",
    "client_max_body_size 1;", "client_body_in_file_only clean;", "log_not_found off;", "log_subrequest on;",
    "server_tokens off;", "port_in_redirect off;", "absolute_redirect off;", "max_ranges 1;", "msie_padding on;",
    "msie_refresh on;", "chunked_transfer_encoding off;", "keepalive_timeout 0;", "sendfile off;", "directio 1;",
    "output_buffers 1 512;", "postpone_output 0;", "tcp_nopush off;", "disable_symlinks on;",
    "disable_symlinks if_not_owner;", "disable_symlinks if_not_owner from=$document_root;", "disable_symlinks off;",
    "mirror /mirror;", "post_action /files/one.txt;", "dav_methods PUT DELETE;", "proxy_set_header X-Owner 1;",
    "proxy_intercept_errors on;", "proxy_hide_header Vary;", "uninitialized_variable_warn off;", "rewrite_log on;",
    "auth_pam Members; auth_pam_service_name nginx;", "auth_pam off;", "brotli on;", "brotli_types *;",
    "brotli_static always;", "dav_ext_methods PROPFIND OPTIONS LOCK UNLOCK;", "fancyindex on;", "modsecurity off;",
    "subs_filter e E g;", "subs_filter_types *;", 'more_set_headers "X-Owner: 2";',
    'more_set_headers "Retry-After: 5" "Content-Type: text/plain";', "more_clear_headers X-Piquet Vary;",
    "more_set_headers -s 503 'Cache-Control: public, max-age=60';", 'more_set_input_headers "X-Asked: 1";',
    'access_by_lua_block { return ngx.redirect("https://login.example/?r=" .. ngx.var.uri) }',
    "access_by_lua_block { ngx.exit(403) }", "rewrite_by_lua_block { return ngx.redirect('/login', 301) }",
    "header_filter_by_lua_block { ngx.header['X-Lua'] = ngx.status }", "log_by_lua_block { local seen = ngx.status }",
    "header_filter_by_lua_block { ngx.status = 200; ngx.header['Content-Type'] = nil }",
    "body_filter_by_lua_block { ngx.arg[1] = string.upper(ngx.arg[1] or '') }", "lua_code_cache on;",
)  # fmt: skip
"""What may stand in http and in a server block."""
IN_HTTP = (
    "map $uri $owner_map { default 1; ~x 2; }", "geo $owner_geo { default 1; 127.0.0.0/8 2; }",
    "split_clients $remote_addr $owner_half { 50% a; * b; }", "underscores_in_headers on;", "merge_slashes off;",
    "upstream behind { server @UPSTREAM@; }", "large_client_header_buffers 4 16k;", "resolver 127.0.0.1;",
)  # fmt: skip
IN_SERVER = (
    "return 301 https://elsewhere.example$request_uri;", "return 403;", "return 200 owner;", "set $owner 1;",
    "if ($request_method = POST) { return 405; }", "if ($http_cookie ~ x) { rewrite ^ /soft.html last; }",
    "if (-f $request_filename) { break; }", "rewrite ^/deep/(.*)$ /files/$1 last;", "rewrite ^/x /new permanent;",
    "try_files $uri /index.html =404;", "set_md5 $owner_sum $uri;", "set_by_lua_block $owner_lua { return 1 }",
    "auth_request /allowed;", "auth_request /refused;",
    "merge_slashes off;", "server_name_in_redirect on;", "include snippets/part.conf;", _RULES.format(7),
    "location / { return 418; }", "location /files/ { deny all; }",
    "location = / { access_by_lua_block { ngx.exit(401) } }",
    "location ~ ^/deep { try_files /index.html =404; }", "location ~* \\.css$ { expires max; add_header X-Css 1; }",
    "location / { proxy_pass http://@UPSTREAM@; }", "location ^~ / { root /srv/static; autoindex on; }",
    "location /deep { internal; }", "location / { satisfy any; deny all; error_page 403 /soft.html; }",
)  # fmt: skip
_ALWAYS = (
    "location = /allowed { internal; auth_basic off; allow all; return 204; } "
    "location = /refused { internal; return 403; } location = /mirror { internal; return 204; } "
    "location @none { return 404; }"
)


@dataclass(frozen=True)
class Made:
    """One configuration: what http says, each site's block, a snippet that some include; and what is shown there."""

    http: tuple[str, ...]
    servers: tuple[tuple[str, ...], ...]
    snippet: tuple[str, ...]
    mode: Mode = "block"

    def __str__(self) -> str:
        """For a report."""
        parts = [self.mode, f"http {' '.join(self.http)}", f"snippet {' '.join(self.snippet)}"]
        return "\n".join([*parts, *(f"server {' '.join(lines)}" for lines in self.servers)])


def block(name: str, port: int, lines: tuple[str, ...], upstream: str) -> str:
    """A server block's text."""
    said = "".join(f"    {line}\n" for line in lines if not line.startswith("root"))
    root = next((line for line in lines if line.startswith("root")), "root /srv/static;")
    text = f"server {{\n    listen {port};\n    server_name {name};\n    {root}\n{said}    {_ALWAYS}\n}}\n"
    return text.replace("@UPSTREAM@", upstream)


def made(least: int = 2, most: int = 4) -> st.SearchStrategy[Made]:
    """Configurations of some sites."""
    server = _lines((*ANYWHERE, *IN_SERVER), 8)
    http = _lines((*ANYWHERE, *IN_HTTP), 4)
    servers = st.lists(server, min_size=least, max_size=most).map(tuple)
    modes: st.SearchStrategy[Mode] = st.sampled_from(("block", "block", "block", "occupy", "banner"))
    return st.builds(Made, http, servers, _lines(ANYWHERE, 3), modes)


def _lines(pool: tuple[str, ...], most: int) -> st.SearchStrategy[tuple[str, ...]]:
    """Lines of a level, no directive twice and no location twice."""
    return st.lists(st.sampled_from(pool), max_size=most, unique_by=_what).map(tuple)


def _what(line: str) -> str:
    """What must not stand twice at one level."""
    words = line.split()
    return line.partition("{")[0].strip() if words[0] == "location" else words[0].rstrip(";")
