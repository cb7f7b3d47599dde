# SPDX-License-Identifier: GPL-3.0-or-later
"""What servers say against their configuration is read rightly: real servers say it, of their own files and of ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from piquet.host.servers import complaints
from tests.host.builds import other_apache_build, other_nginx_build
from tests.host.folder_host import INCLUDED, SITES, FolderHost
from tests.host.owners_names import NO_NAME

NGINX = {
    "directive": ("nonsense x;", "FILE:1", "misspelt"),
    "no name": (f"upstream u {{ server {NO_NAME}; }}", "FILE:1", "name server"),
    "no name in a block": (
        f"server {{ listen 127.0.0.1:PORT;\n location / {{ proxy_pass http://{NO_NAME}; }} }}",
        "FILE:2",
        "name server",
    ),
    "listens nowhere": (f"server {{\n listen {NO_NAME}:80; }}", "FILE:2", "name server"),
    "include": ("\ninclude ROOT/none.conf;", "FILE:2", "missing"),
    "certificate": (
        "server { listen 127.0.0.1:TLS ssl; ssl_certificate ROOT/none.pem; ssl_certificate_key ROOT/none.pem; }",
        "ROOT/none.pem",
        "missing",
    ),
    "log": ("access_log ROOT/none/x.log;", "ROOT/none/x.log", "missing"),
    "brace": ("server { listen 127.0.0.1:PORT;", "FILE:1", ""),
    "variable": ("map $host $a_of_theirs { default $no_such; }", "", ""),
    "address": ("server { listen 192.0.2.1:PORT; }", "", ""),
}
APACHE = {
    "directive": ("\nNonsense", "FILE:2", "misspelt"),
    "module": ("LoadModule x_module ROOT/none.so", "FILE:1", "missing or damaged"),
    "include": ("Include ROOT/none.conf", "FILE:1", "missing"),
    "certificate": (
        "<VirtualHost *:80>\nSSLEngine on\nSSLCertificateFile ROOT/none.pem\n</VirtualHost>",
        "FILE:3",
        "missing",
    ),
    "log": ("<VirtualHost *:80>\nErrorLog ROOT/none/x.log\n</VirtualHost>", "FILE:1", "missing"),
    "section": ("<VirtualHost *:80>", "FILE:1", ""),
    "listens nowhere": (f"\nListen {NO_NAME}:80", "FILE:2", "name server"),
    "macro": ("<Macro v>\nNonsense\n</Macro>\nUse v", "FILE:4", "misspelt"),
    "user": ("User nobody-of-that-name", "", ""),
}


def made(host: FolderHost, text: str, file: Path) -> str:
    """A piece of a case with the host's places in it."""
    for word, value in {"ROOT": host.root, "FILE": file, "PORT": host.port, "TLS": host.apache_port}.items():
        text = text.replace(word, str(value))
    return text


@pytest.mark.parametrize("kind", NGINX)
def test_of_nginx(still: FolderHost, kind: str) -> None:
    """Where it is, that it is not ours, and what is known of the kind."""
    text, place, cause = NGINX[kind]
    file = still.root / "etc/nginx/conf.d/x.conf"
    file.write_text(made(still, text, file))
    judge(still, "nginx", made(still, place, file), cause)


@pytest.mark.parametrize("kind", APACHE)
def test_of_apache(still: FolderHost, kind: str) -> None:
    """The same, and of the places that a nested complaint names the innermost."""
    text, place, cause = APACHE[kind]
    file = still.root / "etc/apache2/conf-enabled/x.conf"
    macro = "LoadModule macro_module /usr/lib/apache2/modules/mod_macro.so\n" if kind == "macro" else ""
    still.apache_conf.write_text(macro + still.apache_conf.read_text())
    file.write_text(made(still, text, file) + "\n")
    judge(still, "apache", made(still, place, file), cause)


def test_of_modules_of_another_build(still: FolderHost) -> None:
    """nginx and Apache name them as what they are."""
    nginx, apache = other_nginx_build(still.root), other_apache_build(still.root)
    still.conf.write_text(f"load_module {nginx};\n{still.conf.read_text()}")
    judge(still, "nginx", f"{still.conf}:1", "another build")
    still.apache_conf.write_text(f"LoadModule echo_module {apache}\n{still.apache_conf.read_text()}")
    judge(still, "apache", f"{still.apache_conf}:1", "another build")


def judge(host: FolderHost, server: str, place: str, cause: str) -> None:
    """Of an owner's complaint."""
    tested = host.machine().servers[server].test()
    found = complaints.first_complaint(tested.output, host.paths)
    assert (tested.ok, found.place, found.is_ours) == (False, place, False), tested.output
    assert cause in found.cause and bool(cause) == bool(found.cause)
    assert found.words == (f": {place} is not ours" if place else "; it does not say which file")


@pytest.mark.parametrize("kind", ["directive", "missing", "unreadable words"])
def test_of_ours(host: FolderHost, kind: str) -> None:
    """What lies in a file that we installed is ours, also where an owner's file is named as the place."""
    host.hook()
    host.stage()
    included = host.paths.at(INCLUDED)
    if kind == "directive":
        included.write_text("\nnonsense;\n")
    elif kind == "missing":
        site = host.root / "etc/nginx/sites-available" / SITES[0]
        included.unlink()
        site.write_text(f"server {{ listen 127.0.0.1:{host.port}; include {included}; }}\n")
    else:
        included.write_text("if (-f $piquet_unknown) { return 503; }\n")
    tested = host.machine().servers["nginx"].test()
    found = complaints.first_complaint(tested.output, host.paths)
    assert (tested.ok, found.is_ours) == (False, True), tested.output
    assert found.words.endswith("is ours") and "remove" in found.hint
    assert found.place.partition(":")[0] == ("" if kind == "unreadable words" else str(included))


def test_of_a_test_that_hangs(still: FolderHost) -> None:
    """It names no file, and most often it waits for a name server."""
    found = complaints.first_complaint("nginx -t: no answer within 60 s", still.paths)
    assert (found.place, found.is_ours) == ("", False) and "name server" in found.cause
