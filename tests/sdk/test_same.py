"""
Client and backend speak the same dialect: the SDK's final object through the gateway is the one that it has from the provider itself, to the last member,
and the provider got the same request but for the model's name. Where a stream's usage was not asked for the gateway asks for itself. Ids of Responses are the gateway's own,
which say where what they name is kept: all else is the same.
"""
import pytest

import matrix
import scenarios
from site_of import DEPLOYMENTS


IDS = {"id", "item_id", "response_id", "previous_response_id"}


def unnamed(value):
    """Without ids, which must be there all the same."""
    if isinstance(value, dict):
        return {name: bool(each) if name in IDS else unnamed(each) for name, each in value.items()}
    return [unnamed(each) for each in value] if isinstance(value, list) else value


def compared(site, client, deployment, name, streamed):
    row, kind, provider = scenarios.row(name), matrix.CLIENTS[client], site.of(deployment).says(scenarios.row(name)["answer"])
    body = matrix.written(client, row)
    found = []
    for sdk, model in ((site.direct(kind, deployment), DEPLOYMENTS[deployment].upstream), (site.through(kind), "to-" + deployment)):
        found.append((sdk.events if streamed else sdk.plain)({**body, "model": model}))
    if kind.dialect == "responses":
        found = [unnamed(each) for each in found]
    assert found[1] == found[0] and not provider.refused
    direct, through = (dict(request.json) for request in provider.arrived)
    if streamed and "stream_options" not in body:
        through.pop("stream_options", None)
    if kind.dialect == "responses":
        assert body.get("store") or through.pop("store") is False       # nothing is kept unless it is asked for
        direct.pop("store", None)
    assert through == {**direct, "model": through["model"]} if "model" in direct else through == direct
    return found[1]


@pytest.mark.parametrize("client,deployment,name", matrix.same())
def test_plain(site, client, deployment, name):
    compared(site, client, deployment, name, False)


@pytest.mark.parametrize("client,deployment,name", matrix.same())
def test_streamed(site, client, deployment, name):
    compared(site, client, deployment, name, True)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("client,deployment,stem", [(client, deployment, stem) for client, deployment in matrix.SERVED for stem in scenarios.ANSWERS
                                                     if DEPLOYMENTS[deployment].dialect in scenarios.ONLY_OF.get(stem, [DEPLOYMENTS[deployment].dialect])])
def test_what_is_said(site, client, deployment, stem, streamed):
    """In words of no dialect: what the scenario's data say."""
    site.of(deployment).says(stem)
    body = {**matrix.written(client, scenarios.row("text")), "model": "to-" + deployment}
    assert site.through(matrix.CLIENTS[client]).told(body, streamed) == scenarios.expected(stem, client, DEPLOYMENTS[deployment].dialect)
