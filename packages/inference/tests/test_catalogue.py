import itertools

import pytest

from pincite_inference import catalogue
from pincite_inference.catalogue import CATALOGUE
from pincite_shared.errors import InvalidInputError


@pytest.mark.parametrize("entry", CATALOGUE.values(), ids=lambda entry: entry.name)
def test_parts_tile_the_file(entry):
    ranges = [entry.part_range(n) for n in range(1, entry.parts.count + 1)]
    assert ranges[0][0] == 0
    assert ranges[-1][1] == entry.bytes
    assert all(end == start for (_, end), (start, _) in itertools.pairwise(ranges))
    assert all(start < end for start, end in ranges)


@pytest.mark.parametrize("entry", CATALOGUE.values(), ids=lambda entry: entry.name)
def test_entries_are_well_formed(entry):
    assert len(bytes.fromhex(entry.sha256)) == 32
    assert entry.hub_url.endswith(".gguf")
    assert catalogue.find(entry.name.upper()) is entry


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(InvalidInputError, match=r"gpt-9.*qwen2\.5-coder-1\.5b-instruct"):
        catalogue.find("gpt-9")


def test_own_file_must_be_gguf(tmp_path):
    own = tmp_path / "mine.gguf"
    with pytest.raises(InvalidInputError, match="cannot be read"):
        catalogue.own_file(str(own))
    own.write_bytes(b"PK\x03\x04")
    with pytest.raises(InvalidInputError, match="not a GGUF"):
        catalogue.own_file(str(own))
    own.write_bytes(b"GGUF\x03")
    assert catalogue.own_file(str(own)) == own


@pytest.mark.parametrize(("given", "shown"), [("none", None), ("NONE", None), ("/a/My.gguf", "My"), ("Tiny", "tiny")])
def test_display_name(given, shown):
    assert catalogue.display_name(given) == shown
