"""A test authority and the certificates it signs, made with the openssl command."""
import pathlib
import subprocess


class Authority:
    def __init__(self, directory, name="Test CA"):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o755)
        self.certificate, self.key = self.directory / "ca.pem", self.directory / "ca.key"
        self._run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj",
                  f"/CN={name}", "-keyout", self.key, "-out", self.certificate, "-addext", "basicConstraints=critical,CA:true",
                  "-addext", "keyUsage=critical,keyCertSign,cRLSign")

    def _run(self, *arguments):
        subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True, cwd=self.directory)

    def issue(self, *names, expired=False):
        """(certificate, key) for these DNS names or addresses; an expired one ended yesterday."""
        stem = names[0].replace("*", "star") + ("-expired" if expired else "")
        certificate, key, request = (self.directory / f"{stem}.{end}" for end in ("pem", "key", "csr"))
        if certificate.exists():
            return str(certificate), str(key)
        extension = self.directory / f"{stem}.ext"
        san = ",".join(("IP:" if name.replace(".", "").isdigit() else "DNS:") + name for name in names)
        extension.write_text(f"subjectAltName={san}\nbasicConstraints=CA:false\nextendedKeyUsage=serverAuth\n")
        self._run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={names[0]}",
                  "-keyout", key, "-out", request)
        if expired:
            self._expired(request, certificate, extension)
        else:
            self._run("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key, "-CAcreateserial", "-days", "20",
                      "-extfile", extension, "-out", certificate)
        return str(certificate), str(key)

    def _expired(self, request, certificate, extension):
        """`openssl x509` has no start date before OpenSSL 3.4; `openssl ca` always had."""
        (self.directory / "index.txt").write_text("")
        (self.directory / "ca.cnf").write_text(
            "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nnew_certs_dir=.\nrand_serial=yes\ndefault_md=sha256\npolicy=p\n"
            "[p]\ncommonName=supplied\n")
        self._run("ca", "-config", "ca.cnf", "-batch", "-notext", "-in", request, "-out", certificate, "-cert", self.certificate,
                  "-keyfile", self.key, "-startdate", "20200101000000Z", "-enddate", "20200201000000Z", "-extfile", extension)
