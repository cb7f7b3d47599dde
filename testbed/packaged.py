# SPDX-License-Identifier: GPL-3.0-or-later
"""An image whose hosts carry web applications of the distribution, each with the configuration that its package ships.

Everything is used as it comes: the packages enable themselves where they do, and the hooks below do what a package's
own documentation tells the administrator to do. No database server is there; applications that want one say so in
their answers, which is an answer like any other.
"""

from __future__ import annotations

from testbed.image import BASE, Recipe

APPLICATIONS = (
    "cgit",
    "davical",
    "dokuwiki",
    "fcgiwrap",
    "gitweb",
    "javascript-common",
    "mailman3-web",
    "munin",
    "nagios4-cgi",
    "nginx-doc",
    "php-fpm",
    "phpmyadmin",
    "phpsysinfo",
    "radicale",
    "roundcube",
    "rss-bridge",
    "smokeping",
    "wordpress",
)
"""Packages that bring a configuration for nginx or Apache, or examples of one."""

# Chosen where a dependency leaves a choice: PHP by FPM and not inside Apache, SQLite, a mailer without a daemon.
_CHOICES = (
    "dbconfig-mysql",
    "dbconfig-sqlite3",
    "msmtp-mta",
    "php",
    "php-sqlite3",
    "roundcube-sqlite3",
    "uwsgi",
    "uwsgi-plugin-python3",
)

_ANSWERS = (
    "dokuwiki dokuwiki/system/accessible select global",
    "mailman3-web mailman3-web/configure-webserver select apache2",
    "mailman3-web mailman3-web/dbconfig-install boolean true",
    "mailman3-web mailman3-web/database-type select sqlite3",
    "phpmyadmin phpmyadmin/dbconfig-install boolean false",
    "phpmyadmin phpmyadmin/reconfigure-webserver multiselect apache2",
    "phpsysinfo phpsysinfo/reconfigure-webserver multiselect apache2, nginx",
    "roundcube-core roundcube/dbconfig-install boolean true",
    "roundcube-core roundcube/database-type select sqlite3",
    "roundcube-core roundcube/reconfigure-webserver multiselect apache2",
)

# The sockets that examples of the packages name: of PHP versions before this one, or by a common name.
_SOCKETS = "".join(
    f"L+ {path} - - - - /run/php/php8.2-fpm.sock\\n"
    for path in ("/run/php/php8.1-fpm.sock", "/run/php7.0-fpm.sock", "/tmp/phpcgi.socket")  # noqa: S108
)

_HOOKS = (
    'chroot "$1" a2enmod --quiet proxy_fcgi proxy_uwsgi setenvif',
    'chroot "$1" a2enconf --quiet php8.2-fpm',
    'chroot "$1" a2ensite --quiet davical',
    # What mailman3-web does itself where nginx is chosen; its question allows one server only.
    'mkdir -p "$1"/var/log/nginx/mailman3 && chroot "$1" chown www-data:adm /var/log/nginx/mailman3',
    'ln -s ../apps-available/radicale.ini "$1"/etc/uwsgi/apps-enabled/radicale.ini',
    'chroot "$1" update-rc.d radicale enable',
    'chroot "$1" git init --quiet --bare /var/lib/git/picket.git',
    f"printf '{_SOCKETS}' >\"$1\"/etc/tmpfiles.d/php-sockets.conf",
    # Jobs that run by themselves would only disturb measurements.
    'rm -f "$1"/etc/cron.d/mailman3-web "$1"/etc/cron.d/munin',
    'systemctl --root="$1" --quiet mask phpsessionclean.timer roundcube-cleandb.timer roundcube-gc.timer',
)

PACKAGED = Recipe(
    (*BASE.packages, *APPLICATIONS, *_CHOICES),
    (*BASE.hooks, *_HOOKS),
    _ANSWERS,
)
"""The base image's packages and all of the above."""
