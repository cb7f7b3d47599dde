# SPDX-License-Identifier: GPL-3.0-or-later
"""How a test host is laid out: as Debian is, or as RHEL 9 and its likes are, with Debian's binaries.

No package of those can be had here. What they put elsewhere is imitated: os-release, `httpd` with `/etc/httpd`, modules
loaded by `conf.modules.d`, nginx with `conf.d` alone, users `apache` and `nginx`, no `a2enmod` and no `apache2ctl`. The
kernel has no SELinux to enforce, the C library, Python and init are Debian's.

Source: nginx.conf, httpd.conf, conf.modules.d and httpd.service of Fedora's packages nginx and httpd; os-release(5).
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

Layout = Literal["debian", "redhat"]

CONFIG: Mapping[Layout, Mapping[str, str]] = {
    "debian": {"nginx": "/etc/nginx/conf.d", "apache": "/etc/apache2/sites-enabled"},
    "redhat": {"nginx": "/etc/nginx/conf.d", "apache": "/etc/httpd/conf.d"},
}
"""Where an owner of either server puts a virtual host."""
UNIT: Mapping[Layout, Mapping[str, str]] = {
    "debian": {"nginx": "nginx", "apache": "apache2"},
    "redhat": {"nginx": "nginx", "apache": "httpd"},
}
"""Their services."""
TEST: Mapping[Layout, Mapping[str, str]] = {
    "debian": {"nginx": "nginx -t", "apache": "apache2ctl configtest"},
    "redhat": {"nginx": "nginx -t", "apache": "httpd -t"},
}
"""What tests their configuration."""

OS_RELEASE = """\
NAME="AlmaLinux"
VERSION="9.6 (imitated by a test host)"
ID="almalinux"
ID_LIKE="rhel centos fedora"
VERSION_ID="9.6"
PLATFORM_ID="platform:el9"
PRETTY_NAME="AlmaLinux 9.6 (imitated by a test host)"
"""
_NGINX = """\
user nginx;
worker_processes auto;
error_log /var/log/nginx/error.log;
pid /run/nginx.pid;

include /usr/share/nginx/modules/*.conf;

events {
    worker_connections 1024;
}

http {
    log_format  main  '$remote_addr - $remote_user [$time_local] "$request" '
                      '$status $body_bytes_sent "$http_referer" '
                      '"$http_user_agent" "$http_x_forwarded_for"';

    access_log  /var/log/nginx/access.log  main;

    sendfile            on;
    tcp_nopush          on;
    keepalive_timeout   65;
    types_hash_max_size 4096;

    include             /etc/nginx/mime.types;
    default_type        application/octet-stream;

    include /etc/nginx/conf.d/*.conf;

    server {
        listen       80;
        listen       [::]:80;
        server_name  _;
        root         /usr/share/nginx/html;

        include /etc/nginx/default.d/*.conf;
    }
}
"""
_HTTPD = """\
ServerRoot "/etc/httpd"
Listen 80
Include conf.modules.d/*.conf
User apache
Group apache
ServerAdmin root@localhost
<Directory />
    AllowOverride none
    Require all denied
</Directory>
DocumentRoot "/var/www/html"
<Directory "/var/www">
    AllowOverride None
    Require all granted
</Directory>
<IfModule dir_module>
    DirectoryIndex index.html
</IfModule>
<Files ".ht*">
    Require all denied
</Files>
ErrorLog "logs/error_log"
LogLevel warn
<IfModule log_config_module>
    LogFormat "%h %l %u %t \\"%r\\" %>s %b" common
    CustomLog "logs/access_log" common
</IfModule>
<IfModule mime_module>
    TypesConfig /etc/mime.types
</IfModule>
AddDefaultCharset UTF-8
EnableSendfile on
IncludeOptional conf.d/*.conf
"""
# What the packages load, as far as Debian has it in a file of its own.
_BASE = """
access_compat actions alias allowmethods auth_basic auth_digest authn_anon authn_core authn_dbd authn_dbm authn_file
authn_socache authz_core authz_dbd authz_dbm authz_groupfile authz_host authz_owner authz_user autoindex brotli cache
cache_disk cache_socache data dbd deflate dir dumpio echo env expires ext_filter filter headers include info macro mime
mime_magic negotiation remoteip reqtimeout request rewrite setenvif slotmem_plain slotmem_shm socache_dbm
socache_memcache socache_shmcb status substitute suexec unique_id userdir vhost_alias watchdog
"""
_PROXY = (
    "proxy lbmethod_bybusyness lbmethod_byrequests lbmethod_bytraffic proxy_balancer proxy_fcgi proxy_http"
)
_LOADED: Mapping[str, str] = {
    "00-base": _BASE,
    "00-mpm": "mpm_event",
    "00-proxy": _PROXY,
    "00-ssl": "ssl",
    "01-cgi": "cgid",
}
_BINARY = "/usr/libexec/httpd/httpd"
# Debian's binary has other paths compiled in: it is told these, and what it says of its own is put right.
_WRAPPER = f"""\
#!/bin/sh
run() {{
  exec {_BINARY} -C "DefaultRuntimeDir /run/httpd" -C "PidFile /run/httpd/httpd.pid" \\
    -d /etc/httpd -f /etc/httpd/conf/httpd.conf "$@"
}}
for word; do
  [ "$word" = -V ] && {{
    {_BINARY} -V | sed -e 's|HTTPD_ROOT=".*"|HTTPD_ROOT="/etc/httpd"|' \\
      -e 's|SERVER_CONFIG_FILE=".*"|SERVER_CONFIG_FILE="conf/httpd.conf"|' -e 's|(Debian)|(AlmaLinux)|'
    exit
  }}
done
run "$@"
"""
_UNIT = """\
[Unit]
Description=The Apache HTTP Server
After=network.target

[Service]
ExecStart=/usr/sbin/httpd -DFOREGROUND
ExecReload=/usr/sbin/httpd -k graceful
RuntimeDirectory=httpd
KillSignal=SIGWINCH
KillMode=mixed
PrivateTmp=true

[Install]
WantedBy=multi-user.target
"""
_FOLDERS = ("nginx/conf.d", "nginx/default.d", "httpd/conf", "httpd/conf.d", "httpd/conf.modules.d")
_NOT_THERE = {
    "nginx": ("etc/nginx/sites-enabled", "etc/nginx/sites-available", "etc/nginx/snippets", "etc/httpd"),
    "apache": ("etc/apache2", "etc/nginx", "usr/sbin/nginx"),
}
_USERS = {"nginx": ("nginx", 988), "apache": ("apache", 48)}


def lay_out_redhat(root: Path, provider: str) -> None:
    """Lay out a host's disk, with one of the servers and no trace of the other.

    Args:
        root: of the disk, which nothing runs on yet.
        provider: the server that it has.
    """
    _write(root / "etc/os-release", OS_RELEASE)
    (root / "etc/debian_version").unlink(missing_ok=True)
    for folder in _FOLDERS:
        (root / "etc" / folder).mkdir(parents=True, exist_ok=True)
    _add_user(root, *_USERS[provider])
    if provider == "nginx":
        _write(root / "etc/nginx/nginx.conf", _NGINX)
        (root / "usr/share/nginx/modules").mkdir(exist_ok=True)
        (root / "usr/sbin/apache2").unlink()
    else:
        _lay_out_httpd(root)
    for program in (*(root / "usr/sbin").glob("a2*"), *(root / "usr/sbin").glob("apache*ctl")):
        program.unlink()
    for name in _NOT_THERE[provider]:
        _remove(root / name)


def _lay_out_httpd(root: Path) -> None:
    """Its binary under its other name, its configuration, its service."""
    binary = root / _BINARY.lstrip("/")
    binary.parent.mkdir(parents=True)
    shutil.move(root / "usr/sbin/apache2", binary)
    _write(root / "usr/sbin/httpd", _WRAPPER, 0o755)
    etc = root / "etc/httpd"
    for name, target in {
        "modules": "/usr/lib/apache2/modules",
        "logs": "/var/log/httpd",
        "run": "/run/httpd",
    }.items():
        (etc / name).symlink_to(target)
    (root / "var/log/httpd").mkdir(mode=0o700)
    _write(etc / "conf/httpd.conf", _HTTPD)
    there = {path.stem.removeprefix("mod_") for path in (root / "usr/lib/apache2/modules").glob("mod_*.so")}
    for file, names in _LOADED.items():
        lines = [f"LoadModule {n}_module modules/mod_{n}.so\n" for n in names.split() if n in there]
        _write(etc / f"conf.modules.d/{file}.conf", "".join(lines))
    units = root / "etc/systemd/system"
    _write(units / "httpd.service", _UNIT)
    (units / "multi-user.target.wants/httpd.service").symlink_to("../httpd.service")
    (units / "multi-user.target.wants/apache2.service").unlink()
    _remove(units / "apache2.service")
    (units / "apache2.service").symlink_to("/dev/null")


def _add_user(root: Path, name: str, number: int) -> None:
    for file, line in (
        ("passwd", f"{name}:x:{number}:{number}::/:/usr/sbin/nologin\n"),
        ("group", f"{name}:x:{number}:\n"),
    ):
        with (root / "etc" / file).open("a", encoding="utf-8") as text:
            text.write(line)


def _remove(path: Path) -> None:
    """A file, a link or a folder, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _write(target: Path, text: str, mode: int = 0o644) -> None:
    """Replace a file; a link that stood there is not followed."""
    target.unlink(missing_ok=True)
    target.write_text(text, encoding="utf-8")
    target.chmod(mode)
