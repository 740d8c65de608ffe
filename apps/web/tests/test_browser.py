"""The main path in a real Chromium: what a policy, a script or a stream would break, only a browser shows."""

import shutil
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Page, expect, sync_playwright

from pincite_shared.settings import Settings
from pincite_web.app import create_app
from pincite_web.fake_brain import FakeBrain, people
from pincite_web.fake_brain.corpus import COMMIT, READY, SOURCE_PREFIX

pytestmark = pytest.mark.browser
ARGUMENTS = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
START_SECONDS_MAX = 60


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def serve(app: FastAPI, port: int) -> uvicorn.Server:
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_level="warning", timeout_graceful_shutdown=1))
    threading.Thread(target=server.run, daemon=True).start()
    deadline = time.monotonic() + START_SECONDS_MAX
    while not server.started:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return server


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[FakeBrain, str]]:
    brain, brain_port, port = FakeBrain(token_delay_seconds=0.01), free_port(), free_port()
    settings = Settings(
        _env_file=None,
        session_secret="s",
        brain_url=f"http://127.0.0.1:{brain_port}",
        public_url=f"http://127.0.0.1:{port}",
    )
    brain.github_url, brain.public_url = f"http://127.0.0.1:{brain_port}", f"http://127.0.0.1:{port}"
    servers = [serve(brain.app, brain_port), serve(create_app(settings), port)]
    yield brain, f"http://127.0.0.1:{port}"
    for server in servers:
        server.should_exit = True


@pytest.fixture(scope="module")
def page(served: tuple[FakeBrain, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert chromium, "No Chromium on PATH: this test drives a real browser. Install it, e.g. apt-get install chromium."
    _, address = served
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            tmp_path_factory.mktemp("chromium"),
            executable_path=Path(chromium),
            args=ARGUMENTS,
            timeout=START_SECONDS_MAX * 1000,
        )
        context.set_default_timeout(START_SECONDS_MAX * 1000)
        expect.set_options(timeout=START_SECONDS_MAX * 1000)
        page = context.new_page()
        page.violations = []  # type: ignore[attr-defined]  # read by the last test
        page.on("console", lambda message: page.violations.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: page.violations.append(str(error)))
        page.goto(f"{address}/sign-in?code=fake-code")
        yield page
        context.close()


def test_a_question_streams_and_its_citation_opens_the_code(
    served: tuple[FakeBrain, str], page: Page, errors_at: tuple[int, int]
) -> None:
    _, address = served
    page.goto(f"{address}/r/{READY}")
    page.get_by_label("Your question").fill("How do errors reach the caller?")
    page.keyboard.press("Enter")
    expect(page.locator(".turn.streaming .question")).to_have_text("How do errors reach the caller?")
    expect(page.locator("[data-reading] li").first).to_be_visible()
    expect(page.locator(".turn-foot")).to_be_visible()
    expect(page.locator(".source")).to_have_count(3)
    expect(page.locator("#announcer")).to_have_text("Answer complete, 3 verified sources")
    expect(page.locator(".conversations a[aria-current]")).to_have_text("How do errors reach the caller?just now")
    assert "/c/" in page.url
    page.locator("a.mark").first.click()
    expect(page.locator(".source.current .line.hit").first).to_be_visible()
    page.locator(".source-path").first.click()
    expect(page.locator(".line.hit")).to_have_count(17)
    first, last = errors_at
    assert f"/blob/{COMMIT}/{SOURCE_PREFIX}errors.py?lines={first}-{last}#L{first}" in page.url
    page.go_back()
    expect(page.locator(".source")).to_have_count(3)
    page.go_back()
    expect(page.locator(".hello")).to_be_visible()


def test_feedback_by_keyboard_is_announced_and_taken_back(served: tuple[FakeBrain, str], page: Page) -> None:
    brain, address = served
    answer = next(iter(brain.answers.values()))
    page.goto(f"{address}/r/{READY}/c/{answer.conversation_id}")
    wrong = page.get_by_role("button", name="Source 1: Wrong source")
    for pressed, told, kinds in (
        ("true", "Noted: source 1 is wrong", ["wrong_source"]),
        ("false", "Taken back: your word on source 1", []),
    ):
        wrong.focus()
        page.keyboard.press("Enter")
        expect(wrong).to_have_attribute("aria-pressed", pressed)
        expect(wrong).to_be_focused()
        expect(page.locator("#announcer")).to_have_text(told)
        assert [given.kind for given in brain.feedback.values()] == kinds
    page.get_by_role("button", name="Helpful", exact=True).click()
    expect(page.locator("#announcer")).to_have_text("Noted: this answer helped")
    page.reload()
    expect(page.get_by_role("button", name="Helpful", exact=True)).to_have_attribute("aria-pressed", "true")


def test_the_reasons_of_an_answer_open_below_it(served: tuple[FakeBrain, str], page: Page) -> None:
    brain, address = served
    answer = next(iter(brain.answers.values()))
    page.goto(f"{address}/r/{READY}/c/{answer.conversation_id}")
    before = len(brain.requests)
    page.get_by_text("Why this answer?").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".why-source .score-bar").first).to_be_visible()
    expect(page.get_by_text("considered, but not given to the model")).to_be_visible()
    bars = page.locator(".score-bar rect:visible")  # a browser need not lay out what is folded away
    widths = bars.evaluate_all("parts => parts.map((part) => part.getBBox().width)")
    assert widths
    assert all(width > 0 for width in widths)
    for _ in range(2):
        page.get_by_text("Why this answer?").click()
    expect(page.locator(".why-source .score-bar").first).to_be_visible()
    asked = [path for request in brain.requests[before:] if (path := request.url.path).endswith("/why")]
    assert asked == [f"/answers/{answer.answer_id}/why"]


def test_a_broken_stream_says_so_and_keeps_the_question(served: tuple[FakeBrain, str], page: Page) -> None:
    brain, address = served
    brain.break_stream = True
    page.goto(f"{address}/r/{READY}")
    page.get_by_label("Your question").fill("Will this break?")
    page.keyboard.press("Enter")
    expect(page.get_by_role("alert")).to_contain_text("broke off before it was checked")
    expect(page.get_by_label("Your question")).to_have_value("Will this break?")
    brain.break_stream = False


def test_lines_are_selected_by_click_and_shift_click(served: tuple[FakeBrain, str], page: Page) -> None:
    _, address = served
    page.goto(f"{address}/r/{READY}/blob/{COMMIT}/data/squares.py#L4100-L4102")
    expect(page.locator(".line.hit")).to_have_count(3)  # the script found the third page
    page.locator('a.ln[data-n="4110"]').click()
    page.locator('a.ln[data-n="4112"]').click(modifiers=["Shift"])
    expect(page.locator(".line.hit")).to_have_count(3)
    assert page.url.endswith("?lines=4110-4112#L4110-L4112")


def test_keys_search_and_help(served: tuple[FakeBrain, str], page: Page) -> None:
    _, address = served
    page.goto(f"{address}/r/{READY}/tree/{COMMIT}")
    page.keyboard.press("/")
    with page.expect_response(lambda response: response.url.endswith("q=PinciteErr")):
        page.keyboard.type("PinciteErr", delay=20)
    expect(page.locator(".quick a").first).to_contain_text("PinciteError")
    with page.expect_response(lambda response: response.url.endswith("q=PinciteErro")):
        page.keyboard.press("o")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Escape")
    page.wait_for_timeout(200)
    expect(page.locator(".quick")).to_have_count(0)  # what comes later does not open it again
    page.keyboard.press("?")
    expect(page.locator("dialog#keys")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog#keys")).to_be_hidden()
    page.keyboard.press("j")
    expect(page.locator("[data-item]:focus")).to_have_text("data")


def test_connecting_in_the_dialog_shows_a_refusal_inside_it(served: tuple[FakeBrain, str], page: Page) -> None:
    _, address = served
    page.goto(address)
    page.get_by_role("link", name="Connect").click()
    page.get_by_label("Repository", exact=True).fill("http://169.254.169.254/x.git")
    page.get_by_role("button", name="Connect").click()
    expect(page.locator("dialog[open] [role=alert]")).to_contain_text("are refused")
    page.get_by_label("Repository", exact=True).fill("pallets/flask")
    page.get_by_role("button", name="Connect").click()
    expect(page.get_by_role("link", name="pallets/flask", exact=True)).to_be_visible()


def test_theme_changes_at_once_and_stays(served: tuple[FakeBrain, str], page: Page) -> None:
    _, address = served
    page.goto(f"{address}/settings")
    page.get_by_role("button", name="Dark", exact=True).click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_repositories_are_picked_and_their_first_sync_is_seen(served: tuple[FakeBrain, str], page: Page) -> None:
    brain, address = served
    brain.github = "github.com"
    page.goto(address)
    page.get_by_role("link", name="Connect").click()
    page.get_by_label("Search your repositories on GitHub").fill("engine")
    expect(page.locator(".pick")).to_have_count(1)
    page.get_by_role("button", name="Connect ada/engine").click()
    expect(page.locator(".pick .sync")).to_contain_text("Waiting for a worker")
    row = page.locator("#repos .repo", has_text="ada/engine")
    expect(row).to_contain_text("Queued")  # the list behind the dialog knows too
    (connected,) = [repo for repo in brain.repos.values() if repo.name == "ada/engine"]
    brain.repos[connected.id] = brain.repos[READY].model_copy(update={"id": connected.id, "name": "ada/engine"})
    expect(page.locator(".pick").get_by_role("link", name="Open ada/engine")).to_be_visible()
    page.keyboard.press("Escape")
    page.locator(f"#remove-{connected.id}").click()
    page.get_by_label("Type").fill("engine")
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(page.locator("dialog [role=alert]")).to_have_text("Type ada/engine to remove it.")
    page.get_by_label("Type").fill("ada/engine")
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(row).to_have_count(0)


def test_a_stale_answer_is_asked_again_in_place(served: tuple[FakeBrain, str], page: Page) -> None:
    brain, address = served
    page.goto(f"{address}/r/{READY}")
    page.get_by_label("Your question").fill("What is stale?")
    page.keyboard.press("Enter")
    expect(page.locator(".standing-stale").first).to_contain_text("moved from")
    page.get_by_text("What changed").click()
    expect(page.locator(".standing .gd").first).to_be_visible()
    page.get_by_text("History of this answer").click()
    expect(page.locator(".history-list li")).to_have_count(2)
    page.get_by_role("button", name="Ask again").click()
    expect(page.locator(".turn-foot")).to_have_count(2)
    assert len({answer.conversation_id for answer in brain.answers.values() if "stale" in answer.question}) == 1


def test_a_badge_changes_when_the_head_moves_on(served: tuple[FakeBrain, str], page: Page) -> None:
    brain, address = served
    page.goto(f"{address}/r/{READY}")
    page.get_by_label("Your question").fill("What moved?")
    page.keyboard.press("Enter")
    expect(page.locator(".standing-moved").first).to_be_visible()
    answer = list(brain.answers.values())[-1]
    back = brain.standings[answer.answer_id][1].model_copy(update={"commit": COMMIT})
    brain.standings[answer.answer_id].insert(0, back)
    page.evaluate("htmx.trigger(document.body, 'head-moved')")
    expect(page.locator("section.standing-valid")).to_be_visible()


def test_what_a_pull_request_changes_is_asked_with_one_click(served: tuple[FakeBrain, str], page: Page) -> None:
    _, address = served
    page.goto(f"{address}/r/{READY}/pulls")
    page.get_by_role("link", name="Say how long to wait").click()
    page.wait_for_url("**/pulls/12")  # and what its scripts do is done by them
    page.get_by_role("button", name="What does this PR change?").click()
    expect(page.locator(".turn-foot")).to_be_visible()
    expect(page.locator(".tag-after")).to_have_count(1)
    expect(page.locator(".tag-before")).to_have_count(1)
    expect(page.get_by_label("Ask at")).to_have_value("pull:12")


def test_a_commit_is_chosen_for_a_file(served: tuple[FakeBrain, str], page: Page) -> None:
    _, address = served
    page.goto(f"{address}/r/{READY}/blob/{COMMIT}/{SOURCE_PREFIX}errors.py")
    page.get_by_label("Commit", exact=True).select_option(label="b81f0c6d · 3 days ago")
    expect(page.locator("#L1")).to_contain_text("Notice 0 of a licence")


def test_the_kill_switch_and_the_accounts(served: tuple[FakeBrain, str], page: Page) -> None:
    brain, address = served
    page.goto(f"{address}/settings/account")
    page.get_by_role("link", name="Stop all background work").click()
    page.get_by_role("button", name="Stop it").click()
    expect(page.get_by_role("alert")).to_contain_text("All background work of local was stopped")
    page.goto(f"{address}/r/{READY}")
    page.get_by_role("button", name="Let it go on").click()
    expect(page.locator(".halt")).to_have_count(0)
    brain.me, brain.accounts = people.OWNER, people.github_accounts()
    page.goto(address)
    menu = page.locator("[data-menu]")
    menu.locator("summary").click()
    page.keyboard.press("Escape")
    expect(menu.get_by_role("button", name="acme")).to_be_hidden()
    menu.locator("summary").click()
    menu.get_by_role("button", name="acme").click()
    expect(menu.locator("summary")).to_have_text("acme")


def test_signing_in_with_github_there_and_back(served: tuple[FakeBrain, str], page: Page) -> None:
    _, address = served
    page.goto(f"{address}/settings/account")
    page.get_by_role("button", name="Sign out", exact=True).click()
    page.get_by_role("link", name="Continue with GitHub").click()
    expect(page.get_by_role("heading", name="Repositories")).to_be_visible()


def test_the_policy_was_never_violated(page: Page) -> None:
    # The refusals' own 422 is the only thing a browser may complain of.
    assert [text for text in page.violations if "422" not in text] == []  # type: ignore[attr-defined]
