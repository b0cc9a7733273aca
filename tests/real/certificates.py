"""Certificates for tests, made by openssl."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

_NEW_KEY = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2".split()


@dataclass(frozen=True)
class Pair:
    """The PEM files of a certificate and of its key."""

    certificate: str
    key: str


class Authority:
    """An authority of its own; `certificate` is the PEM file that others are to trust."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder, self._name = folder, name
        self._pair = Pair(str(folder / f"{name}.pem"), str(folder / f"{name}.key"))
        _openssl("req", "-x509", *_NEW_KEY, "-subj", f"/CN={name}", "-keyout", self._pair.key, "-out", self.certificate)

    @property
    def certificate(self) -> str:
        return self._pair.certificate

    def issue(self, name: str, *hosts: str) -> Pair:
        """A certificate for `name`, valid for these hosts (`DNS:localhost`, `IP:127.0.0.1`)."""
        made = Pair(str(self._folder / f"{name}.pem"), str(self._folder / f"{name}.key"))
        request, extensions = self._folder / f"{name}.csr", self._folder / f"{name}.ext"
        _openssl("req", "-new", *_NEW_KEY[:-2], "-subj", f"/CN={name}", "-keyout", made.key, "-out", str(request))
        extensions.write_text(f"subjectAltName={','.join(hosts or ('DNS:localhost', 'IP:127.0.0.1'))}\n")
        signer = ["-CA", self.certificate, "-CAkey", self._pair.key, "-CAcreateserial", "-days", "2"]
        _openssl("x509", "-req", "-in", str(request), *signer, "-extfile", str(extensions), "-out", made.certificate)
        return made


def _openssl(*arguments: str) -> None:
    try:
        done = subprocess.run(["openssl", *arguments], check=False, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("openssl is not installed here")
    assert done.returncode == 0, done.stderr
