"""Pipeline metrics: the figures that are asked for at scrape time, and the stages."""

from typing import Never

from prometheus_client import CollectorRegistry, generate_latest

from streams.metrics import LagCollector, OutcomesCollector, PipelineMetrics


def test_outcomes_and_lag_are_read_at_scrape_time() -> None:
    outcomes = {"ioc.lgsp.calls": {"in": 3, "accepted": 1, "duplicate": 1, "rejected": 1, "rerouted": 4}}
    lag = {"ioc.lgsp.calls": 7}
    registry = CollectorRegistry()
    registry.register(OutcomesCollector(lambda: outcomes))
    registry.register(LagCollector(lambda: lag))
    value = registry.get_sample_value
    assert value("ioc_events_total", {"topic": "ioc.lgsp.calls", "outcome": "in"}) == 3
    assert value("ioc_events_rerouted_total", {"topic": "ioc.lgsp.calls"}) == 4
    assert value("ioc_consumer_lag_records", {"topic": "ioc.lgsp.calls"}) == 7
    outcomes["ioc.lgsp.calls"]["in"] = 9
    lag["ioc.lgsp.calls"] = 0
    assert value("ioc_events_total", {"topic": "ioc.lgsp.calls", "outcome": "in"}) == 9
    assert value("ioc_consumer_lag_records", {"topic": "ioc.lgsp.calls"}) == 0


def test_a_rerouted_event_is_no_outcome_so_that_in_stays_the_sum_of_the_outcomes() -> None:
    outcomes = {"t": {"in": 3, "accepted": 1, "duplicate": 1, "rejected": 1, "rerouted": 4}}
    registry = CollectorRegistry()
    registry.register(OutcomesCollector(lambda: outcomes))
    assert registry.get_sample_value("ioc_events_total", {"topic": "t", "outcome": "rerouted"}) is None


def test_registering_asks_nothing_of_parts_that_have_not_started() -> None:
    def not_yet() -> Never:
        raise AssertionError("asked too early")

    registry = CollectorRegistry()
    registry.register(OutcomesCollector(not_yet))
    registry.register(LagCollector(not_yet))


def test_nothing_processed_yet_is_an_empty_answer_not_an_error() -> None:
    registry = CollectorRegistry()
    registry.register(OutcomesCollector(dict))
    registry.register(LagCollector(dict))
    assert b"# TYPE ioc_events_total counter" in generate_latest(registry)


def test_a_stage_is_timed_also_when_it_fails() -> None:
    registry = CollectorRegistry()
    metrics = PipelineMetrics(registry)
    try:
        with metrics.stage("frame_decode"):
            raise ValueError
    except ValueError:
        pass
    metrics.observe_stage("frame_decode", 0.2)
    metrics.observe_stage("frame_decode", -5.0)  # clocks of cameras differ: never a negative duration
    assert registry.get_sample_value("ioc_stage_seconds_count", {"stage": "frame_decode"}) == 3
    total = registry.get_sample_value("ioc_stage_seconds_sum", {"stage": "frame_decode"})
    assert total is not None
    assert 0.2 <= total < 0.3


def test_two_registries_share_nothing() -> None:
    one, other = CollectorRegistry(), CollectorRegistry()
    PipelineMetrics(one).frames.labels("cam-01", "analysed").inc()
    PipelineMetrics(other)
    assert other.get_sample_value("ioc_frames_total", {"camera": "cam-01", "outcome": "analysed"}) is None
