# SPDX-License-Identifier: GPL-3.0-or-later
"""What the owner of a packaged application writes, by the package's own documentation: vhosts that name its files.

The packages' files are used by path, or copied on the host from their examples; nothing of theirs is here.
"""

from __future__ import annotations

from testbed import reload_server
from testbed.host import Host

from .applications import DOMAIN, QUIET

_APACHE = f"""\
<VirtualHost *:80>
    ServerName apps.apache.{DOMAIN}
    DocumentRoot /var/www/html
</VirtualHost>
<VirtualHost *:80>
    ServerName {QUIET}
    DocumentRoot /var/www/html
</VirtualHost>
"""
# Rules of its own, which say nothing on what the packages' rules are for.
_RULES = f"""\
<VirtualHost *:80>
    ServerName rules.{DOMAIN}
    DocumentRoot /var/www/html
    RewriteEngine On
    RewriteRule ^/pretty/(.*)$ /owner/$1 [PT]
</VirtualHost>
"""
_CALENDAR = """\
<VirtualHost *:80>
    ServerName {name}
    DocumentRoot /var/www/html
    Include conf-available/radicale-uwsgi.conf
</VirtualHost>
"""
_WEBMAIL = """\
<VirtualHost *:80>
    ServerName {name}
    DocumentRoot /var/lib/roundcube/public_html
</VirtualHost>
"""
_SNIPPETS = """\
server {{
    listen 80;
    server_name {name};
    root /var/www/html;
    include /etc/phpsysinfo/nginx.conf;
    include /usr/share/doc/fcgiwrap/examples/nginx.conf;
    include /usr/share/doc/radicale/examples/nginx-radicale;
}}
"""
_PHP = """\
server {{
    listen 80;
    server_name {name};
    root /var/www/html/owner;
    index index.php;
    location ~ \\.php$ {{
        include snippets/fastcgi-php.conf;
        fastcgi_pass unix:/run/php/php8.2-fpm.sock;
    }}
}}
"""
_PAGE = '<?php echo "method ", $_SERVER["REQUEST_METHOD"], " at ", $_SERVER["REQUEST_URI"], "\\n";\n'
_STYLE = "body { color: black }\n"
_COPIES = {
    "nginx-wordpress.conf": "/usr/share/doc/wordpress/examples/nginx-wordpress.conf",
    "rss-bridge": "/usr/share/doc/rss-bridge/examples/nginx.conf",
    "munin": "/usr/share/doc/munin/examples/nginx/munin.nginx.conf",
    "drupal": "/usr/share/doc/nginx/examples/drupal",
}


def furnish(host: Host) -> None:
    """Give a host of the packaged image its owner's vhosts, and let the server serve them."""
    documents = {
        f"{folder}/{name}": text
        for folder in ("/var/www/html/owner", "/var/www/drupal6")
        for name, text in (
            ("index.php", _PAGE),
            ("style.css", _STYLE),
            ("notes.txt", "notes\n"),
            ("x.phps", _PAGE),
        )
    }
    if host.provider == "apache":
        host.write_files({**documents, "/etc/apache2/sites-available/packaged.conf": _apache()})
        host.run("a2ensite --quiet packaged && apache2ctl configtest")
    else:
        documents["/var/www/drupal6/index.html"] = "<p>the owner's front page</p>\n"
        host.write_files({**documents, "/etc/nginx/sites-available/packaged": _nginx()})
        host.run(_enabling())
    reload_server(host, host.provider)


def _apache() -> str:
    pairs = ((_CALENDAR, "calendar"), (_WEBMAIL, "webmail"))
    return (
        _APACHE
        + _RULES
        + "".join(text.format(name=f"{name}.{domain}") for text, name in pairs for domain in (DOMAIN, QUIET))
    )


def _nginx() -> str:
    blocks = [_SNIPPETS.format(name=name) for name in (f"apps.nginx.{DOMAIN}", QUIET)]
    return "".join([*blocks, *(_PHP.format(name=f"php.{domain}") for domain in (DOMAIN, QUIET))])


def _enabling() -> str:
    """Shell lines: copies of the examples, links to what is enabled, and the password file that radicale's names."""
    copies = [f"cp {path} /etc/nginx/sites-available/{name}" for name, path in _COPIES.items()]
    links = [
        f"ln -s ../sites-available/{name} /etc/nginx/sites-enabled/{name}" for name in (*_COPIES, "packaged")
    ]
    return " && ".join(
        [
            *copies,
            *links,
            "ln -s /etc/mailman3/nginx.conf /etc/nginx/sites-enabled/mailman3",
            'echo "owner:$(openssl passwd -apr1 open)" >/etc/nginx/htpasswd',
            "nginx -t",
        ]
    )
