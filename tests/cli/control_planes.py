"""
The control planes of the clouds, as servers of the test: what they answer is written down here by the APIs' published references. Every answer of Bedrock is
held against botocore's model of the service, and every request has to be signed as botocore would sign it.
"""

import http.server
import json
import sys
import threading
import urllib.parse
from pathlib import Path

import botocore.parsers
import botocore.session

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
import signature  # noqa: E402

ACCOUNT = "123456789012"
KEYS = {"AKIDREADONLY": ("wJalrXUtnFEMI/K7MDENG", "session-token-of-the-role")}
SERVICE = botocore.session.get_session().get_service_model("bedrock")


def fits(value, shape, where):
    """A value of the answer against the model: nothing missing, nothing that is not documented, no other types."""
    kinds = {"structure": dict, "list": list, "string": str, "timestamp": str, "integer": int, "long": int, "boolean": bool}
    assert isinstance(value, kinds[shape.type_name]), f"{where}: {value!r} is no {shape.type_name}"
    if shape.type_name == "structure":
        assert set(shape.required_members) <= set(value), f"{where}: {set(shape.required_members) - set(value)} missing"
        assert set(value) <= set(shape.members), f"{where}: {set(value) - set(shape.members)} is not in the model"
        for name, member in value.items():
            fits(member, shape.members[name], f"{where}.{name}")
    elif shape.type_name == "list":
        for index, item in enumerate(value):
            fits(item, shape.member, f"{where}[{index}]")
    elif shape.type_name == "string" and getattr(shape, "enum", None):
        assert value in shape.enum, f"{where}: {value!r} is none of {shape.enum}"


def documented(operation, answer):
    """The answer's bytes, which are what the service's model says, and which botocore reads to the same."""
    shape = SERVICE.operation_model(operation).output_shape
    fits(answer, shape, operation)
    body = json.dumps(answer).encode()
    parsed = botocore.parsers.create_parser("rest-json").parse({"status_code": 200, "headers": {}, "body": body}, shape)
    assert set(answer) <= set(parsed)
    return body


class Server:
    """answer(method, path, query, headers) -> (status, headers, body); requests are kept. Use as a context manager."""

    def __init__(self, answer):
        self.requests, outer = [], self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *arguments):
                pass

            def do_GET(self):
                url = urllib.parse.urlsplit(self.path)
                query = dict(urllib.parse.parse_qsl(url.query))
                outer.requests.append((self.command, self.path, dict(self.headers.items())))
                status, headers, body = answer(self, url.path, query)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self):
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()


# ---- Amazon Bedrock ----

def model(name, provider="Anthropic", inputs=("TEXT",), outputs=("TEXT",), on_demand=True, region="eu-central-1", status="ACTIVE"):
    return {"modelArn": f"arn:aws:bedrock:{region}::foundation-model/{name}", "modelId": name, "modelName": name[:20], "providerName": provider,
            "inputModalities": list(inputs), "outputModalities": list(outputs), "responseStreamingSupported": True, "customizationsSupported": [],
            "inferenceTypesSupported": ["ON_DEMAND"] if on_demand else ["PROVISIONED"], "modelLifecycle": {"status": status}}


def profile(identifier, name, regions, kind="SYSTEM_DEFINED", home="eu-central-1", title=None):
    resource = "inference-profile" if kind == "SYSTEM_DEFINED" else "application-inference-profile"
    return {"inferenceProfileName": title or identifier[:64], "description": "routes requests", "createdAt": "2026-03-01T00:00:00Z",
            "updatedAt": "2026-03-02T00:00:00Z", "inferenceProfileArn": f"arn:aws:bedrock:{home}:{ACCOUNT}:{resource}/{identifier}",
            "models": [{"modelArn": f"arn:aws:bedrock:{region}::foundation-model/{name}"} for region in regions],
            "inferenceProfileId": identifier, "status": "ACTIVE", "type": kind}


def throughput(name, of, home="eu-central-1", status="InService"):
    arn = f"arn:aws:bedrock:{home}::foundation-model/{of}"
    return {"provisionedModelName": name, "provisionedModelArn": f"arn:aws:bedrock:{home}:{ACCOUNT}:provisioned-model/{name}0", "modelArn": arn,
            "desiredModelArn": arn, "foundationModelArn": arn, "modelUnits": 1, "desiredModelUnits": 1, "status": status,
            "creationTime": "2026-03-01T00:00:00Z", "lastModifiedTime": "2026-03-01T00:00:00Z"}


LOGGED = {"cloudWatchConfig": {"logGroupName": "/bedrock", "roleArn": f"arn:aws:iam::{ACCOUNT}:role/logs"}, "textDataDeliveryEnabled": True,
          "imageDataDeliveryEnabled": False, "embeddingDataDeliveryEnabled": False}


class Region:
    """What one region says. Members may be replaced by (status, type, message) of an error, or by bytes."""

    def __init__(self, models=(), profiles=(), application=(), provisioned=(), mode="none", logging=None, page=1000):
        self.models, self.profiles, self.application, self.provisioned = models, profiles, application, provisioned
        self.mode, self.logging, self.page = mode, logging, page
        self.override = {}

    def listed(self, operation, member, items, query):
        """A page of a list."""
        begin = int(query.get("nextToken", "page/0").removeprefix("page/"))
        answer = {member: list(items[begin:begin + self.page])}
        if begin + self.page < len(items):
            answer["nextToken"] = f"page/{begin + self.page}"
        return documented(operation, answer)

    def answer(self, path, query):
        """(operation, body)"""
        if path == "/foundation-models":
            return "ListFoundationModels", documented("ListFoundationModels", {"modelSummaries": list(self.models)})
        if path == "/inference-profiles":
            items = self.application if query.get("type") == "APPLICATION" else self.profiles
            return "ListInferenceProfiles", self.listed("ListInferenceProfiles", "inferenceProfileSummaries", items, query)
        if path.startswith("/inference-profiles/"):
            wanted = urllib.parse.unquote(path.rsplit("/", 1)[1])
            found = [item for item in self.profiles if item["inferenceProfileId"] == wanted]
            return "GetInferenceProfile", documented("GetInferenceProfile", found[0]) if found else None
        if path == "/provisioned-model-throughputs":
            return "ListProvisionedModelThroughputs", self.listed("ListProvisionedModelThroughputs", "provisionedModelSummaries", self.provisioned, query)
        if path == "/logging/modelinvocations":
            return "GetModelInvocationLoggingConfiguration", documented(
                "GetModelInvocationLoggingConfiguration", {"loggingConfig": self.logging} if self.logging else {})
        if path == "/data-retention":
            return "GetAccountDataRetention", documented("GetAccountDataRetention", {"mode": self.mode, "updatedAt": "2026-10-01T00:00:00Z"})
        return None, None


def bedrock(regions):
    """A server for all regions: which one is asked stands in the signature's scope."""
    def refusal(status, kind, text):
        return status, {"x-amzn-errortype": kind, "content-type": "application/json", "x-amzn-requestid": "deadbeef"}, json.dumps({"message": text}).encode()

    def answer(handler, path, query):
        wrong = signature.verify(handler.command, handler.path, list(handler.headers.items()), b"", KEYS)
        if wrong:
            return refusal(403, "InvalidSignatureException", wrong)
        region = regions[signature.AUTHORIZATION.fullmatch(handler.headers["authorization"]).group(3)]
        operation, body = region.answer(path, query)
        replaced = region.override.get(operation)
        if callable(replaced):
            replaced = replaced(query)
        if isinstance(replaced, tuple):
            return refusal(*replaced)
        body = replaced if replaced is not None else body
        if body is None:
            return refusal(404, "ResourceNotFoundException", "no such thing")
        return 200, {"content-type": "application/json", "x-amzn-requestid": f"req-{operation}"}, body

    return Server(answer)


# ---- Azure Resource Manager ----

SUBSCRIPTION = "0b1f6471-1bf0-4dda-aec3-111122223333"
TOKEN = "eyJ0eXAiOiJKV1QifQ.e30.read-only"


def account_id(name, subscription=SUBSCRIPTION):
    return f"/subscriptions/{subscription}/resourceGroups/ai/providers/Microsoft.CognitiveServices/accounts/{name}"


def account(name, location="swedencentral", logging=None, kind="OpenAI", subscription=SUBSCRIPTION, **properties):
    """As Accounts_List answers; logging: the value of the capability ContentLogging, None: it is not there."""
    capabilities = [{"name": "VirtualNetworks"}, {"name": "CustomerManagedKey"}, {"name": "MaxFineTuneCount", "value": "500"}]
    if logging is not None:
        capabilities.append({"name": "ContentLogging", "value": logging})
    return {"id": account_id(name, subscription), "name": name, "type": "Microsoft.CognitiveServices/accounts", "location": location, "kind": kind,
            "etag": '"8a00"', "sku": {"name": "S0"}, "tags": {},
            "systemData": {"createdBy": "a@b.example", "createdByType": "User", "createdAt": "2026-01-02T00:00:00Z"},
            "properties": {"endpoint": f"https://{name}.openai.azure.com/", "provisioningState": "Succeeded", "internalId": "ab12", "isMigrated": False,
                           "dateCreated": "2026-01-02T00:00:00.1Z", "customSubDomainName": name, "publicNetworkAccess": "Enabled",
                           "networkAcls": {"defaultAction": "Allow", "virtualNetworkRules": [], "ipRules": []}, "privateEndpointConnections": [],
                           "capabilities": capabilities, "endpoints": {"OpenAI Language Model Instance API": f"https://{name}.openai.azure.com/"},
                           **properties}}


CHAT = {"chatCompletion": "true", "responses": "true", "area": "EUR", "maxContextToken": "1047576", "maxOutputToken": "32768"}


def deployment(name, of, model_name="gpt-4.1", sku="Standard", format="OpenAI", capabilities=CHAT, state="Succeeded", **properties):
    """As Deployments_List answers."""
    return {"id": f"{account_id(of)}/deployments/{name}", "name": name, "type": "Microsoft.CognitiveServices/accounts/deployments", "etag": '"1"',
            "sku": {"name": sku, "capacity": 50},
            "properties": {"model": {"format": format, "name": model_name, "version": "2025-04-14"}, "versionUpgradeOption": "NoAutoUpgrade",
                           "currentCapacity": 50, "provisioningState": state, "raiPolicyName": "Microsoft.DefaultV2",
                           "capabilities": dict(capabilities), "rateLimits": [{"key": "request", "renewalPeriod": 60, "count": 50}], **properties}}


class Arm:
    """subscriptions: {id: {account: [deployments]}}, the accounts as JSON text of what account() made, in order."""

    def __init__(self, accounts, page=100, subscriptions=None):
        self.accounts, self.page, self.override, self.asked = accounts, page, {}, []
        self.subscriptions = subscriptions or [SUBSCRIPTION]

    def listed(self, items, path, query, origin):
        begin = int(query.get("$skiptoken", "0"))
        answer = {"value": items[begin:begin + self.page]}
        if begin + self.page < len(items):
            answer["nextLink"] = f"{origin}{path}?api-version={query['api-version']}&%24skiptoken={begin + self.page}"
        return answer

    def answer(self, path, query, origin):
        """(operation, answer)"""
        parts = path.strip("/").split("/")
        if path == "/subscriptions":
            return "Subscriptions_List", {"value": [{"id": f"/subscriptions/{one}", "subscriptionId": one, "displayName": "AI", "state": "Enabled",
                                                     "tenantId": "t"} for one in self.subscriptions], "count": {"type": "Total", "value": 1}}
        if len(parts) == 5 and parts[4] == "accounts":
            return "Accounts_List", self.listed([one for one, _ in self.accounts if one["id"].split("/")[2] == parts[1]], path, query, origin)
        if parts[-1] == "deployments":
            found = [items for one, items in self.accounts if one["id"] == path.removesuffix("/deployments")]
            return "Deployments_List", self.listed(found[0], path, query, origin) if found else None
        return None, None

    def serve(self):
        def refusal(status, code, text):
            return status, {"content-type": "application/json", "x-ms-request-id": "arm-0"}, json.dumps({"error": {"code": code, "message": text}}).encode()

        def answer(handler, path, query):
            if handler.headers.get("authorization") != f"Bearer {TOKEN}":
                return refusal(401, "InvalidAuthenticationToken", "The access token is invalid.")
            if "api-version" not in query:
                return refusal(400, "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required for all requests.")
            operation, body = self.answer(path, query, f"http://{handler.headers['host']}")
            replaced = self.override.get(operation)
            if callable(replaced):
                replaced = replaced(query, f"http://{handler.headers['host']}")
            if isinstance(replaced, tuple):
                return refusal(*replaced)
            if replaced is not None:
                body = replaced
            if body is None:
                return refusal(404, "ResourceNotFound", "not found")
            return 200, {"content-type": "application/json; charset=utf-8", "x-ms-request-id": f"arm-{operation}"}, \
                body if isinstance(body, bytes) else json.dumps(body).encode()

        return Server(answer)
