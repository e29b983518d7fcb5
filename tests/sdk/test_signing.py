"""
The SDKs of Bedrock with an access key of the gateway's, which sign as AWS has it: with nothing but their endpoint changed they have in the end what they have with a
key of the gateway's, and every backend is sent the same, whatever dialect it speaks.
"""
import json

import pytest

import clients
import matrix
import scenarios
from site_of import DEPLOYMENTS

SIGN = ("converse", "invoke", "AnthropicBedrock")
PAIRS = [(client, deployment) for client, deployment in matrix.SERVED if client in SIGN]
SCENARIOS = ("text", "a tool, and its call")


@pytest.fixture(scope="session")
def keys(session_site):
    made = json.loads(session_site.gateway.command("key", "create", "acme/red/app", "signing", "--aws", "--json").stdout)
    return made["access_key_id"], made["secret_access_key"]


def test_every_sdk_that_signs_is_here():
    assert {client for client, kind in matrix.CLIENTS.items() if issubclass(kind, (clients.Boto, clients.Invoke))} == set(SIGN)


@pytest.mark.parametrize("streamed", [False, True], ids=["plain", "streamed"])
@pytest.mark.parametrize("client,deployment", PAIRS)
def test_signed(site, keys, client, deployment, streamed):
    kind = matrix.CLIENTS[client]
    for name in SCENARIOS:
        row = scenarios.row(name)
        provider = site.of(deployment).says(row["answer"])
        body = {**matrix.written(client, row), "model": "to-" + deployment}
        told = [sdk.told(body, streamed) for sdk in (site.through(kind), site.made(kind, site.address, keys))]
        assert told[1] == told[0] == scenarios.expected(row["answer"], client, DEPLOYMENTS[deployment].dialect) and not provider.refused
        bearer, signed = provider.arrived
        assert signed.json == bearer.json
        assert keys[0] not in str(signed.headers)       # of the client's signature nothing goes along
