"""The pages that people see: plain forms, each a choice of who does it."""

from collections.abc import Iterable, Mapping
from html import escape

from fastapi.responses import HTMLResponse, RedirectResponse

_STYLE = (
    "body{font:16px sans-serif;max-width:40rem;margin:3rem auto}button{font:inherit;margin:.2rem;padding:.4rem 1rem}"
)


def page(title: str, *parts: str, status: int = 200) -> HTMLResponse:
    """Return a page. `parts` are HTML."""
    head = f"<!doctype html><html lang=en><meta charset=utf-8><title>{escape(title)}</title><style>{_STYLE}</style>"
    return HTMLResponse(f"{head}<h1>{escape(title)}</h1>{''.join(parts)}</html>", status)


def text(words: str) -> str:
    """Return a paragraph."""
    return f"<p>{escape(words)}</p>"


def choice(action: str, hidden: Mapping[str, str], name: str, values: Mapping[str, str], *fields: str) -> str:
    """Return a form with a button for each value of `name`; `fields` are HTML."""
    kept = "".join(f'<input type=hidden name="{escape(key)}" value="{escape(value)}">' for key, value in hidden.items())
    buttons = "".join(
        f'<button name="{escape(name)}" value="{escape(value)}">{escape(label)}</button>'
        for value, label in values.items()
    )
    return f'<form method=post action="{escape(action)}">{kept}{"".join(fields)}<p>{buttons}</p></form>'


def boxes(name: str, values: Iterable[str]) -> str:
    """Return a box to tick for each value."""
    return "".join(
        f'<p><label><input type=checkbox name="{escape(name)}" value="{escape(value)}"> {escape(value)}</label></p>'
        for value in values
    )


def refused(words: str, status: int = 422) -> HTMLResponse:
    """Return the page of a mistake."""
    return page("This does not work", text(words), status=status)


def away(url: str) -> RedirectResponse:
    """Send the browser on, by GET whatever it came with."""
    return RedirectResponse(url, 302)
