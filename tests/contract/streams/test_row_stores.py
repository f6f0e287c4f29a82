"""Row stores: both behave like a dict, and RocksDB holds exactly one commit whatever happens to its process."""

import random
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ioc.errors import ConfigurationError, TransientError
from streams.row_stores import MemoryRows, RocksRows, RowStore, StoreBusy, make_store_factory

KINDS = ("memory", "rocksdb")
DOSSIER = "dossier\x1fH49.26-0001"


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[RowStore]:
    store = make_store_factory(request.param, tmp_path / "rows")(3)
    yield store
    store.close()


@pytest.fixture
def reopened(tmp_path: Path) -> Iterator[Callable[[], RocksRows]]:
    """Closes the RocksDB store of this test and opens it again, as another process would."""
    opened: list[RocksRows] = []

    def reopen() -> RocksRows:
        for earlier in opened:
            earlier.close()
        opened[:] = [RocksRows(tmp_path / "rocks")]
        return opened[0]

    yield reopen
    for earlier in opened:
        earlier.close()


# ---- both kinds ----------------------------------------------------------------------------------------------------


def test_a_new_store_is_empty_and_stands_at_the_beginning(store: RowStore) -> None:
    assert (len(store), dict(store.items()), store.place, store.marker) == (0, {}, 0, None)
    assert store.get(DOSSIER) is None
    assert DOSSIER not in store


def test_a_row_is_read_as_it_was_set_before_and_after_the_commit(store: RowStore) -> None:
    store[DOSSIER] = b"\x00one\xff"
    assert (store.get(DOSSIER), DOSSIER in store, len(store)) == (b"\x00one\xff", True, 1)
    store.commit(7, b"marker")
    assert (store.get(DOSSIER), DOSSIER in store, len(store)) == (b"\x00one\xff", True, 1)
    assert (store.place, store.marker) == (7, b"marker")


def test_the_newer_row_replaces_the_older_one_and_is_counted_once(store: RowStore) -> None:
    store[DOSSIER] = b"one"
    store.commit(1, b"1")
    store[DOSSIER] = b"two"
    store["site\x1fĐà Lạt"] = b"three"
    assert dict(store.items()) == {DOSSIER: b"two", "site\x1fĐà Lạt": b"three"}
    assert len(store) == 2


@pytest.mark.parametrize("is_committed", [True, False])
def test_a_removed_row_is_gone(store: RowStore, is_committed: bool) -> None:
    store[DOSSIER] = b"one"
    if is_committed:
        store.commit(1, b"1")
    assert len(store) == 1
    assert store.pop(DOSSIER, None) == b"one"
    assert store.pop(DOSSIER, None) is None
    store.commit(2, b"2")
    assert (len(store), DOSSIER in store, store.get(DOSSIER), dict(store.items())) == (0, False, None, {})


def test_the_place_is_not_a_row(store: RowStore) -> None:
    store.commit(1, b"marker")
    assert (len(store), dict(store.items())) == (0, {})


def test_a_spill_changes_neither_rows_nor_place(store: RowStore) -> None:
    store[DOSSIER] = b"one"
    store.commit(1, b"1")
    store[DOSSIER] = b"two"
    store.spill()
    assert (store.get(DOSSIER), len(store), store.place, store.marker) == (b"two", 1, 1, b"1")


def test_a_cleared_store_is_as_new_and_can_be_filled_again(store: RowStore) -> None:
    store[DOSSIER] = b"one"
    store.commit(1, b"1")
    store["site\x1f1"] = b"two"
    store.clear()
    assert (len(store), dict(store.items()), store.place, store.marker) == (0, {}, 0, None)
    store["site\x1f1"] = b"three"
    store.commit(5, b"5")
    assert (dict(store.items()), store.place) == ({"site\x1f1": b"three"}, 5)


def test_every_partition_has_a_store_of_its_own(tmp_path: Path) -> None:
    for kind in KINDS:
        make_store = make_store_factory(kind, tmp_path / kind)
        first, second = make_store(0), make_store(1)
        first[DOSSIER] = b"one"
        first.commit(1, b"1")
        assert (len(first), len(second), second.place) == (1, 0, 0)
        first.close()
        second.close()


def test_an_unknown_kind_of_store_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="IOC_STORE='redis'"):
        make_store_factory("redis", tmp_path)


# ---- a law ---------------------------------------------------------------------------------------------------------

ALL_KEYS = ("a", "b", "ab", "b\x1f", "đ", "\x01")
KEYS = st.sampled_from(ALL_KEYS)
STEPS = st.one_of(
    st.tuples(st.just("set"), KEYS, st.binary(max_size=3)),
    st.tuples(st.just("pop"), KEYS),
    st.tuples(st.just("len")),  # from the first one on it is kept up, not counted
    st.tuples(st.just("spill")),
    st.tuples(st.just("commit")),
    st.tuples(st.just("crash")),
    st.tuples(st.just("clear")),
)


@settings(max_examples=25)
@given(steps=st.lists(STEPS, max_size=25))
def test_rocksdb_equals_a_dict_and_after_a_crash_the_last_commit(steps: list[tuple[str, ...]]) -> None:
    with TemporaryDirectory() as folder:
        store = RocksRows(Path(folder))
        rows: dict[str, bytes] = {}
        durable: dict[str, bytes] = {}
        place = 0
        for step in steps:
            match step:
                case ("set", key, data):
                    store[key] = rows[key] = data  # type: ignore[assignment]
                case ("pop", key):
                    assert store.pop(key, None) == rows.pop(key, None)
                case ("len",):
                    assert len(store) == len(rows)
                case ("spill",):
                    store.spill()
                    durable = dict(rows)
                case ("commit",):
                    place += 1
                    store.commit(place, b"%d" % place)
                    durable = dict(rows)
                case ("crash",):
                    store.close()
                    store = RocksRows(Path(folder))
                    rows = dict(durable)
                case ("clear",):
                    store.clear()
                    rows, durable, place = {}, {}, 0
            assert dict(store.items()) == rows
            assert {key: store.get(key) for key in rows} == rows
            assert {key for key in ALL_KEYS if key in store} == rows.keys()
            assert (store.place, store.marker) == (place, b"%d" % place if place else None)
        assert len(store) == len(rows)
        store.close()


# ---- RocksDB over processes ----------------------------------------------------------------------------------------


def test_committed_rows_are_there_after_a_restart_and_others_never_were(reopened: Callable[[], RocksRows]) -> None:
    store = reopened()
    store[DOSSIER] = b"one"
    store.commit(9, b"nine")
    store[DOSSIER] = b"two"
    store["site\x1f1"] = b"new"
    again = reopened()
    assert (dict(again.items()), len(again), again.place, again.marker) == ({DOSSIER: b"one"}, 1, 9, b"nine")


WRITER = """
import sys
from pathlib import Path
from streams.row_stores import RocksRows
store = RocksRows(Path(sys.argv[1]))
for place in range(store.place + 1, 1_000_000):
    for key in range(20):
        store[f"row{key}"] = b"%d " % place * 2_000  # a write buffer is full after about 40 commits
    store[f"row{place % 7 + 100}"] = b""
    store.pop(f"row{(place - 1) % 7 + 100}", None)
    store.commit(place, b"%d" % place)
    print(place, flush=True)
"""


def test_after_kill_9_rows_place_and_marker_are_those_of_one_commit_and_none_is_lost(tmp_path: Path) -> None:
    seed = random.randrange(1_000_000)
    print(f"seed {seed}")
    after = random.Random(seed)
    for _ in range(3):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            told = 0
            for _ in range(after.randrange(1, 150)):
                told = int(child.stdout.readline())
            child.send_signal(signal.SIGKILL)
            told = int(([told, *child.stdout.read().split(b"\n")[:-1]])[-1])
        store = RocksRows(tmp_path)
        assert store.place >= told, "what was committed before the kill is there"
        place = store.place
        assert store.marker == b"%d" % place
        assert dict(store.items()) == {
            **{f"row{key}": b"%d " % place * 2_000 for key in range(20)},
            f"row{place % 7 + 100}": b"",
        }
        store.close()


def test_a_store_that_another_worker_has_open_is_busy(tmp_path: Path) -> None:
    store = RocksRows(tmp_path)
    store.commit(1, b"1")
    with pytest.raises(StoreBusy, match="IOC_STATE"):
        RocksRows(tmp_path)
    look = (
        "import sys; from pathlib import Path; from streams.row_stores import RocksRows; RocksRows(Path(sys.argv[1]))"
    )
    other = subprocess.run([sys.executable, "-c", look, str(tmp_path)], capture_output=True, text=True, check=False)
    assert "StoreBusy" in other.stderr
    store.close()
    again = RocksRows(tmp_path)
    assert again.place == 1, "nobody threw it away"
    again.close()


def test_a_folder_that_cannot_be_made_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="IOC_STATE"):
        RocksRows(tmp_path / "file" / "rows")


@pytest.mark.parametrize("files", ["MANIFEST-*", "CURRENT", "*.sst"])
@pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.write_bytes(b"garbage")], ids=["gone", "garbage"])
def test_a_store_that_is_broken_when_opened_is_thrown_away(
    files: str, harm: Callable[[Path], object], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = RocksRows(tmp_path)
    store[DOSSIER] = b"one"
    store.commit(1, b"1")
    store.close()
    RocksRows(tmp_path).close()  # what its log held is a table now
    harmed = list(tmp_path.glob(files))
    assert harmed
    for path in harmed:
        harm(path)
    store = RocksRows(tmp_path)
    assert (store.place, len(store)) == (0, 0)
    assert "broken" in caplog.text
    store.close()


def test_a_store_whose_rows_cannot_be_read_is_not_trusted_again(
    reopened: Callable[[], RocksRows], tmp_path: Path
) -> None:
    store = reopened()
    for number in range(1_000):
        store[f"row{number}"] = random.Random(number).randbytes(300)
    store.commit(1, b"1")
    reopened()  # what its log held is a table now
    store = reopened()
    tables = list((tmp_path / "rocks").glob("*.sst"))
    assert tables
    for table in tables:
        whole = table.read_bytes()
        table.write_bytes(whole[:2_000] + bytes(100_000) + whole[102_000:])
    with pytest.raises(TransientError, match="from Kafka anew"):
        [store.get(f"row{number}") for number in range(1_000)]
    assert reopened().place == 0


def test_a_memory_store_reads_and_sets_at_the_speed_of_a_dict() -> None:
    for name in ("get", "__setitem__", "__getitem__", "__contains__", "pop", "items"):
        assert name not in vars(MemoryRows), f"{name} in Python would cost every event"
