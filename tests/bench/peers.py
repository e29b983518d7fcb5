"""Other gateways in the same run, each in front of the same backend on the same processor: 1 KB, not streamed, 32 connections.

They are installed into build/peers with their ordinary clients, never into the system, and only when this part is named; what cannot be had is skipped, with
the reason. "governed" is what a peer offers of that kind: it does less than the gateway's policy, limits and record, and often nothing of a kind.
"""

import json
import os
import pathlib
import shutil
import socket
import subprocess
import time

import measure
from measure import Figure
from servers import NGINX, free_port

ROOT = pathlib.Path(__file__).resolve().parents[2]
HOME = ROOT / "build" / "peers"
NPM = {"@portkey-ai/gateway": "1.15.2", "@hono/node-server": "1.13.8", "@ferro-labs-ai/gateway-linux-x64": "1.5.9"}
LITELLM = "1.80.0"
GO = {"bifrost": "github.com/maximhq/bifrost/transports/bifrost-http@latest", "gomodel": "github.com/enterpilot/gomodel/cmd/gomodel@latest"}
KEY = "fgw_0123456789abcdef0123456789abcdef"


class Missing(Exception):
    """Why a peer is not measured."""


def run(arguments, cwd, seconds=600, **more):
    try:
        done = subprocess.run([str(one) for one in arguments], cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=seconds, **more)
    except FileNotFoundError:
        raise Missing(f"{arguments[0]} is not installed") from None
    except subprocess.TimeoutExpired:
        raise Missing(f"{arguments[0]} did not end within {seconds} s") from None
    (HOME / f"{pathlib.Path(str(arguments[0])).name}.log").write_text(done.stdout)
    if done.returncode != 0:
        raise Missing(f"{' '.join(map(str, arguments[:2]))} ended with {done.returncode}: see build/peers/{pathlib.Path(str(arguments[0])).name}.log")
    return done.stdout


def once(name, make):
    """Installed before, or now."""
    mark = HOME / f"{name}.installed"
    if not mark.exists():
        HOME.mkdir(parents=True, exist_ok=True)
        make()
        mark.touch()


def debian(names):
    """Packages and what they need, unpacked beside the system instead of into it."""
    def make():
        debs = HOME / "debs"
        debs.mkdir(exist_ok=True)
        found = run(["apt-get", "install", "-s", "--no-install-recommends", *names], debs)
        wanted = [line.split()[1] for line in found.splitlines() if line.startswith("Inst ")]
        run(["apt-get", "download", *(wanted or names)], debs)
        for path in debs.glob("*.deb"):
            run(["dpkg", "-x", path, HOME / "root"], debs)
    once("debian", make)
    return HOME / "root"


def libraries(root):
    """Where the unpacked packages have theirs."""
    return {"LD_LIBRARY_PATH": ":".join(str(path) for folder in ("usr/lib", "lib") for path in (root / folder).glob("*-linux-gnu"))}


def npm():
    def make():
        where = HOME / "npm"
        where.mkdir(exist_ok=True)
        (where / "package.json").write_text(json.dumps({"private": True, "dependencies": NPM,
                                                        "overrides": {"@hono/node-server": "$@hono/node-server"}}))
        run(["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund"], where)
    once("npm", make)
    return HOME / "npm" / "node_modules"


class Peer:
    """One process and its children on the worker's processor. `headers` go with each request."""

    headers = ""
    key = KEY

    def __init__(self, name, backend_port):
        self.name, self.backend_port, self.port = name, backend_port, free_port()
        self.prefix, self.process = measure.directory("gatehouse-peer-"), None

    def command(self):
        raise NotImplementedError

    def environment(self):
        return {}

    def start(self, core=0):
        self.log = open(self.prefix / "log", "ab")
        self.process = measure.spawn(self.command(), core, stdout=self.log, stderr=self.log, cwd=self.prefix,
                                     env={**os.environ, "HOME": str(self.prefix), **self.environment()})
        end = time.monotonic() + 90
        while time.monotonic() < end and self.process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                time.sleep(1)
                return self
            except OSError:
                time.sleep(0.1)
        raise Missing("it did not start: " + (self.prefix / "log").read_text(errors="replace")[-300:].replace("\n", " "))

    def cpu(self):
        return measure.cpu_seconds(measure.family(self.process.pid))

    def clean(self):
        """Between rounds."""

    def complaints(self):
        return []

    def stop(self):
        for pid in measure.family(self.process.pid)[1:] if self.process and self.process.poll() is None else []:
            os.kill(pid, 15)
        measure.stop(self.process)
        self.log.close()

    def remove(self):
        shutil.rmtree(self.prefix, ignore_errors=True)


class Haproxy(Peer):
    """Governed: a key must stand in a map, and has a rate in a stick table."""

    def __init__(self, backend_port, governed):
        super().__init__("HAProxy" + (", governed" if governed else ""), backend_port)
        self.root, self.governed = debian(["haproxy", "libnginx-mod-http-lua", "lua-cjson"]), governed

    def environment(self):
        return libraries(self.root)

    def command(self):
        keys = self.prefix / "keys.acl"
        keys.write_text("".join(f"Bearer other-{n}\n" for n in range(1000)) + f"Bearer {KEY}\n")
        rules = f"""
    acl known req.hdr(authorization) -f {keys}
    http-request deny deny_status 401 unless known
    stick-table type string len 64 size 1m expire 60s store http_req_rate(60s)
    http-request track-sc0 req.hdr(authorization)
    http-request deny deny_status 429 if {{ sc_http_req_rate(0) gt 1000000000 }}""" if self.governed else ""
        (self.prefix / "haproxy.cfg").write_text(f"""
global
    nbthread 1
    maxconn 4096
defaults
    mode http
    option http-no-delay
    option http-keep-alive
    http-reuse always
    timeout connect 5s
    timeout client 60s
    timeout server 60s
frontend in
    bind 127.0.0.1:{self.port}{rules}
    default_backend out
backend out
    server one 127.0.0.1:{self.backend_port}
""")
        return [self.root / "usr/sbin/haproxy", "-db", "-f", self.prefix / "haproxy.cfg"]


class Lua(Peer):
    """nginx with its Lua module. Governed: key looked up, body decoded, model checked, counters in a shared dictionary, a line logged. Else proxy_pass."""

    def __init__(self, backend_port, governed):
        super().__init__("nginx with Lua" + (", governed" if governed else ""), backend_port)
        self.root, self.governed = debian(["haproxy", "libnginx-mod-http-lua", "lua-cjson"]), governed

    def environment(self):
        return libraries(self.root)

    ACCESS = """
        access_by_lua_block {
            local key = ngx.var.http_authorization
            local tenant = key and ngx.shared.keys:get(key)
            if not tenant then return ngx.exit(401) end
            ngx.req.read_body()
            local body = cjson.decode(ngx.req.get_body_data())
            if not allowed[body.model] then return ngx.exit(403) end
            local used = ngx.shared.counters
            for _, name in ipairs(scopes) do
                if used:incr(tenant .. name, 1, 0) > 1e12 then return ngx.exit(429) end
            end
            body.model = allowed[body.model]
            ngx.req.set_body_data(cjson.encode(body))
            ngx.ctx.line = {tenant = tenant, model = body.model, at = ngx.now(), id = ngx.var.request_id}
        }
        body_filter_by_lua_block {
            ngx.ctx.answer = (ngx.ctx.answer or "") .. (ngx.arg[1] or "")
            if ngx.arg[2] then
                local done, answer = pcall(cjson.decode, ngx.ctx.answer)
                ngx.ctx.usage = done and answer.usage
            end
        }
        log_by_lua_block {
            local line = ngx.ctx.line
            if not line then return end
            line.usage, line.status = ngx.ctx.usage, ngx.status
            record:write(cjson.encode(line), "\\n")
            record:flush()
            ngx.shared.counters:incr(line.tenant .. "tokens", (line.usage or {}).total_tokens or 0, 0)
        }
"""

    def command(self):
        modules = self.root / "usr/lib/nginx/modules"
        lua = self.root / "usr/share/lua/5.1"
        temporary = "".join(f"{name}_temp_path {self.prefix}/tmp-{name}; " for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        (self.prefix / "nginx.conf").write_text(f"""
load_module {modules}/ndk_http_module.so;
load_module {modules}/ngx_http_lua_module.so;
{"user root root;" if os.geteuid() == 0 else ""}
worker_processes 1;
error_log {self.prefix}/error.log warn;
pid {self.prefix}/nginx.pid;
events {{ worker_connections 4096; }}
http {{
access_log off;
{temporary}
client_body_buffer_size 256k;
keepalive_requests 1000000000;
lua_package_path "{lua}/?.lua;;";
lua_package_cpath "{self.root}/usr/lib/x86_64-linux-gnu/lua/5.1/?.so;;";
lua_shared_dict keys 16m;
lua_shared_dict counters 64m;
init_worker_by_lua_block {{
    cjson = require "cjson.safe"
    allowed = {{}}
    for n = 0, 7 do allowed["model-" .. n] = "m" .. n end
    scopes = {{"requests-minute", "requests-day", "tokens-minute", "tokens-day", "dollars", "flight"}}
    for n = 1, 1000 do ngx.shared.keys:set("Bearer other-" .. n, "tenant-" .. n) end
    ngx.shared.keys:set("Bearer {KEY}", "tenant-x")
    record = io.open("{self.prefix}/record.jsonl", "a")
}}
upstream backend {{ server 127.0.0.1:{self.backend_port}; keepalive 1024; keepalive_requests 1000000000; }}
server {{
    listen 127.0.0.1:{self.port} backlog=4096;
    location / {{
        {self.ACCESS if self.governed else ""}
        proxy_pass http://backend;
        proxy_http_version 1.1;
        proxy_set_header Connection "";
        proxy_buffering off;
    }}
}}
}}
""")
        return [NGINX, "-p", self.prefix, "-c", self.prefix / "nginx.conf", "-e", self.prefix / "error.log", "-g", "daemon off;"]


class Portkey(Peer):
    """Governed: a default guardrail over each request."""

    def __init__(self, backend_port, governed):
        super().__init__("Portkey" + (", governed" if governed else ""), backend_port)
        self.modules = npm()
        custom = f"http://127.0.0.1:{backend_port}/v1"
        lines = ["x-portkey-provider: openai", f"x-portkey-custom-host: {custom}"]
        if governed:
            lines = ["x-portkey-config: " + json.dumps({"provider": "openai", "custom_host": custom, "api_key": "x", "input_guardrails": [
                {"default.wordCount": {"minWords": 1, "maxWords": 100000}, "deny": True}]}, separators=(",", ":"))]
        self.headers = "\r\n".join(lines)

    def command(self):
        return ["node", self.modules / "@portkey-ai/gateway/build/start-server.js", f"--port={self.port}", "--headless"]


class Ferro(Peer):
    """Governed: its plugins that limit requests, look for words, and log."""

    def __init__(self, backend_port, governed):
        super().__init__("Ferro" + (", governed" if governed else ""), backend_port)
        self.modules, self.governed = npm(), governed

    def environment(self):
        return {"PORT": str(self.port), "OPENAI_API_KEY": "x", "OPENAI_BASE_URL": f"http://127.0.0.1:{self.backend_port}", "MASTER_KEY": KEY,
                "GATEWAY_CONFIG": str(self.prefix / "config.json"), "GOMAXPROCS": "1", "LOG_LEVEL": "error",
                "RATE_LIMIT_RPS": "1000000000", "RATE_LIMIT_BURST": "1000000000"}

    def command(self):
        plugins = [{"name": "word-filter", "type": "guardrail", "stage": "before_request", "enabled": True, "config": {"blocked_words": ["zzzz"]}},
                   {"name": "max-token", "type": "guardrail", "stage": "before_request", "enabled": True, "config": {"max_tokens": 100000}},
                   {"name": "request-logger", "type": "logging", "stage": "before_request", "enabled": True, "config": {"level": "info"}}]
        (self.prefix / "config.json").write_text(json.dumps({"strategy": {"mode": "single"}, "targets": [{"virtual_key": "openai"}],
                                                             "aliases": {"model-0": "gpt-4o-mini"}, **({"plugins": plugins} if self.governed else {})}))
        return [self.modules / "@ferro-labs-ai/gateway-linux-x64/ferrogw", "serve"]


class LiteLLM(Peer):
    """Governed: a master key, and a rate in memory. (Its budgets need PostgreSQL, which is not set up here.)"""

    key = "sk-0123456789abcdef"

    def __init__(self, backend_port, governed):
        super().__init__("LiteLLM" + (", governed" if governed else ""), backend_port)
        self.governed = governed

        def make():
            run(["/usr/bin/python3", "-m", "venv", HOME / "litellm"], HOME)
            run([HOME / "litellm/bin/pip", "install", "-q", f"litellm[proxy]=={LITELLM}"], HOME, 900)
        once("litellm", make)

    def command(self):
        model = {"model_name": "model-0", "litellm_params": {"model": "openai/m0", "api_base": f"http://127.0.0.1:{self.backend_port}/v1", "api_key": "x"}}
        if self.governed:
            model["litellm_params"].update(rpm=10 ** 9, tpm=10 ** 12)
        (self.prefix / "config.yaml").write_text(json.dumps({"model_list": [model], **({"general_settings": {"master_key": self.key}} if self.governed else {})}))
        return [HOME / "litellm/bin/litellm", "--config", self.prefix / "config.yaml", "--host", "127.0.0.1", "--port", self.port, "--num_workers", 1]


def go_peer(name):
    """Of the two that are Go modules: installed, or the reason why not."""
    def make():
        run(["go", "install", GO[name]], HOME, 600, env={**os.environ, "GOPATH": str(HOME / "go"), "GOBIN": str(HOME / "bin"), "GOFLAGS": "-modcacherw"})
    once(name, make)
    raise Missing("it could be installed, but nobody has written yet how it is configured: tests/bench/peers.py")


WANTED = {"Portkey": 40, "Ferro": 6, "nginx with Lua, governed": 2.5}      # times the gateway's requests/s, at least


def measure_one(bench, peer, gateway):
    """Rounds by turns with the gateway: (peer's requests/s, gateway's)."""
    found = {peer: [], gateway: []}
    for _ in range(max(2, bench.rounds - 2)):
        for server, options in ((peer, {"key": peer.key, "header": peer.headers or None}), (gateway, bench.callers())):
            cpu, begun = server.cpu(), time.monotonic()
            result = bench.tools.load("closed", server.port, 1, connections=32, awake=True, seconds=2 if bench.quick else 4, size=1000, **options)
            if not result["ok"] or result["other"] or result["cut"]:
                raise Missing(f"{result['ok']} good answers, {result['other']} others (the last one {result['other_status']}), {result['cut']} cut")
            found[server].append((result["ok"] / result["seconds"], (server.cpu() - cpu) * 1e6 / result["ok"], (server.cpu() - cpu) / (time.monotonic() - begun)))
            server.clean()
    return found[peer], found[gateway]


def peers(bench):
    """Requests a second of one processor, beside the gateway with everything in force."""
    port, _ = bench.backend()
    gateway = bench.gateway(port)
    for kind in (Haproxy, Lua, Portkey, Ferro, LiteLLM):
        for governed in (False, True):
            name = kind.__name__ + (", governed" if governed else "")
            try:
                peer = kind(port, governed)
                bench.running.append(peer)
                peer.start(0)
                other, own = measure_one(bench, peer, gateway)
            except Missing as why:
                bench.skip(f"peers: {name}", str(why))
                continue
            finally:
                if bench.running[-1] is not gateway:
                    over = bench.running.pop()
                    over.stop()
                    over.remove()
            # By processor time: on a machine that does something else too, requests a second are of what was left.
            bench.add("peers", f"requests/s per core, {peer.name}", "/s", Figure(1e6 / x[1] for x in other), Figure(1e6 / x[1] for x in own),
                      Figure(y[1] and x[1] / y[1] for x, y in zip(other, own)), least=WANTED.get(peer.name), names=("peer", "gateway"),
                      note=f"by the clock {measure.median(x[0] for x in other):.0f} and {measure.median(x[0] for x in own):.0f}")
    for name in GO:
        try:
            go_peer(name)
        except Missing as why:
            bench.skip(f"peers: {name}", str(why))
