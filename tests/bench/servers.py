"""What is measured: nginx with the module, and the same nginx with proxy_pass alone; the same build, upstream, keepalive and buffers.

Each has one worker on one processor. The gateway has all of it in force: keys, limits, policy, both lines of the record for every request.
"""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import measure

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

from ports import free_port  # noqa: E402

NGINX = os.environ.get("GATEHOUSE_NGINX", "nginx")
MODULE = os.environ.get("GATEHOUSE_MODULE")
LEDGER = pathlib.Path("/dev/shm") if os.access("/dev/shm", os.W_OK) else pathlib.Path("/tmp")
REFUSAL = ('{"error":{"message":"Policy does not allow this request to be sent anywhere; the record says why.","type":"invalid_request_error",'
           '"param":null,"code":"residency_denied"}}')


class Nginx:
    """One nginx in a directory of its own. `http` is what its http block has besides what both have."""

    name = "nginx"

    def __init__(self, backend_port, load_module=""):
        self.prefix = measure.directory("gatehouse-bench-")
        self.port, self.backend_port, self.load_module = free_port(), backend_port, load_module
        self.environment, self.process, self.core, self.alone = dict(os.environ), None, 0, False

    def upstream(self, name="backend"):
        return f"upstream {name} {{ server 127.0.0.1:{self.backend_port}; keepalive 1024; keepalive_requests 1000000000; }}"

    def http(self):
        raise NotImplementedError

    def configuration(self):
        user = "user root root;" if os.geteuid() == 0 else ""
        temporary = "".join(f"{name}_temp_path {self.prefix}/tmp-{name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        return f"""
{self.load_module}
{user}
worker_processes 1;
worker_shutdown_timeout 60s;
worker_rlimit_nofile 16384;
error_log {self.prefix}/error.log warn;
pid {self.prefix}/nginx.pid;
events {{ worker_connections 8192; }}
http {{
access_log off;
{temporary}
client_max_body_size 32m;
client_body_buffer_size 256k;
keepalive_requests 1000000000;
keepalive_timeout 600s;
{self.http()}
}}
"""

    def start(self, core=0, under=()):
        """under: a command that runs it, in one process then, without a master."""
        self.core, self.alone = core, bool(under)
        (self.prefix / "nginx.conf").write_text(self.configuration())
        self.log = open(self.prefix / "stderr.log", "ab")
        self.process = measure.spawn([*under, shutil.which(NGINX) or "/usr/sbin/nginx", "-p", self.prefix, "-c", self.prefix / "nginx.conf", "-e", self.prefix / "error.log",
                                      "-g", "daemon off;" + (" master_process off;" if self.alone else "")], core, stdout=self.log, stderr=self.log, env=self.environment)
        end = time.monotonic() + (300 if self.alone else 120)
        while time.monotonic() < end and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                if self.workers():
                    time.sleep(0.2)
                    return self
            except OSError:
                pass
            time.sleep(0.02)
        raise SystemExit(f"{self.name} did not start:\n{(self.prefix / 'stderr.log').read_text()}{self.errors()}")

    def workers(self):
        return [self.process.pid] if self.alone else measure.children(self.process.pid)

    def all_pids(self):
        return sorted({self.process.pid, *self.workers()})

    def move(self, core):
        for pid in self.all_pids():
            measure.move(pid, core)

    def cpu(self):
        return measure.cpu_seconds(self.workers())

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def errors(self):
        path = self.prefix / "error.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def complaints(self):
        """Lines of the error log that say that something went wrong, which no measurement may have."""
        return [line for line in self.errors().splitlines() if re.search(r"\[(alert|emerg|crit|error)\]", line)]

    def clean(self):
        """Between rounds."""

    def stop(self):
        if self.process:
            measure.stop(self.process, signal.SIGTERM)
            self.log.close()
            self.process = None

    def quit(self):
        """Its processes end by themselves, or SystemExit: what they write at their end would not be there."""
        measure.stop(self.process, signal.SIGQUIT, 120)
        if self.process.returncode != 0 or "exited on signal" in self.errors():
            raise SystemExit(f"{self.name} ended with {self.process.returncode}:\n{self.errors()[-2000:]}")
        self.log.close()
        self.process = None

    def remove(self):
        self.stop()
        if not os.environ.get("GATEHOUSE_KEEP"):
            shutil.rmtree(self.prefix, ignore_errors=True)


class Plain(Nginx):
    """proxy_pass and nothing else. Buffering is off, as it has to be for streams; it is quicker so for short answers too."""

    name = "plain nginx"

    def http(self):
        return f"""
{self.upstream()}
server {{
    listen 127.0.0.1:{self.port} backlog=4096;
    location / {{
        proxy_pass http://backend;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_buffering off;
        proxy_buffer_size 8k;
    }}
}}
"""


class Returns(Nginx):
    """`return`, with a body as long as a refusal's."""

    name = "nginx return"

    def http(self):
        return f"""
server {{
    listen 127.0.0.1:{self.port} backlog=4096;
    location / {{ default_type application/json; return 403 '{REFUSAL}'; }}
}}
"""


class Gateway(Nginx):
    """The module, its policy from a prepared home, its ledger on a tmpfs, its record where `record` says."""

    name = "gateway"

    def __init__(self, backend_port, home, build, record, ledger_size="64m", node="n1"):
        module = MODULE or str(build / "ngx_http_gatehouse_module.so")
        super().__init__(backend_port, f"load_module {module};")
        self.home, self.node = home, node
        self.shared = measure.directory("gatehouse-bench-", LEDGER)
        self.ledger = self.shared / "ledger"
        home.init(self.ledger, ledger_size)
        self.environment = dict(home.environment)
        self.audit = measure.directory("audit-", record)
        (self.audit / "open").mkdir()

    def http(self):
        return f"""
underscores_in_headers on;
gatehouse_home {self.home.home};
gatehouse_secrets {self.home.directory}/secrets;
gatehouse_ledger {self.ledger};
gatehouse_audit {self.audit} sync=written;
gatehouse_node {self.node};
{self.upstream("gpu")}
gatehouse_backend gpu {{ upstream gpu; }}
server {{
    listen 127.0.0.1:{self.port} backlog=4096;
    location / {{ gatehouse on; }}
}}
"""

    def clean(self):
        """The record of the rounds before: sealed or not, nobody reads it. The newest file of each writer stays, it is being written."""
        files = sorted((self.audit / "open").iterdir(), key=lambda path: path.stat().st_mtime)
        for path in files[:-2]:
            path.unlink(missing_ok=True)

    def record_lines(self):
        return sum(int(subprocess.run(["grep", "-c", "", str(path)], capture_output=True, text=True).stdout or 0)
                   for path in (self.audit / "open").iterdir())

    def remove(self):
        super().remove()
        shutil.rmtree(self.audit, ignore_errors=True)
        shutil.rmtree(self.shared, ignore_errors=True)
