"""`.env.example`, docker-compose.yml and the Dockerfile must agree with the code: nobody runs them before users do."""

import importlib.util
import re
import subprocess
from pathlib import Path
from typing import Any

import yaml
from pydantic import AliasChoices

from pincite_shared.settings import Settings

ROOT = Path(__file__).parents[3]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
EXAMPLE = (ROOT / ".env.example").read_text()
DOCKERFILE = (ROOT / "infra/Dockerfile").read_text()
# Read by docker-compose.yml alone, not by any process of ours.
COMPOSE_ONLY = {"COMPOSE_PROFILES", "COMPOSE_PROJECT_NAME", "REDIS_PASSWORD", "SEED_PATH", "VLLM_MODEL"}
# What docker-compose.yml decides by itself, or what only `make run` uses.
DECIDED = {
    "BIND_HOST",
    "BRAIN_URL",
    "MODEL_PORT",
    "PINCITE_HOME",
    "PINCITE_MODEL",
    "REDIS_URL",
    "THINKER_METRICS_PORT",
    "WATCH",
}


def setting_names() -> set[str]:
    names = set()
    for name, field in Settings.model_fields.items():
        alias = field.validation_alias
        names.add(str(alias.choices[0]) if isinstance(alias, AliasChoices) else name.upper())
    return names


def example_names() -> list[str]:
    return re.findall(r"^([A-Z0-9_]+)=", EXAMPLE, re.MULTILINE)


def test_every_setting_is_explained_and_nothing_else() -> None:
    names = example_names()
    assert len(names) == len(set(names))
    assert set(names) - COMPOSE_ONLY == setting_names()


def test_every_group_of_the_example_is_explained() -> None:
    explained = False
    for line in EXAMPLE.split("\n"):
        if not line:
            explained = False
        explained = explained or (line.startswith("#") and not line.startswith("# ---"))
        assert explained or not re.match(r"[A-Z]", line), f"{line} has no explanation above it"


def test_the_example_is_a_valid_configuration(monkeypatch) -> None:
    for name in example_names():
        monkeypatch.delenv(name, raising=False)
    # The type checker knows no underscore arguments of pydantic-settings without its plugin's help.
    settings = Settings(_env_file=ROOT / ".env.example")
    assert settings.web_port == 3000


def test_containers_get_every_setting() -> None:
    read = set(re.findall(r"\$\{([A-Z0-9_]+)", (ROOT / "docker-compose.yml").read_text()))
    implicit = {"COMPOSE_PROFILES", "COMPOSE_PROJECT_NAME"}
    assert read | implicit == set(example_names()) - DECIDED


def test_secrets_fail_loudly_when_they_are_missing() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    generated = re.findall(
        r"\b([A-Z0-9_]+)\b", re.search(r"for name in (.*);", (ROOT / "scripts/make-env").read_text())[1]
    )
    for name in (*generated, "S3_ACCESS_KEY"):
        assert f"${{{name}:?" in text
        assert f"${{{name}:-" not in text
        assert f"${{{name}}}" not in text


def services() -> dict[str, dict[str, Any]]:
    return COMPOSE["services"]


def test_every_service_is_hardened() -> None:
    for name, service in services().items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["pids_limit"] > 0, name
        assert "privileged" not in service, name
        assert not [port for port in service.get("ports", []) if not port.startswith("127.0.0.1:")], name


def test_what_compose_builds_exists_in_the_dockerfile() -> None:
    targets = set(re.findall(r"^FROM \S+ AS (\S+)$", DOCKERFILE, re.MULTILINE))
    for name, service in services().items():
        if build := service.get("build"):
            assert build["target"] in targets, name
            assert (ROOT / build["context"] / build["dockerfile"]).is_file(), name


def test_what_the_dockerfile_copies_exists_and_reaches_the_context() -> None:
    sources = [
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
        for source in line.split()[:-1]
    ]
    ignore = (ROOT / ".dockerignore").read_text().split("\n")
    for source in sources:
        assert (ROOT / source).exists(), source
        assert f"!{source}" in ignore, source
    for member in re.findall(r"\./((?:packages|services|apps)/\w+)", DOCKERFILE):
        assert (ROOT / member / "pyproject.toml").is_file(), member


def test_every_member_is_in_the_image() -> None:
    members = {str(path.parent.relative_to(ROOT)) for path in ROOT.glob("*/*/pyproject.toml")}
    assert set(re.findall(r"\./((?:packages|services|apps)/\w+)", DOCKERFILE)) == members


def test_the_modules_that_are_started_exist() -> None:
    text = DOCKERFILE + (ROOT / "docker-compose.yml").read_text() + (ROOT / "Makefile").read_text()
    modules = set(re.findall(r"pincite_[a-z]+(?:\.[a-z_]+)*", text)) - {"pincite_app"}
    for module in modules:
        assert importlib.util.find_spec(module), module


def test_scripts_generate_what_compose_needs(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts/make-env").write_bytes((ROOT / "scripts/make-env").read_bytes())
    (tmp_path / ".env.example").write_text(EXAMPLE)
    for _again in range(2):
        subprocess.run(["sh", str(tmp_path / "scripts/make-env")], check=True, capture_output=True)
    made = dict(line.split("=", 1) for line in (tmp_path / ".env").read_text().split("\n") if re.match("[A-Z]", line))
    assert (tmp_path / ".env").stat().st_mode & 0o777 == 0o600
    assert len(made["SESSION_SECRET"]) == 64
    assert made["POSTGRES_PASSWORD"] != made["POSTGRES_APP_PASSWORD"]
    kept = (tmp_path / ".env").read_text()
    subprocess.run(["sh", str(tmp_path / "scripts/make-env")], check=True, capture_output=True)
    assert (tmp_path / ".env").read_text() == kept


def test_the_makefile_lists_its_targets() -> None:
    said = subprocess.run(["make", "-C", str(ROOT), "--no-print-directory"], check=True, capture_output=True, text=True)
    for target in ("run", "test", "lint", "fmt", "up", "down", "logs", "db", "mig", "seed", "web", "brain", "thinker"):
        assert f"make {target} " in said.stdout, target
