import io
import os
import tarfile

import pytest

from curatome.durable import new_file, remove_unfinished, write_file
from curatome.tiles.shards import ShardWriter, read_member


def shard(members):
    stream = io.BytesIO()
    writer = ShardWriter(stream)
    places = {name: (writer.add(name, data), len(data)) for name, data in members.items()}
    writer.finish()
    return stream.getvalue(), places


MEMBERS = {"a_L_0_0.jpg": b"x" * 700, "a_L_960_0.jpg": b"", "a_L_0_960.jpg": os.urandom(512)}


def test_tarfile_reads_what_was_written():
    content, _ = shard(MEMBERS)
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        assert {m.name: archive.extractfile(m).read() for m in archive} == MEMBERS


def test_offsets_point_at_the_bytes(tmp_path):
    content, places = shard(MEMBERS)
    path = tmp_path / "s.tar"
    path.write_bytes(content)
    for name, (offset, length) in places.items():
        assert read_member(path, offset, length) == MEMBERS[name]
    with pytest.raises(EOFError, match=r"s\.tar: wanted 9999 bytes"):
        read_member(path, 512, 9999)


def test_bytes_follow_from_content_alone():
    assert shard(MEMBERS)[0] == shard(MEMBERS)[0]


def test_a_file_is_whole_or_absent(tmp_path):
    path = tmp_path / "deep" / "file.bin"
    with pytest.raises(RuntimeError), new_file(path) as stream:
        stream.write(b"half")
        raise RuntimeError
    assert not path.exists()
    write_file(path, "whole")
    assert path.read_text() == "whole"
    assert [p.name for p in path.parent.iterdir()] == ["file.bin"]


def test_a_failed_rewrite_keeps_the_old_file(tmp_path):
    path = tmp_path / "file.bin"
    write_file(path, b"old")
    with pytest.raises(RuntimeError), new_file(path) as stream:
        stream.write(b"new")
        raise RuntimeError
    assert path.read_bytes() == b"old"


def test_leftovers_are_removed_and_nothing_else(tmp_path):
    write_file(tmp_path / "a" / "keep.tar", b"1")
    (tmp_path / "a" / ".x.tar.0123.unfinished").write_bytes(b"2")
    assert remove_unfinished(tmp_path) == 1
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["keep.tar"]
