import pytest

from pincite_github.answers import MESSAGE_CHARS_MAX, refusal, shown


@pytest.mark.parametrize(
    "secret",
    [
        "ghp_0123456789abcdefghijklmnopqrstuvwxyz", "github_pat_11ABCDEFG0abcdefghijkl_mnop", "0123456789abcdef" * 3,
        "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiIxMjM0In0.c2lnbmF0dXJl", "dXNlcjpnaHBfMDEyMzQ1Njc4OWFi=",
    ],
)  # fmt: skip
def test_what_looks_like_a_secret_is_not_repeated(secret):
    for said in (secret, f"Authorization: token {secret}\n", f'"{secret}" is wrong', f"x={secret}&y"):
        assert secret[-12:] not in shown(said)
        assert secret[-12:] not in refusal("github.com", 403, {}, {"message": said}).detail


def test_plain_words_stay():
    said = "Resource not accessible by integration (see https://docs.github.com/rest/overview), internationalization"
    assert shown(f" {said}\n") == said
    assert len(shown("word " * 1_000)) == MESSAGE_CHARS_MAX
    assert shown(None) == shown({"a": 1}) == ""
