"""The spool keeps what it said it keeps: through kill -9, in order, within its bounds, for one process."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ioc.errors import ConfigurationError
from ioc.sdk.envelopes import Prepared
from ioc.sdk.results import SpoolFull, Verdict
from ioc.sdk.spool import FILE_NAME, Spool

NOW_S = 1_800_000_000.0
DAY_S = 86_400.0


def event(number: int, *, size: int = 10) -> Prepared:
    return Prepared(source="/lam-dong/onestop/a", id=f"e-{number}", body=b"x" * size)


def ids(spool: Spool) -> list[str]:
    return [found.id for found in spool.head(1000, 1 << 30)]


def test_events_come_out_in_the_order_they_came_in_also_for_the_next_process(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    for number in range(5):
        spool.add([event(number)], NOW_S)
    spool.close()
    again = Spool(tmp_path)
    assert (again.pending, ids(again)) == (5, [f"e-{number}" for number in range(5)])
    again.close()


def test_what_was_answered_is_gone_and_the_rejected_are_kept_apart_with_their_reason(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.add([event(1), event(2), event(3)], NOW_S)
    first, second, third = spool.head(3, 1 << 20)
    no = Verdict(outcome="rejected", reason="missing_field", field="data", vi="Thiếu.", en="missing")
    spool.settle([(first, Verdict(outcome="accepted")), (second, no)], NOW_S + 1)
    spool.settle([(first, Verdict(outcome="accepted")), (second, no)], NOW_S + 2)  # an answer that came twice
    spool.close()
    again = Spool(tmp_path)
    assert again.head(3, 1 << 20) == [third]
    (kept,) = again.rejected()
    assert (kept.id, kept.reason, kept.field, kept.vi, kept.body) == (
        "e-2",
        "missing_field",
        "data",
        "Thiếu.",
        b"x" * 10,
    )
    assert (again.pending, again.rejected_count) == (1, 1)
    again.forget_rejected([kept.number])
    assert (again.rejected(), again.rejected_count) == ([], 0)
    again.close()


def test_a_number_never_comes_again_after_its_event_is_gone(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    (number,) = spool.add([event(1)], NOW_S)
    spool.withdraw([number])
    assert spool.pending == 0
    assert spool.add([event(2)], NOW_S) > [number]
    spool.close()


def test_a_full_spool_refuses_loudly_and_keeps_all_or_nothing_of_a_call() -> None:
    spool = Spool(None, max_bytes=100)
    spool.add([event(number) for number in range(9)], NOW_S)
    with pytest.raises(SpoolFull, match=r"is full .*NOT kept") as refused:
        spool.add([event(10), event(11)], NOW_S)
    assert "CHƯA được giữ lại" in refused.value.vi
    assert spool.pending == 9
    spool.add([event(10)], NOW_S)
    spool.settle([(spool.head(1, 1000)[0], Verdict(outcome="duplicate"))], NOW_S)
    spool.add([event(12)], NOW_S)
    spool.close()


def test_rejected_events_take_room_until_somebody_has_dealt_with_them() -> None:
    spool = Spool(None, max_bytes=15)
    spool.add([event(1)], NOW_S)
    spool.settle([(spool.head(1, 1000)[0], Verdict(outcome="rejected", reason="r"))], NOW_S)
    with pytest.raises(SpoolFull):
        spool.add([event(2)], NOW_S)
    spool.forget_rejected([kept.number for kept in spool.rejected()])
    spool.add([event(2)], NOW_S)
    spool.close()


def test_a_spool_whose_oldest_event_waits_too_long_says_so_instead_of_growing() -> None:
    spool = Spool(None, max_wait_s=14 * DAY_S)
    spool.add([event(1)], NOW_S)
    spool.add([event(2)], NOW_S + 14 * DAY_S)
    with pytest.raises(SpoolFull, match="waited for 15 days"):
        spool.add([event(3)], NOW_S + 15 * DAY_S)
    assert spool.pending == 2
    spool.close()


def test_a_head_is_cut_at_its_bytes_but_never_empty() -> None:
    spool = Spool(None)
    spool.add([event(1, size=50), event(2, size=50), event(3, size=50)], NOW_S)
    assert len(spool.head(10, 100)) == 2
    assert len(spool.head(10, 1)) == 1
    assert len(spool.head(2, 1 << 20)) == 2
    spool.close()


def test_two_owners_of_one_folder_are_refused_with_a_sentence(tmp_path: Path) -> None:
    spool = Spool(tmp_path)
    spool.add([event(1)], NOW_S)
    with pytest.raises(ConfigurationError, match="belongs to another process"):
        Spool(tmp_path)
    spool.close()
    Spool(tmp_path).close()


_ADD_UNTIL_KILLED = """
import sys
from ioc.sdk.envelopes import Prepared
from ioc.sdk.spool import Spool
from pathlib import Path
spool = Spool(Path(sys.argv[1]))
number = 0
while True:
    spool.add([Prepared(source="/lam-dong/onestop/a", id=f"e-{number}", body=b"x")], 1.8e9)
    print(number, flush=True)
    number += 1
"""


def test_kill_9_loses_nothing_that_was_kept_and_frees_the_lock(tmp_path: Path) -> None:
    command = [sys.executable, "-c", _ADD_UNTIL_KILLED, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        said = [int(process.stdout.readline()) for _ in range(20)]
        with pytest.raises(ConfigurationError, match="belongs to another process"):
            Spool(tmp_path)
        process.send_signal(signal.SIGKILL)
        said += [int(line) for line in process.stdout]
    spool = Spool(tmp_path)
    found = ids(spool)
    assert found[: len(said)] == [f"e-{number}" for number in said]
    assert len(found) <= len(said) + 1  # one may have been kept and not said
    spool.close()


def test_a_damaged_file_is_a_sentence_and_is_not_thrown_away(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"not a database at all" * 100)
    with pytest.raises(ConfigurationError, match=r"can't be used .*move its spool\.sqlite away"):
        Spool(tmp_path)
    assert (tmp_path / FILE_NAME).read_bytes().startswith(b"not a database")


def test_a_place_that_is_no_folder_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="can't be opened"):
        Spool(tmp_path / "file" / "spool")
