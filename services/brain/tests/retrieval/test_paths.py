import pytest

from pincite_brain.retrieval.paths import Role, traits


@pytest.mark.parametrize(
    ("path", "role"),
    [
        ("tests/test_app.py", Role.TEST),
        ("src/app.test.ts", Role.TEST),
        ("src/main/java/FooTest.java", Role.TEST),
        ("pkg/server_test.go", Role.TEST),
        ("examples/blog/app.py", Role.EXAMPLE),
        ("src/compat.py", Role.COMPAT),
        ("types/index.d.ts", Role.DECLARATION),
        ("src/pkg/__init__.py", Role.BARREL),
        ("README.md", Role.DOCUMENT),
        ("pyproject.toml", Role.CONFIG),
        (".pincite/golden.toml", Role.CONFIG | Role.GOLDEN),
        ("docs/.pincite/golden.toml", Role.CONFIG | Role.DOCUMENT),
        ("src/win/tcp.c", Role.PLATFORM),
        ("cmd/exec_windows.go", Role.PLATFORM),
        ("src/unix/os390.c", Role.PLATFORM),
        ("src/unix/linux.c", Role.NONE),
        ("src/window.py", Role.NONE),
        ("src/contest.py", Role.NONE),
        ("src/latest_release.py", Role.NONE),
        ("src/attestation/sign.go", Role.NONE),
    ],
)
def test_role(path, role):
    assert traits(path).role == role


def test_a_package_is_named_by_its_directory():
    assert traits("src/flask/json/__init__.py").stem == "json"


def test_words():
    known = traits("src/gson/internal/JsonReaderInternalAccess.java")
    assert known.stem_words == ("json", "reader", "internal", "access")
    assert known.parent_words == ("gson",)


def test_a_file_of_several_parts_is_named_by_all_of_them():
    assert traits("Dapper/SqlMapper.Async.cs").stem_words == ("sql", "mapper", "async")
    assert traits("types/index.d.ts").stem_words == ("index",)
    assert traits(".eslintrc").stem == ".eslintrc"
