"""Certificates made on the spot with openssl(1)."""
import ssl
import subprocess
import warnings

KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


def openssl(*argv):
    subprocess.run(["openssl", *map(str, argv)], check=True, capture_output=True)


class Authority:
    """One that signs; its own certificate is self.cert."""

    def __init__(self, folder, name="ca"):
        self.folder, self.name = folder, name
        self.cert, self.key = folder / f"{name}.pem", folder / f"{name}-key.pem"
        openssl("req", "-x509", *KEY, "-keyout", self.key, "-out", self.cert, "-subj", f"/CN={name}", "-days", "30")

    def issue(self, name, names, days=100):
        """(certificate, key) for subjectAltName names, such as "IP:127.0.0.1,DNS:smsc.example.net"."""
        cert, key, csr, ext = (self.folder / f"{name}{end}.pem" for end in ("", "-key", "-csr", "-ext"))
        openssl("req", *KEY, "-keyout", key, "-out", csr, "-subj", f"/CN={name}")
        ext.write_text(f"subjectAltName={names}\n")
        openssl("x509", "-req", "-in", csr, "-CA", self.cert, "-CAkey", self.key, "-CAcreateserial", "-out", cert,
                "-days", days, "-extfile", ext)
        key.chmod(0o600)
        return cert, key


def server(pair, client_ca=None, old=False):
    """What a scripted SMSC speaks; client_ca: asks for a certificate; old: TLS 1.1 and nothing later."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    if client_ca:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(client_ca)
    if old:
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context
