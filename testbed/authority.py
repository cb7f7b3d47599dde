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

_PEM = serialization.Encoding.PEM
_SIGNS = x509.KeyUsage(
    key_cert_sign=True,
    crl_sign=True,
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    encipher_only=False,
    decipher_only=False,
)
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
        return self.certificate.public_bytes(_PEM).decode()

    def issue(self, names: Sequence[str], at: datetime) -> tuple[str, str]:
        """Certificate chain and private key, both PEM, for host names (wildcards allowed).

        Args:
            names: at least one.
            at: the present, aware.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(
            _name(names[0]), self.certificate.subject, key.public_key(), self.key.public_key(), at
        )
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), False
        )
        chain = builder.sign(self.key, hashes.SHA256()).public_bytes(_PEM).decode() + self.pem
        form = serialization.PrivateFormat.PKCS8
        return chain, key.private_bytes(_PEM, form, serialization.NoEncryption()).decode()


def new_authority(at: datetime) -> Authority:
    """Make an authority.

    Args:
        at: the present, aware.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("piquet test hosts (throw-away authority)")
    builder = _builder(name, name, key.public_key(), key.public_key(), at)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_SIGNS, critical=True)
    return Authority(key, builder.sign(key, hashes.SHA256()))


def ssh_key_pair() -> tuple[str, str]:
    """Private key in OpenSSH's form and public key line."""
    key = ed25519.Ed25519PrivateKey.generate()
    private = key.private_bytes(_PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption())
    form = serialization.PublicFormat.OpenSSH
    return private.decode(), key.public_key().public_bytes(serialization.Encoding.OpenSSH, form).decode()


def _name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    issuer_key: ec.EllipticCurvePublicKey,
    at: datetime,
) -> x509.CertificateBuilder:
    """What every certificate of ours has; strict verifiers want both key identifiers.

    Source: RFC 5280 section 4.2.1.1 and 4.2.1.2.
    """
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(at.astimezone(UTC) - LIFE).not_valid_after(at.astimezone(UTC) + LIFE)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    return builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key), critical=False
    )
