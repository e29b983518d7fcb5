"""
Client and backend speak different dialects. What the client's SDK has in the end is what the scenario's data say, in words of no dialect; what the backend
got is what its dialect's own writer makes of the same conversation; what cannot be asked there is refused by the name of its field, before anything is sent.
"""
import pytest

import conversations
import matrix
import scenarios
from site_of import DEPLOYMENTS

GATEWAYS = {"stream_options", "store"}              # what the gateway says of itself


def quoted(path):
    return f'"{path}"'


def asked(site, client, deployment, name, streamed):
    row, target = scenarios.row(name), DEPLOYMENTS[deployment].dialect
    provider = site.of(deployment).says(row["answer"])
    body = {**matrix.written(client, row), "model": "to-" + deployment}
    found = site.through(matrix.CLIENTS[client]).told(body, streamed)
    verdict, where = matrix.verdict(client, target, row)
    if verdict == "refused":
        where = where + ".source.type" if {matrix.source(client), target} == {"messages", "invoke"} else where    # their bodies are judged member by member
        assert found.get("status") == 400 and quoted(where) in found["said"].replace("\\", ""), found
        assert not provider.arrived
        return
    assert not provider.refused, provider.refused
    assert found == scenarios.expected(row["answer"], client, target)
    arrived = provider.arrived[0].json
    if target == "invoke":
        assert provider.arrived[0].all("x-amzn-bedrock-service-tier") == [tier for tier in [row["asks"]["tier"]] if tier]
    wanted = matrix.arrives(target, row, streamed)
    if target not in ("converse", "invoke"):
        assert arrived.pop("model") == DEPLOYMENTS[deployment].upstream
    for name in GATEWAYS - set(wanted):
        arrived.pop(name, None)
    folder = matrix.FOLDERS.get(target, target)
    assert unnamed(conversations.normal(folder, arrived)) == unnamed(conversations.normal(folder, wanted))


def unnamed(body):
    """A schema is called "answer" where the client gave it no name and the backend wants one; Converse does not."""
    form = body.get("outputConfig", {}).get("textFormat", {}).get("structure", {}).get("jsonSchema", {})
    if form.get("name") == "answer":
        del form["name"]
    return body


@pytest.mark.parametrize("client,deployment,name", matrix.translated())
def test_plain(site, client, deployment, name):
    asked(site, client, deployment, name, False)


@pytest.mark.parametrize("client,deployment,name", matrix.translated())
def test_streamed(site, client, deployment, name):
    asked(site, client, deployment, name, True)
