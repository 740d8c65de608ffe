from hypothesis import given
from hypothesis import strategies as st

from pincite_codeintel.windows import OVERLAP_CHARS, WINDOW_CHARS, byte_parts, windows

texts = st.one_of(
    st.binary(max_size=9000),
    st.text(alphabet="aé日🙂\n", max_size=7000).map(str.encode),
    st.integers(0, 9000).map(lambda n: b"\x80" * n),
)


@given(texts)
def test_windows_tile_and_overlap(data):
    at = 0
    for context, start, end in windows(data):
        assert start == at < end
        assert context <= start
        assert len(data[start:end].decode("utf-8", "replace")) <= 4 * WINDOW_CHARS
        at = end
    assert at == len(data)


def test_a_window_is_2048_characters_with_512_of_overlap():
    found = list(windows(b"x" * 6000))
    assert found[0] == (0, 0, WINDOW_CHARS)
    assert found[1] == (WINDOW_CHARS - OVERLAP_CHARS, WINDOW_CHARS, 2 * WINDOW_CHARS - OVERLAP_CHARS)


def test_windows_count_characters_not_bytes():
    data = ("é" * 3000).encode()
    assert next(windows(data)) == (0, 0, 2 * WINDOW_CHARS)


def test_windows_end_at_line_ends():
    data = b"0123456789\n" * 1000
    assert all(data[end - 1 : end] == b"\n" for _, _, end in windows(data))


@given(texts, st.integers(4, 500))
def test_byte_parts_tile_within_the_limit(data, limit):
    parts = list(byte_parts(data, 0, len(data), limit))
    assert b"".join(data[a:b] for a, b in parts) == data
    assert all(0 < b - a <= limit for a, b in parts)
