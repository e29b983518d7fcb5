"""One deployment fails before anything was said, the next one answers: its answer is what the SDK has, whatever either of them speaks."""
import pytest

import matrix
import provider
import scenarios
import test_errors
from site_of import DEPLOYMENTS

PAIRS = [(client, first, second) for client, first in matrix.SERVED for other, second in matrix.SERVED
         if other == client and DEPLOYMENTS[first].provider != DEPLOYMENTS[second].provider and client in matrix.DIALECTS]


@pytest.fixture(scope="module")
def route(session_site):
    def make(*names):
        session_site.forget(route=names)
    yield make
    session_site.forget()


@pytest.mark.parametrize("client,first,second", PAIRS)
def test_the_next_answers(site, route, client, first, second):
    """Plain and streamed: first 500, then an error inside of 200 in front of the first word."""
    route(first, second)
    body = {**matrix.written(client, scenarios.row("text")), "model": "any"}
    status, answer, headers = test_errors.FAILURES[DEPLOYMENTS[first].dialect]["failed"]
    expected = scenarios.expected("hello", client, DEPLOYMENTS[second].dialect)
    for streamed in (False, True):
        site.of(first).says("hello").plays(provider.plain(answer, headers, status))
        site.of(second).says("hello")
        assert site.through(matrix.CLIENTS[client]).told(body, streamed) == expected
        assert (len(site.of(first).arrived), len(site.of(second).arrived)) == (1, 1)
        assert not site.of(first).refused and not site.of(second).refused
    site.of(first).says("early")
    site.of(second).says("hello")
    assert site.through(matrix.CLIENTS[client]).told(body, True) == expected
    assert (len(site.of(first).arrived), len(site.of(second).arrived)) == (1, 1)
