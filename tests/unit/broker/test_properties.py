"""The rendered settings of one node and of three."""

from pathlib import Path

import pytest

from ioc.broker.properties import NodePlan, new_cluster_id, render_properties


def _settings(voters: dict[int, int]) -> dict[str, str]:
    plan = NodePlan(node_id=1, host="127.0.0.1", port=9092, voters=voters, data=Path("/data"))
    return dict(line.split("=", 1) for line in render_properties(plan).splitlines())


def test_one_node_listens_on_loopback_and_keeps_one_copy() -> None:
    settings = _settings({1: 9093})
    assert settings["listeners"] == "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093"
    assert settings["advertised.listeners"] == "PLAINTEXT://127.0.0.1:9092"
    assert settings["controller.quorum.voters"] == "1@127.0.0.1:9093"
    assert settings["log.dirs"] == "/data"
    assert settings["auto.create.topics.enable"] == "false"


@pytest.mark.parametrize(
    ("nodes", "replication", "in_sync"), [(1, "1", "1"), (2, "2", "1"), (3, "3", "2"), (5, "3", "2")]
)
def test_internal_topics_are_copied_to_as_many_nodes_as_there_are_but_at_most_three(
    nodes: int, replication: str, in_sync: str
) -> None:
    settings = _settings({node: 9100 + node for node in range(1, nodes + 1)})
    factors = {value for key, value in settings.items() if key.endswith("replication.factor")}
    assert factors == {replication}
    assert {value for key, value in settings.items() if key.endswith((".min.isr", "insync.replicas"))} == {in_sync}


def test_a_cluster_id_never_looks_like_an_option() -> None:
    ids = [new_cluster_id() for _ in range(500)]
    assert all(len(one) == 22 and not one.startswith("-") for one in ids)
    assert len(set(ids)) == 500
