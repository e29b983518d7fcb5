"""A test authority and the certificates it signs, made with the openssl command."""
import hashlib
import pathlib
import subprocess
import time


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
        stem = "-".join(names).replace("*", "star") + ("-expired" if expired else "")
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

    def client(self, stem, san="", subject="/CN=client", usage="clientAuth", more="", seconds=None, signer=None):
        """
        (certificate, key) of a client: san as in openssl's subjectAltName, `more` further extension lines, ending `seconds` from now. signer: another (certificate, key) that signs
        it instead of this authority.
        """
        certificate, key, request = (self.directory / f"{stem}.{end}" for end in ("pem", "key", "csr"))
        (self.directory / f"{stem}.ext").write_text((f"subjectAltName={san}\n" if san else "") + (f"extendedKeyUsage={usage}\n" if usage else "")
                                                    + ("" if "basicConstraints" in more else "basicConstraints=CA:false\n") + more)
        self._run("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", subject, "-keyout", key, "-out", request)
        begin, end = time.time() - 3600, time.time() + (seconds if seconds is not None else 86400)
        self._sign(request, certificate, self.directory / f"{stem}.ext", *(time.strftime("%Y%m%d%H%M%SZ", time.gmtime(at)) for at in (begin, end)), signer)
        return str(certificate), str(key)

    def intermediate(self, stem, san="", signer=None):
        """(certificate, key) of an authority below this one, or below `signer`; it signs with client(signer=...)."""
        return self.client(stem, san, subject=f"/CN={stem}", usage="", more="basicConstraints=critical,CA:true\nkeyUsage=critical,keyCertSign,cRLSign\n", signer=signer)

    def with_chain(self, pair, *above):
        """(certificates, key) as a client sends them: its own certificate and then those of these pairs."""
        path = pathlib.Path(pair[0]).with_suffix(f".{len(above)}.chain.pem")
        path.write_text("".join(pathlib.Path(one[0]).read_text() for one in (pair, *above)))
        return str(path), pair[1]

    def self_signed(self, stem, subject="/CN=alone"):
        certificate, key = self.directory / f"{stem}.pem", self.directory / f"{stem}.key"
        self._run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", subject, "-keyout", key, "-out", certificate)
        return str(certificate), str(key)

    def revoke(self, *certificates):
        """A CRL in which these are."""
        self._database()
        for certificate in certificates:
            self._run("ca", "-config", "ca.cnf", "-revoke", certificate, "-cert", self.certificate, "-keyfile", self.key)
        crl = self.directory / "crl.pem"
        self._run("ca", "-config", "ca.cnf", "-gencrl", "-crldays", "2", "-out", crl, "-cert", self.certificate, "-keyfile", self.key)
        return str(crl)

    def sha256(self, certificate=None):
        """As identity/1 names it; by default this authority's own."""
        made = subprocess.run(["openssl", "x509", "-in", str(certificate or self.certificate), "-outform", "DER"], check=True, capture_output=True).stdout
        return hashlib.sha256(made).hexdigest()

    def _expired(self, request, certificate, extension):
        self._sign(request, certificate, extension, "20200101000000Z", "20200201000000Z")

    def _database(self):
        (self.directory / "index.txt").touch()
        (self.directory / "ca.cnf").write_text(
            "[ca]\ndefault_ca=d\n[d]\ndatabase=index.txt\nnew_certs_dir=.\nrand_serial=yes\ndefault_md=sha256\npolicy=p\nunique_subject=no\n"
            "[p]\n" + "".join(f"{name}=optional\n" for name in ("countryName", "organizationName", "organizationalUnitName", "commonName")))

    def _sign(self, request, certificate, extension, begin, end, signer=None):
        """`openssl x509` has no start date before OpenSSL 3.4; `openssl ca` always had."""
        self._database()
        by, key = signer or (self.certificate, self.key)
        self._run("ca", "-config", "ca.cnf", "-batch", "-notext", "-preserveDN", "-in", request, "-out", certificate, "-cert", by,
                  "-keyfile", key, "-startdate", begin, "-enddate", end, "-extfile", extension)
