"""The journal: nothing is lost or changed, and a wrong file is one clear line."""

import os
import sqlite3

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from codesign.errors import InputError
from codesign.search.store import SCHEMA, Store
from codesign.search.trial import Trial

DEFINITION = {"seed": 1, "space": "abc", "objectives": ["max fps"]}
FINITE = st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
POSITIVE = st.floats(min_value=0, exclude_min=True, allow_infinity=False)
VALUES = st.one_of(st.integers(), FINITE, TEXT, st.booleans())
TRIALS = st.builds(
    Trial,
    number=st.just(0),
    point=st.dictionaries(TEXT, VALUES, max_size=3),
    key=TEXT,
    values=st.dictionaries(TEXT, FINITE, max_size=3),
    violations=st.dictionaries(TEXT, POSITIVE, max_size=2),
    seed=st.integers(0, 2**32 - 1),
    seconds=POSITIVE,
)


def trial(number, key=None):
    return Trial(number, {"a": number}, key or f"k{number}", {"fps": 1 / 3}, {}, seed=number)


def written(path, count=20):
    with Store.open(path, DEFINITION) as store:
        for number in range(count):
            store.add(trial(number), artifact=f"network {number}".encode())
    return path


@given(TRIALS, st.one_of(st.none(), st.binary(max_size=20)))
def test_nothing_is_changed_on_the_way(trial, artifact):
    with Store.open(None, DEFINITION) as store:
        store.add(trial, artifact)
        (back,) = store.trials()
        assert (back, back.seconds) == (trial, trial.seconds)
        kinds = [(name, type(value)) for name, value in back.point.items()]
        assert kinds == [(name, type(value)) for name, value in trial.point.items()]
        assert store.artifact(0) == artifact


def test_trials_come_back_in_their_order(tmp_path):
    path = tmp_path / "a folder with ? and #" / "t.sqlite"
    path.parent.mkdir()
    with Store.open(path, DEFINITION) as store:
        for number in (2, 0, 1):
            store.add(trial(number), b"network" if number else None)
    with Store.read(path) as store:
        assert store.trials() == [trial(0), trial(1), trial(2)]
        assert store.definition == DEFINITION
        assert (store.artifact(0), store.artifact(2)) == (None, b"network")
        with pytest.raises(KeyError):
            store.artifact(3)
    assert sorted(path.parent.iterdir()) == [path]


def test_a_trial_is_there_for_others_at_once(tmp_path):
    with Store.open(tmp_path / "t.sqlite", DEFINITION) as store:
        store.add(trial(0))
        with Store.read(tmp_path / "t.sqlite") as reader:
            assert reader.trials() == [trial(0)]


def test_a_file_from_a_kill_at_birth_is_begun_anew(tmp_path):
    path = tmp_path / "t.sqlite"
    path.touch()
    assert Store.read(written(path)).trials() == [trial(number) for number in range(20)]


@pytest.mark.parametrize("definition", [{**DEFINITION, "seed": 2}, {"seed": 1}, {}])
def test_another_definition_is_refused(tmp_path, definition):
    path = written(tmp_path / "t.sqlite")
    with pytest.raises(InputError, match=r"t\.sqlite: was written with \w+=.*, not .*; give the"):
        Store.open(path, definition)


def test_a_definition_must_be_json(tmp_path):
    with pytest.raises(TypeError):
        Store.open(tmp_path / "t.sqlite", {"seed": object()})
    assert list(tmp_path.iterdir()) == []


def open_again(path):
    return Store.open(path, DEFINITION)


@pytest.mark.parametrize("how", [open_again, Store.read])
def test_a_newer_schema_is_refused(tmp_path, how):
    path = written(tmp_path / "t.sqlite")
    with sqlite3.connect(path) as connection:
        connection.execute(f"PRAGMA user_version = {SCHEMA + 1}")
    with pytest.raises(InputError, match=r"t\.sqlite: has journal schema 2, this program reads 1"):
        how(path)


@pytest.mark.parametrize("how", [open_again, Store.read])
def test_what_is_no_journal_is_refused_and_left_as_it_is(tmp_path, how):
    text = tmp_path / "text.sqlite"
    text.write_text("a note that someone saved under this name\n" * 50)
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE addresses (name TEXT)")
    short = tmp_path / "short.sqlite"
    short.write_text("note")
    for path in (text, other, short):
        before = path.read_bytes()
        with pytest.raises(InputError, match=rf"{path.name}: is no search journal; start a new"):
            how(path)
        assert path.read_bytes() == before


@pytest.mark.parametrize("how", [open_again, Store.read])
def test_a_truncated_file_is_refused(tmp_path, how):
    whole = written(tmp_path / "t.sqlite").read_bytes()
    path = tmp_path / "cut.sqlite"
    # SQLite holds a file of one byte to be empty, so the shortest cut leaves two.
    for length in (2, 50, 100, 4095, 4096, len(whole) // 2, len(whole) - 4000, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"cut\.sqlite: (is damaged|is no search journal); "):
            how(path)


def test_flipped_bytes_never_end_in_a_traceback(tmp_path):
    """Whatever a bad disk did: the journal can be read, or the user gets one line."""
    chance = np.random.default_rng(0)
    whole = written(tmp_path / "t.sqlite").read_bytes()
    path = tmp_path / "flipped.sqlite"
    refused = 0
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(20):
            damaged[chance.integers(len(damaged))] = chance.integers(256)
        path.write_bytes(damaged)
        try:
            with Store.read(path) as store:
                store.trials()
        except InputError:
            refused += 1
    assert refused > 0


def test_a_missing_file_or_folder_is_refused(tmp_path):
    for attempt in (
        lambda: Store.read(tmp_path / "no.sqlite"),
        lambda: open_again(tmp_path / "no" / "t"),
    ):
        with pytest.raises(InputError, match="cannot be opened; check that it is there"):
            attempt()
    assert list(tmp_path.iterdir()) == []


def test_two_writers_do_not_mix(tmp_path):
    path = written(tmp_path / "t.sqlite", count=3)
    with open_again(path) as one, open_again(path) as two:
        one.add(trial(3))
        for late in (trial(3), trial(4, key="k3")):
            with pytest.raises(InputError, match=r"t\.sqlite: another program has written to it"):
                two.add(late)
        assert len(two.trials()) == 4


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_file_that_may_not_be_written_can_still_be_read(tmp_path):
    path = written(tmp_path / "t.sqlite")
    path.chmod(0o444)
    with Store.read(path) as store:
        assert len(store.trials()) == 20
        with pytest.raises(InputError, match=r"t\.sqlite: may not be written; change its"):
            store.add(trial(20))
