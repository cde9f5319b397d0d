"""Certificates for TLS tests: a CA, what it signed rightly, and everything that can be wrong.

All keys are EC P-256. Every certificate and key is written as PEM (`cert`, `key`) for CPython and
Mosquitto, and as DER (`cert_der`, `key_der`) for MicroPython.
"""

import dataclasses
import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAY = datetime.timedelta(days=1)
_OUR_NAMES = ("localhost", "127.0.0.1")


@dataclasses.dataclass(frozen=True)
class Identity:
    """A certificate and its key, as files."""

    cert: Path
    key: Path
    cert_der: Path
    key_der: Path


class Certificates:
    """Makes them all in `folder`.

    ca, wrong_ca: two authorities. server: for 127.0.0.1 and localhost. client: for mutual TLS,
    its common name is `client_name`; wrong_client: the same from the wrong CA; expired_client.
    self_signed: a server that no CA vouches for.
    The rest are servers of the right CA: expired, not_yet_valid, wrong_name, and large, with so
    many names that it fits no datagram.
    """

    client_name = "device-1"

    def __init__(self, folder):
        self._folder = Path(folder)
        self._folder.mkdir(parents=True, exist_ok=True)
        now = datetime.datetime.now(datetime.UTC)
        current = (now - _DAY, now + 30 * _DAY)
        ca, wrong_ca = _Authority("Test CA", current), _Authority("Wrong CA", current)
        self.ca = self._write("ca", ca.cert, ca.key)
        self.wrong_ca = self._write("wrong-ca", wrong_ca.cert, wrong_ca.key)
        self.server = self._server("server", ca, current)
        past = (now - 30 * _DAY, now - _DAY)
        self.expired = self._server("expired", ca, past)
        self.not_yet_valid = self._server("not-yet-valid", ca, (now + _DAY, now + 30 * _DAY))
        self.wrong_name = self._server("wrong-name", ca, current, ("elsewhere.example",))
        self.self_signed = self._self_signed("self-signed", current)
        self.client = self._client("client", ca, current)
        names = [f"server-{number}.of-a-long-name.example" for number in range(50)]
        self.large = self._server("large", ca, current, (*_OUR_NAMES, *names))
        self.expired_client = self._client("expired-client", ca, past)
        self.wrong_client = self._client("wrong-client", wrong_ca, current)

    def _server(self, name, authority, validity, hosts=_OUR_NAMES):
        names = x509.SubjectAlternativeName([_general_name(host) for host in hosts])
        usage = ExtendedKeyUsageOID.SERVER_AUTH
        return self._write(name, *authority.sign(hosts[0], validity, usage, names))

    def _self_signed(self, name, validity):
        key, subject = ec.generate_private_key(ec.SECP256R1()), _subject(_OUR_NAMES[0])
        names = x509.SubjectAlternativeName([_general_name(host) for host in _OUR_NAMES])
        builder = _builder(subject, subject, key, validity).add_extension(names, critical=False)
        return self._write(name, builder.sign(key, hashes.SHA256()), key)

    def _client(self, name, authority, validity):
        usage = ExtendedKeyUsageOID.CLIENT_AUTH
        return self._write(name, *authority.sign(self.client_name, validity, usage))

    def _write(self, name, cert, key):
        stem = self._folder / name
        files = Identity(
            stem.with_suffix(".crt"),
            stem.with_suffix(".key"),
            stem.with_suffix(".crt.der"),
            stem.with_suffix(".key.der"),
        )
        # mbedTLS reads the plain EC form (SEC 1) whether or not it was built with PKCS #8.
        form, secret = PrivateFormat.TraditionalOpenSSL, NoEncryption()
        files.cert.write_bytes(cert.public_bytes(Encoding.PEM))
        files.cert_der.write_bytes(cert.public_bytes(Encoding.DER))
        files.key.write_bytes(key.private_bytes(Encoding.PEM, form, secret))
        files.key_der.write_bytes(key.private_bytes(Encoding.DER, form, secret))
        return files


class _Authority:
    """A self-signed CA that signs others."""

    def __init__(self, name, validity):
        self._name = _subject(name)
        self.key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(self._name, self._name, self.key, validity)
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        builder = builder.add_extension(_key_usage(signs_certificates=True), True)
        self.cert = builder.sign(self.key, hashes.SHA256())

    def sign(self, name, validity, usage, *extensions):
        """A new key's certificate; returns (certificate, key)."""
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_subject(name), self._name, key, validity)
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        for extension in (x509.ExtendedKeyUsage([usage]), issuer, *extensions):
            builder = builder.add_extension(extension, critical=False)
        builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), True)
        builder = builder.add_extension(_key_usage(signs_certificates=False), True)
        return builder.sign(self.key, hashes.SHA256()), key


def _builder(subject, issuer, key, validity):
    public = key.public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(validity[0])
        .not_valid_after(validity[1])
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _key_usage(signs_certificates):
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _subject(name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general_name(host):
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
