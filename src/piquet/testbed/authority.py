# SPDX-License-Identifier: GPL-3.0-or-later
"""Throw-away keys of one fleet: a certificate authority for its sites, and key pairs for ssh.

They are made for one run, trusted by nothing but that run's clients, and deleted with the fleet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

LIFE = timedelta(
    days=7
)  # longer than any test run; a clock moved back or forth by a day still finds it valid


@dataclass(frozen=True)
class Authority:
    """A certificate authority that signs site certificates."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @property
    def pem(self) -> str:
        """The authority's own certificate, for clients."""
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def issue(self, names: Sequence[str], at: datetime) -> tuple[str, str]:
        """Certificate chain and private key, both PEM, for host names (wildcards allowed)."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(names[0], self.certificate.subject, key.public_key(), at)
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), False
        )
        certificate = builder.sign(self.key, hashes.SHA256())
        chain = certificate.public_bytes(serialization.Encoding.PEM).decode() + self.pem
        form = serialization.PrivateFormat.PKCS8
        return chain, key.private_bytes(_PEM, form, serialization.NoEncryption()).decode()


def new_authority(at: datetime) -> Authority:
    """Make an authority.

    Args:
        at: the present, aware.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "piquet test hosts, throw-away CA")])
    builder = _builder(name.rfc4514_string().removeprefix("CN="), name, key.public_key(), at)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return Authority(key, builder.sign(key, hashes.SHA256()))


def ssh_key_pair() -> tuple[str, str]:
    """Private key in OpenSSH's form and public key line."""
    key = ed25519.Ed25519PrivateKey.generate()
    private = key.private_bytes(_PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption())
    form = serialization.PublicFormat.OpenSSH
    return private.decode(), key.public_key().public_bytes(serialization.Encoding.OpenSSH, form).decode()


_PEM = serialization.Encoding.PEM


def _builder(
    common_name: str, issuer: x509.Name, key: ec.EllipticCurvePublicKey, at: datetime
) -> x509.CertificateBuilder:
    """What every certificate of ours has: both key identifiers are needed by strict verifiers (Python 3.13)."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(at.astimezone(UTC) - LIFE).not_valid_after(at.astimezone(UTC) + LIFE)
