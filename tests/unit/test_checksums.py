"""Checksums of files and bytes, of both algorithms."""

import os

import pytest

from pipeline import checksums
from pipeline.errors import ChecksumError

# The check values of the algorithms' own descriptions: FIPS 180-2, appendix B.1, and RFC 3720.
KNOWN = [
    (b"abc", "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
    (bytes(32), "crc32c:8a9136aa"),
    (b"", "crc32c:00000000"),
]


@pytest.mark.parametrize(("content", "checksum"), KNOWN)
def test_known_values(content, checksum, tmp_path):
    (tmp_path / "file").write_bytes(content)
    algorithm = checksum.partition(":")[0]
    assert checksums.of_bytes(content, algorithm) == checksum
    assert checksums.of_file(tmp_path / "file", algorithm) == checksum
    assert checksums.matches(tmp_path / "file", checksum)


def test_without_a_word_it_is_sha256(tmp_path):
    (tmp_path / "file").write_bytes(b"abc")
    assert checksums.of_bytes(b"abc") == checksums.of_file(tmp_path / "file") == KNOWN[0][1]


@pytest.mark.parametrize("algorithm", [checksums.SHA256, checksums.CRC32C])
def test_a_file_of_any_size_has_the_checksum_of_its_bytes(tmp_path, algorithm):
    for size in (2**20 - 1, 2**20, 2**20 + 1, 3_000_000):
        content = os.urandom(size)
        (tmp_path / "file").write_bytes(content)
        assert checksums.of_file(tmp_path / "file", algorithm) == checksums.of_bytes(
            content, algorithm
        )


@pytest.mark.parametrize("algorithm", [checksums.SHA256, checksums.CRC32C])
def test_a_file_that_was_changed_does_not_match(tmp_path, algorithm):
    (tmp_path / "file").write_bytes(b"changed")
    assert not checksums.matches(tmp_path / "file", checksums.of_bytes(b"original", algorithm))


@pytest.mark.parametrize("checksum", ["md5:900150983cd24fb0d6963f7d28e17f72", "nonsense", ""])
def test_what_can_not_be_compared_is_an_error_and_no_mismatch(tmp_path, checksum):
    (tmp_path / "file").write_bytes(b"abc")
    with pytest.raises(ChecksumError, match=r"can't be compared, only sha256 and crc32c"):
        checksums.matches(tmp_path / "file", checksum)
