"""Files and servers that cannot be used are refused with what to do."""

import sqlite3
import subprocess
import sys

import pytest
import sqlalchemy as sa

from curatome.annotations.store import Edit, dialects, open_annotations
from curatome.errors import ProjectError
from tests.annotations.store.made import ANNA, identity, row, table


def test_sqlite_is_hardened(tmp_path):
    where = f"sqlite:///{tmp_path / 'a.db'}"
    with open_annotations(where) as store, dialects.reading(store._engine) as connection:
        found = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]
    assert found == ["wal", 2, 1, 60_000]


def test_another_version_is_refused(where):
    with open_annotations(where) as store, store._engine.begin() as connection:
        connection.execute(sa.text("UPDATE annotation_store SET version = 99"))
    with pytest.raises(ProjectError, match=r"version 99.*Use the Curatome that wrote it"):
        open_annotations(where)


def test_another_programs_database_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "slides.sqlite"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE Annotations (uid INTEGER)")
    before = path.read_bytes()
    with pytest.raises(ProjectError, match="another program's database"):
        open_annotations(path)
    with sqlite3.connect(path) as other:
        names = [name for (name,) in other.execute("SELECT name FROM sqlite_master")]
    assert names == ["Annotations"]
    assert len(path.read_bytes()) == len(before)


@pytest.mark.parametrize("content", [b"PK\x03\x04" + bytes(4000), b"SQLite format 3\0" + bytes(90)])
def test_what_is_no_database_is_refused(tmp_path, content):
    path = tmp_path / "a.db"
    path.write_bytes(content)
    with pytest.raises(ProjectError, match=r"not a database.*name another file"):
        open_annotations(path)
    assert path.read_bytes() == content


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ProjectError, match=r"none/a\.db.*See whether its folder exists"):
        open_annotations(tmp_path / "none" / "a.db")


def test_a_damaged_file_is_an_error_with_a_remedy(tmp_path):
    path = tmp_path / "a.db"
    with open_annotations(path) as store:
        store.import_table(table([row(n) for n in range(2000)]), ANNA)
        with dialects.reading(store._engine) as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    content = path.read_bytes()
    path.write_bytes(content[: 30 * 4096] + b"\xff" * (len(content) - 30 * 4096))
    with pytest.raises(ProjectError, match=r"malformed.*backup"), open_annotations(path) as store:
        store.current()


def test_a_locked_store_is_an_error_with_a_remedy(tmp_path, monkeypatch):
    path = tmp_path / "a.db"
    open_annotations(path).close()
    monkeypatch.setattr(dialects, "_PRAGMAS", ("busy_timeout=50", *dialects._PRAGMAS[1:]))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with open_annotations(path) as store:
        with pytest.raises(ProjectError, match=r"locked.*Another program holds it"):
            store.import_table(table([row(1)]), ANNA)
        assert store.head() == 0
        other.execute("ROLLBACK")
        store.import_table(table([row(1)]), ANNA)
    other.close()


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("mysql://host/a", "pip install|not supported"),
        ("postgresql+psycopg://nobody@127.0.0.1:9/none", "See whether the server runs"),
        ("nonsense://", "no database URL|cannot be used"),
    ],
)
def test_addresses_that_lead_nowhere(where, said):
    with pytest.raises(ProjectError, match=said):
        open_annotations(where)


def test_a_password_is_not_shown():
    with pytest.raises(ProjectError) as refused:
        open_annotations("postgresql+psycopg://a:secret@127.0.0.1:9/none")
    assert "secret" not in str(refused.value)


def test_processes_that_open_a_new_store_at_once_make_it_once(where):
    code = (
        "import sys; from curatome.annotations.store import *\n"
        "with open_annotations(sys.argv[1]) as store:\n"
        "    store.apply([Edit(sys.argv[2], 'create', None, {'kind': 'whole'})], Act('p'))"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", code, where, identity(n)], stderr=subprocess.PIPE)
        for n in range(4)
    ]
    said = [process.communicate(timeout=100)[1].decode() for process in running]
    assert [process.returncode for process in running] == [0] * 4, said
    with open_annotations(where) as store:
        assert store.head() == store.current().num_rows == 4
        store.apply([Edit(identity(1), "delete", 4)], ANNA)
