"""Certificates for TLS, made anew in each scenario by the openssl command."""

import os
import ssl
import subprocess
import warnings

from support.scenarios import check

KEY_PASSWORD = "Key-Phrase-3"  # of the private key that is encrypted


class Certificate:
    def __init__(self, folder, name):
        self.certificate = os.path.join(folder, name + ".crt")
        self.key = os.path.join(folder, name + ".key")

    def copy_to(self, other):
        for source, target in ((self.certificate, other.certificate), (self.key, other.key)):
            with open(source, "rb") as file, open(target, "wb") as copy:
                copy.write(file.read())


class Certificates:
    """Two authorities and what they signed."""

    def __init__(self, folder):
        self.folder = folder
        os.makedirs(folder)
        self.ca, self.other_ca = self.authority("ca"), self.authority("other-ca")
        self.server = self.signed("server", "localhost", self.ca, 1001)
        self.new_server = self.signed("new-server", "localhost", self.ca, 1002)
        self.guest = self.signed("guest", "guest", self.ca, 2001)
        self.unknown = self.signed("unknown", "unknown-user", self.ca, 2002)
        self.stranger = self.signed("stranger", "guest", self.other_ca, 2003)
        self.locked = Certificate(folder, "locked")
        self.server.copy_to(self.locked)
        secret = ["-aes256", "-passout", f"pass:{KEY_PASSWORD}"]
        self.openssl("ec", "-in", self.server.key, *secret, "-out", self.locked.key)

    def openssl(self, *words):
        done = subprocess.run(["openssl", *words], cwd=self.folder, capture_output=True, text=True)
        check(done.returncode == 0, f"openssl {' '.join(words)}: {done.stderr}")

    def request(self, name, common_name, *words):
        made = Certificate(self.folder, name)
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", made.key]
        self.openssl("req", *key, "-subj", f"/CN={common_name}", *words)
        return made

    def authority(self, name):
        return self.request(name, name, "-x509", "-days", "2", "-out", os.path.join(self.folder, name + ".crt"))

    def signed(self, name, common_name, authority, serial):
        made = self.request(name, common_name, "-out", os.path.join(self.folder, name + ".csr"))
        extensions = os.path.join(self.folder, name + ".ext")
        with open(extensions, "w") as file:
            file.write("basicConstraints=CA:FALSE\nsubjectAltName=DNS:localhost,IP:127.0.0.1\n")
        signer = ["-CA", authority.certificate, "-CAkey", authority.key, "-set_serial", str(serial), "-days", "2"]
        self.openssl("x509", "-req", "-in", name + ".csr", *signer, "-extfile", extensions, "-out", made.certificate)
        return made

    def context(self, client=None, version=None):
        """What a client brings to the handshake: its trust in our authority, perhaps a certificate, one TLS version."""
        context = ssl.create_default_context(cafile=self.ca.certificate)
        if client:
            context.load_cert_chain(client.certificate, client.key)
        if version:
            context.set_ciphers("ALL:@SECLEVEL=0")  # or Python itself would refuse TLS 1.1
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # nobody should use TLS 1.1: so we say
                context.minimum_version = context.maximum_version = version
        return context
