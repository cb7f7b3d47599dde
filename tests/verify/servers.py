# SPDX-License-Identifier: GPL-3.0-or-later
"""Real nginx and Apache in a folder of their own, on free ports, for the tests of verify.

The strike is imitated by a few hand-written lines that answer what `piquet.answers` wants, switched by one
file, so that a test can plant a fault in exactly one place; the real configuration has tests of its own.
"""

from __future__ import annotations

import datetime
import socket
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from piquet.answers import PROBLEM_TYPE, retry_after, sign
from piquet.campaign.model import Campaign

PAGE = "<!doctype html><title>Strike</title><p>We are on strike."
NGINX_HTTP = r"""
daemon off; master_process on; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log off; default_type text/plain; keepalive_requests 100000; server_names_hash_max_size 16384;
  server_names_hash_bucket_size 128;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  map_hash_bucket_size 256;
  map $request_uri $open {{
    default "";
    "~*^[^?]*(\.\.|%2e)" "";
    "~^/(robots\.txt|\.well-known/acme-challenge/|api/)" 1;
  }}
  map $cookie_piquet_bypass $let_in {{ default ""; {secret} 1; }}
  map "$open$let_in" $flag {{ default {folder}/none; "" {folder}/on; }}
  map $http_accept $row {{ default page; "application/json" json; }}
  map $request_method:$request_uri $target {{
    default /__$row;
    GET:/.well-known/piquet.json /__about;
    GET:/.well-known/piquet/strike.css /__style;
    GET:/.well-known/piquet/bypass/{secret} /__bypass;
  }}
  map $http_accept_language $language {{ default fr; en en; }}
  {sites}
}}
"""
STRIKE = r"""
if (-f $flag) {{ rewrite ^ $target last; }}
location = /__page {{ internal; default_type "text/html; charset=utf-8"; {signed}
  add_header Retry-After "{until}" always; add_header Content-Language $language always;
  return {status} "{page} $language"; }}
location = /__json {{ internal; default_type {problem}; {signed}
  add_header Retry-After "{until}" always; add_header Content-Language $language always; return 503 "{{}}"; }}
location = /__about {{ internal; default_type application/json; {signed} return 200 "{{}}"; }}
location = /__style {{ internal; default_type "text/css; charset=utf-8"; {signed} return 200 "p{{}}"; }}
location = /__bypass {{ internal; {signed} default_type text/plain;
  add_header Set-Cookie "piquet_bypass={secret}; Path=/; HttpOnly; SameSite=Lax" always; return 303 /; }}
"""
SIGNED = (
    "add_header Cache-Control no-store always; add_header Vary * always; add_header X-Robots-Tag noindex always; "
    'add_header X-Piquet "{sign}" always;'
)
SECRET = "0123456789abcdef0123456789abcdef"


@dataclass
class Server:
    """A running web server.

    Attributes:
        folder: everything it reads; `on` in it puts its sites on strike.
        port: plain HTTP.
        tls_port: HTTPS.
        process: its main process, in the foreground.
    """

    folder: Path
    port: int
    tls_port: int
    process: subprocess.Popen[bytes]

    def strike(self, is_on: bool) -> None:
        """Put all sites on strike, or back."""
        flag = self.folder / "on"
        if is_on:
            flag.touch()
        else:
            flag.unlink(missing_ok=True)

    def restart(self) -> None:
        """Stop, and start the same command anew."""
        self.stop()
        command = [str(part) for part in self.process.args]
        self.process = launch(self.folder, [self.port, self.tls_port], command)

    def edit(self, old: str, new: str) -> None:
        """Change nginx's configuration and restart it."""
        config = self.folder / "nginx.conf"
        assert old in config.read_text()
        config.write_text(config.read_text().replace(old, new))
        self.restart()

    def stop(self) -> None:
        """End the server and wait for it."""
        self.process.terminate()
        self.process.wait(timeout=20)


def strike_lines(campaign: Campaign, **changed: str) -> str:
    """The server-level lines of the imitated strike; `changed` plants a fault."""
    phase = campaign.phases[0]
    fields = {
        "signed": SIGNED.format(sign=sign(campaign, phase)),
        "until": retry_after(campaign, phase),
        "problem": PROBLEM_TYPE,
        "page": PAGE,
        "status": "503",
        "secret": SECRET,
    }
    return STRIKE.format(**{**fields, **changed})


def start_nginx(folder: Path, sites: str, ports: list[int]) -> Server:
    """Start nginx with these server blocks and wait until it answers."""
    folder.mkdir(exist_ok=True)
    folder.chmod(0o755)
    (folder / "nginx.conf").write_text(NGINX_HTTP.format(folder=folder, sites=sites, secret=SECRET))
    command = ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
    return Server(folder, ports[0], ports[-1], launch(folder, ports, command))


APACHE_MODULES = ("mpm_event", "authz_core", "headers", "alias", "ssl", "mime", "dir", "socache_shmcb")


def start_apache(
    folder: Path, sites: str, ports: list[int], modules: Sequence[str] = APACHE_MODULES, loads: str = ""
) -> Server:
    """Start Apache with these vhosts and wait until it answers; `loads` are further lines before all others."""
    folder.mkdir(exist_ok=True)
    lines = [f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so" for name in modules]
    listens = [f"Listen 127.0.0.1:{port}" for port in ports]
    head = [
        f'ServerRoot "{folder}"',
        f"PidFile {folder}/pid",
        f"ErrorLog {folder}/error.log",
        "ServerName x.invalid",
    ]
    user = ["User www-data", "Group www-data"]
    (folder / "apache.conf").write_text("\n".join([*lines, loads, *user, *head, *listens, sites, ""]))
    command = ["apache2", "-D", "FOREGROUND", "-f", str(folder / "apache.conf")]
    return Server(folder, ports[0], ports[-1], launch(folder, ports, command))


def make_authority(folder: Path, names: list[str]) -> tuple[Path, Path, Path]:
    """A throw-away authority and one certificate for the names: (CA, certificate, key) as PEM files."""
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "throw-away CA")])
    ca = _certificate(issuer, issuer, ca_key, ca_key, x509.BasicConstraints(ca=True, path_length=None))
    alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0])])
    leaf = _certificate(subject, issuer, key, ca_key, alternatives)
    paths = folder / "ca.pem", folder / "cert.pem", folder / "key.pem"
    paths[0].write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    encoding, private = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    paths[2].write_bytes(key.private_bytes(encoding, private, serialization.NoEncryption()))
    return paths


def _certificate(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    ca_key: ec.EllipticCurvePrivateKey,
    extension: x509.ExtensionType,
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=12))
        .add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
    )
    return builder.sign(ca_key, hashes.SHA256())


def launch(
    folder: Path, ports: list[int], command: list[str], address: str = "127.0.0.1"
) -> subprocess.Popen[bytes]:
    """Run a server in the foreground and wait until all its ports are open."""
    with (folder / "stderr").open("wb") as stderr:
        # a prefork Apache ends its whole process group, which must not be ours
        process = subprocess.Popen(command, stderr=stderr, start_new_session=True)
    deadline = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < deadline:
        try:
            for port in ports:
                socket.create_connection((address, port), timeout=1).close()
            return process
        except OSError:
            time.sleep(0.05)
    process.terminate()
    process.wait(timeout=20)
    raise RuntimeError(f"{command[0]} does not start: {(folder / 'stderr').read_text()}")
