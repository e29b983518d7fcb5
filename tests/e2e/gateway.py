"""One gateway under test: a prefix of its own, the real nginx, documents applied with the real `gatehouse`."""
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

import client
import documents
import ledger
import records
import trail
from mock_backend import MockBackend
from ports import free_port
from signature import Callers

ROOT = pathlib.Path(__file__).resolve().parents[2]
NGINX = os.environ.get("GATEHOUSE_NGINX", "nginx")
BUILD = ROOT / os.environ.get("GATEHOUSE_BUILD", "build")
MODULE = os.environ.get("GATEHOUSE_MODULE", str(BUILD / "ngx_http_gatehouse_module.so"))
COMMAND = os.environ.get("GATEHOUSE_COMMAND", str(BUILD / "gatehouse"))
PRELOAD = os.environ.get("GATEHOUSE_PRELOAD", "")       # libasan, for the sanitizer run
SLOW = 3 if PRELOAD else 1                              # sanitizers and waiting times
EDITS = {"policy apply", "policy rollback", "policy wait", "key create", "key import", "key rotate", "key revoke", "restore", "backup"}
BAD_LINE = re.compile(r"\[(alert|emerg|crit)\]|Sanitizer|runtime error:")


def nginx_version():
    text = subprocess.run([NGINX, "-v"], capture_output=True, text=True).stderr
    return tuple(int(part) for part in re.search(r"nginx/([\d.]+)", text).group(1).split("."))


class Backend:
    """
    A gatehouse_backend and its upstream group. `peer`: a MockBackend or "address:port"; `resolve`: NAME:PORT instead. Its times are longer than a busy machine
    makes a mock backend wait: a test of a silent one gives shorter ones.
    """

    def __init__(self, name, peer=None, tls=None, credential=None, resolve=None, keepalive=4, group=None, ca=None, lines=(),
                 connect="10s", read="40s"):
        self.peer = peer if credential and hasattr(peer, "callers") else None
        if self.peer and not self.peer.callers:
            self.peer.callers = Callers(lines)
        self.name, self.tls, self.credential, self.group = name, tls, credential, group or name.replace("-", "_")
        self.address = None if resolve else getattr(peer, "address", peer)       # None: whatever the name stands for
        source = f"gatehouse_resolve {resolve};" if resolve else f"server {getattr(peer, 'address', peer)};"
        self.upstream = f"upstream {self.group} {{ {source} " + (f"keepalive {keepalive};" if keepalive else "") + " }"
        inner = [f"upstream {self.group};", f"connect_timeout {connect};", f"read_timeout {read};", "send_timeout 40s;", *lines]
        if tls:
            inner.append(f"tls {tls};")
        if ca:
            inner.append(f"trusted_certificate {ca};")
        if credential:
            inner.append(f"credential file:{name};")
        self.block = f"gatehouse_backend {name} {{ {' '.join(inner)} }}"


class Gateway:
    def __init__(self, backends, workers=1, http="", location="", body_buffer="16k", body_limit="4m", node="node-1", certificate=None,
                 audit=None, servers=(), shutdown="5s", user="www-data", body_timeout="40s"):
        self.root = os.geteuid() == 0
        self.prefix = pathlib.Path(tempfile.mkdtemp(prefix="gatehouse-e2e-", dir="/tmp"))
        self.prefix.chmod(0o755)
        (self.prefix / "logs").mkdir()      # some builds of nginx open logs/error.log before they read a word
        self.backends, self.workers, self.http, self.location = list(backends), workers, http, location
        self.body_buffer, self.body_limit, self.node, self.servers = body_buffer, body_limit, node, servers
        self.certificate, self.shutdown, self.user, self.body_timeout = certificate, shutdown, user, body_timeout
        self.port, self.tls_port = free_port(), free_port()
        self.server_ports = [free_port() for _ in servers]
        self.home, self.secrets = self.prefix / "home", self.prefix / "secrets"
        self.audit = pathlib.Path(audit) if audit else self.home / "audit"
        self.audit_second, self.audit_options = None, "segment=4m"
        self.conf, self.log = self.prefix / "nginx.conf", self.prefix / "error.log"
        self.process, self.keys, self.expected, self._log_at, self._applied = None, {}, [], 0, 0
        self.died, self.limited = set(), False
        self.revision, self.making = None, threading.Lock()
        self.trail = trail.Writer(MockBackend.directory, "gateway") if MockBackend.directory else trail.Silent()
        self.environment = {**os.environ, "GATEHOUSE_HOME": str(self.home), "GATEHOUSE_SECRETS": str(self.secrets),
                            "ASAN_OPTIONS": "detect_leaks=0:detect_odr_violation=0"}

    # ---- the command ----

    def command(self, *arguments, check=True, **more):
        arguments = [str(one) for one in arguments]
        edit = next((name for name in EDITS if " ".join(arguments[:2]).startswith(name) and "--help" not in arguments), None)
        given = self.prefix / arguments[2] if edit == "policy apply" and len(arguments) > 2 else None
        seen = {"documents": trail.documents_in(given), "scope": trail.scope_of(given)} if given else {}
        self.limited |= any('limits"' in one["text"] for one in seen.get("documents", ()))
        begin = time.time()
        done = subprocess.run([COMMAND, *arguments], capture_output=True, text=True, env=self.environment,
                              timeout=180, cwd=self.prefix, **more)
        if edit:
            self.trail.write("edit", command=edit, argv=arguments, begin=begin, end=time.time(), exit=done.returncode,
                             out=done.stdout[:4000] + done.stderr[:4000], **seen)
        if check:
            assert done.returncode == 0, f"gatehouse {' '.join(map(str, arguments))}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def init(self):
        owner = pwd.getpwuid(os.geteuid()).pw_name
        group = ["--group", "www-data"] if self.root else []
        self.command("init", "--user", owner, "--ledger-size", "16m", *group)
        for backend in self.backends:
            if backend.credential:
                self.credential(backend.name, backend.credential)
        return self

    def credential(self, name, secret):
        for backend in self.backends:
            if backend.name == name and backend.peer:
                backend.peer.callers.learn(secret)
        path = self.home / "cred" / name
        fresh = path.with_suffix(".new")
        fresh.write_text(secret + "\n")
        fresh.chmod(0o640)
        if self.root:
            shutil.chown(fresh, "root", "www-data")
        fresh.rename(path)

    def apply(self, *texts, check=True, options=("--cut",)):
        """Applies documents; without any, one that lets both tenants use every backend in the order given. What runs and is forbidden is cut."""
        texts = texts or (documents.fleet(*(documents.deployment(b.name, priority=i + 1) for i, b in enumerate(self.backends))),
                          documents.residency(), documents.tenants())
        self._applied += 1
        directory = self.prefix / f"policy-{self._applied}"
        directory.mkdir()
        for number, text in enumerate(texts):
            (directory / f"{number}.json").write_text(json.dumps(text, indent=1))
        done = self.command("policy", "apply", directory, "--author", "tests", "--reason", "tests", *options, check=check)
        if check:
            self.revision = int(re.search(r"revision (\d+)", done.stdout).group(1))
        return done

    def key(self, owner="acme/red/app", name=None, *options):
        """An API key, made once for each owner when no name is given. options: of `key create`."""
        if name:
            return self.command("key", "create", owner, name, *options).stdout.splitlines()[0].strip()
        with self.making:
            if owner not in self.keys:
                self.keys[owner] = self.command("key", "create", owner, "main").stdout.splitlines()[0].strip()
            return self.keys[owner]

    # ---- nginx ----

    def configuration(self):
        listen_tls = f"listen 127.0.0.1:{self.tls_port} default_server ssl{{reuse}};"
        if nginx_version() >= (1, 25, 1):
            listen_tls += " http2 on;"
        else:
            listen_tls = listen_tls.replace(" ssl", " ssl http2")
        reuse = " reuseport" if self.workers > 1 else ""
        tls = ""
        if self.certificate:
            tls = listen_tls.format(reuse=reuse) + f" ssl_certificate {self.certificate[0]}; ssl_certificate_key {self.certificate[1]};"
        temporary = "".join(f"{name}_temp_path {self.prefix}/tmp-{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        node = f"gatehouse_node {self.node};" if self.node else ""
        extra = "".join(f"server {{ listen 127.0.0.1:{port}{reuse}; location / {{ gatehouse on; {text} }} }}\n"
                        for port, text in zip(self.server_ports, self.servers))
        user = f"user {self.user};" if self.root else ""
        return f"""
load_module {MODULE};
{user}
worker_processes {self.workers};
worker_shutdown_timeout {self.shutdown};
error_log {self.log} info;
pid {self.prefix}/nginx.pid;
events {{ worker_connections 1024; }}
http {{
log_format e2e '$msec $status $gatehouse_request_id $gatehouse_org/$gatehouse_tenant/$gatehouse_app $gatehouse_model $gatehouse_deployment '
               '$gatehouse_attempts $gatehouse_tokens_in $gatehouse_tokens_out $gatehouse_decision $pid $gatehouse_cost';
access_log {self.prefix}/access.log e2e;
{temporary}
client_max_body_size {self.body_limit};
client_body_buffer_size {self.body_buffer};
client_body_timeout {self.body_timeout};
client_header_timeout 40s;
underscores_in_headers on;
gatehouse_home {self.home};
gatehouse_secrets {self.secrets};
gatehouse_audit {self.audit} {self.audit_second or ''} {self.audit_options};
{node}
{self.http}
{chr(10).join(b.upstream for b in self.backends)}
{chr(10).join(b.block for b in self.backends)}
server {{
    listen 127.0.0.1:{self.port}{reuse};
    {tls}
    location / {{ gatehouse on; {self.location} }}
}}
{extra}
}}
"""

    def write(self, text=None):
        self.conf.write_text(text or self.configuration())
        for directory in filter(None, (self.audit, self.audit_second)):
            MockBackend.records.add(directory / "open")
        self.trail.write("gateway", audit=str(self.audit), audit_second=self.audit_second and str(self.audit_second), node=self.node, log=str(self.log),
                         access=str(self.prefix / "access.log"), backends={one.name: one.address for one in self.backends})
        return self

    def excuse(self, *rules, reason):
        """For the rest of this test the auditor's complaints about these rules are expected."""
        self.trail.write("excuse", t=time.time(), rules=rules, reason=reason)

    def note_deaths(self):
        """For the auditor: workers that a signal ended, by the master's word."""
        for pid in {int(one) for one in re.findall(r"worker process (\d+) exited on signal", self.errors())} - self.died:
            self.died.add(pid)
            self.trail.write("died", pid=pid)

    def note_ledger(self, rest=False):
        """For the auditor: the counters, where documents have had limits. rest: nothing runs, and what died was recovered."""
        if self.limited:
            begin = time.time()
            shown = json.loads(self.command("ledger", "show", "--all", "--json").stdout)
            self.trail.write("ledger", t=begin, rest=rest, counters=shown["counters"], reservations=shown["reservations"])

    def test(self, text=None):
        """nginx -t."""
        self.write(text)
        environment = {**self.environment, **self._sanitizer()}
        return subprocess.run([NGINX, "-t", "-p", str(self.prefix), "-c", str(self.conf)], capture_output=True, text=True,
                              timeout=120, env=environment)

    def _sanitizer(self):
        if not PRELOAD:
            return {}
        return {"LD_PRELOAD": PRELOAD, "ASAN_OPTIONS": "detect_leaks=0:halt_on_error=1:detect_odr_violation=0",
                "UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1"}

    def start(self):
        self.write()
        self.stderr = open(self.prefix / "stderr.log", "ab")
        self.process = subprocess.Popen([NGINX, "-p", str(self.prefix), "-c", str(self.conf), "-g", "daemon off;"], stdin=subprocess.DEVNULL,
                                        stdout=self.stderr, stderr=self.stderr, env={**self.environment, **self._sanitizer()})
        end = time.monotonic() + 60 * SLOW
        while time.monotonic() < end:
            if self.process.poll() is not None:
                break
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                if len(self.worker_pids()) >= self.workers:
                    return self
            except OSError:
                pass
            time.sleep(0.01)
        raise AssertionError("nginx did not start:\n" + (self.prefix / "stderr.log").read_text() + self.errors())

    def all_there(self):
        """Waits until each worker that runs has its slot in the ledger: an edit waits for those that have one, and counts them."""
        slots = ledger.Slots(self)
        client.until(lambda: len(slots.alive()) >= self.workers)
        return self

    def worker_pids(self):
        """Workers that run now, old generations included: those that the log says were started and that still exist."""
        found = []
        for pid in sorted({int(one) for one in re.findall(r"start worker process (\d+)", self.errors())}):
            try:
                os.kill(pid, 0)
                found.append(pid)
            except ProcessLookupError:
                pass
        return found

    def burst(self, bodies, key, port=None):
        """
        Answers to requests that one worker finds all at once: it is stopped while they are sent, so that in the same turn of its
        event loop it connects many times and backends are ahead of it.
        """
        worker = self.worker_pids()[-1]
        count = lambda: len(os.listdir(f"/proc/{worker}/fd"))
        before, end = count(), time.monotonic() + 2
        clients = [client.Client(port or self.port) for _ in bodies]
        while count() < before + len(bodies) and time.monotonic() < end:       # until it has taken them: one at a time
            time.sleep(0.005)
        os.kill(worker, signal.SIGSTOP)
        try:
            for one, body in zip(clients, bodies):
                one.request(body=body, key=key)
            time.sleep(0.05)
        finally:
            os.kill(worker, signal.SIGCONT)
        try:
            return [one.answer() for one in clients]
        finally:
            for one in clients:
                one.leave()

    def reload(self, wait=True):
        before = set(self.worker_pids())
        self.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + 60 * SLOW
        while wait and time.monotonic() < end:
            now = set(self.worker_pids())
            if len(now - before) >= self.workers:
                time.sleep(0.05)
                return
            time.sleep(0.01)
        assert not wait, "no new workers after SIGHUP:\n" + self.errors()

    def stop(self, graceful=False):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT if graceful else signal.SIGTERM)
            try:
                self.process.wait(60 * SLOW)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise AssertionError("nginx did not stop") from None
            finally:
                self.stderr.close()
            self.trail.write("stopped", t=time.time())
        self.process = None

    def remove(self):
        try:
            self.stop()
        finally:
            MockBackend.records -= {self.audit / "open", self.audit_second and self.audit_second / "open"}
            self.trail.close()
            if not os.environ.get("GATEHOUSE_KEEP"):
                shutil.rmtree(self.prefix, ignore_errors=True)

    # ---- what it wrote ----

    def errors(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def expect_log(self, pattern):
        """A line of [alert], [emerg] or [crit] that this test causes on purpose."""
        self.expected.append(re.compile(pattern))

    def check_log(self):
        """Fails on every bad line since the last check, but the expected ones."""
        text = self.errors()
        if self.prefix.joinpath("stderr.log").exists():
            text_stderr = (self.prefix / "stderr.log").read_text(errors="replace")
        else:
            text_stderr = ""
        fresh, self._log_at = text[self._log_at:], len(text)
        bad = [line for line in (fresh + "\n" + text_stderr).splitlines()
               if BAD_LINE.search(line) and not any(one.search(line) for one in self.expected)]
        assert not bad, "error.log: " + "\n".join(bad[:20])

    def record(self, request_id=None, kinds=("outcome",), seconds=30):
        """The lines of one request in the order of the record (all lines without an id), once all `kinds` are there, or nothing more can come of it."""
        end = time.monotonic() + seconds * SLOW
        while True:
            lines = [line for line in records.lines(self.audit) if request_id in (None, line.get("id"))]
            over = request_id is not None and any(line["type"] == "lost" or line["type"] == "decision" and line["verdict"] == "deny" for line in lines)
            if {*kinds} <= {line["type"] for line in lines} or over or time.monotonic() > end:
                return lines
            time.sleep(0.02)

    def logged(self, *answers):
        """Waits until these are in the access log, which a worker writes once the client has the last byte: who kills it earlier leaves no trace of them there."""
        path = self.prefix / "access.log"
        client.until(lambda: {one.id for one in answers} <= {words[2] for words in map(str.split, path.read_text().splitlines()) if len(words) > 2})

    def outcome(self, request_id):
        found = [line for line in self.record(request_id) if line["type"] == "outcome"]
        assert len(found) == 1, f"{len(found)} outcome lines of {request_id}"
        return found[0]
