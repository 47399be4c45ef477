from __future__ import annotations

import pytest
from wa_conformance.servers import MongoServer, RedisCluster, needed
from wa_conformance.servers.server import wait_until

pytestmark = pytest.mark.distributed

ELECTION_S = 60.0


def test_a_replica_takes_over_from_a_killed_master_of_a_cluster() -> None:
    with needed(lambda: RedisCluster(replicas=1)) as server:
        assert isinstance(server, RedisCluster)
        before = server.masters()
        assert len(before) == 3

        before[0].kill()

        assert wait_until(lambda: len(server.masters()) == 3, ELECTION_S)
        assert before[0] not in server.masters()
        before[0].restart()
        assert wait_until(server.settled, ELECTION_S)
        server.kill()
        server.restart()


def test_another_member_is_elected_when_the_primary_is_killed() -> None:
    with needed("mongo-rs3") as server:
        assert isinstance(server, MongoServer)
        first = server.primary()
        assert first is not None

        first.kill()

        assert wait_until(lambda: server.primary() is not None, ELECTION_S)
        assert server.primary() is not first
        first.restart()
        assert wait_until(server.settled, ELECTION_S)
        server.kill()
        server.restart()
