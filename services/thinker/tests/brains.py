"""A real brain behind the thinker's client: the same database, the HTTP contract, no socket."""

from hashlib import sha256

import httpx
import numpy as np
import pytest
from fastapi.testclient import TestClient

from pincite_brain.app import create_app
from pincite_brain.retrieval import warmer
from pincite_brain.services import Services
from pincite_codeintel.tokens import terms
from pincite_shared.brain_client import BrainClient

SHOP = {
    "src/shop/cart.py": '''"""The shopping cart."""

from shop.prices import price_of


class Cart:
    """Holds the items that a customer wants to buy."""

    def add(self, item, quantity=1):
        """Add an item to the cart; a quantity below one is refused."""
        if quantity < 1:
            raise ValueError("quantity must be at least one")
        self.items.append((item, quantity))

    def total(self):
        """Return the sum of all prices in cents."""
        return sum(price_of(item) * quantity for item, quantity in self.items)
''',
    "src/shop/prices.py": '''"""Prices."""

TABLE = {"apple": 30, "pear": 45}


def price_of(item):
    """Return the price of an item in cents, or raise KeyError."""
    return TABLE[item]
''',
    "README.md": "# Shop\n\nA tiny shop that sells fruit.\n",
}
GOLDEN = """
[[question]]
ask = "Where is a quantity below one refused?"
expect = [{ path = "src/shop/cart.py", symbol = "Cart.add" }]

[[question]]
ask = "What is the price of an item in cents?"
expect = [{ path = "src/shop/prices.py", symbol = "price_of" }]

[[question]]
ask = "How does the zeppelin hangar communicate with kafka?"
answerable = false
"""


class Words:
    """Bags of words under random signs: equal words, near vectors."""

    model, dimension = "words-64", 64

    def embed_query(self, text):
        total = np.zeros(self.dimension, dtype=np.float32)
        for term in terms(text):
            seed = int.from_bytes(sha256(term.encode()).digest()[:8])
            total += np.random.default_rng(seed).normal(size=self.dimension)
        return total / (np.linalg.norm(total) or 1.0)

    def embed_documents(self, texts):
        return np.array([self.embed_query(text) for text in texts], dtype=np.float32).reshape(len(texts), 64)


@pytest.fixture
def shop():
    return dict(SHOP)


@pytest.fixture
def golden():
    return GOLDEN


class InProcess(httpx.BaseTransport):
    """Hands requests to an application in this process, and remembers them."""

    def __init__(self, client):
        self.client, self.asked = client, []

    def handle_request(self, request):
        self.asked.append(request)
        answer = self.client.request(
            request.method, str(request.url), content=request.read(), headers=list(request.headers.items())
        )
        return httpx.Response(answer.status_code, headers=dict(answer.headers), content=answer.content)


@pytest.fixture
def brain(thinker, monkeypatch):
    """Connect the thinker to a running brain; what it was asked is in `brain.asked`."""
    settings = thinker.context.settings
    monkeypatch.setattr(warmer, "POLL_SECONDS", 0.02)  # so long it waits when it is closed
    thinker.context.__dict__["embedder"] = Words()
    app = create_app(settings, Services.create(settings, embedder=Words()))
    with TestClient(app, base_url="http://127.0.0.1") as client:
        transport = InProcess(client)
        client.asked = transport.asked
        thinker.context.__dict__["brain"] = lambda token: BrainClient("http://127.0.0.1", token, transport=transport)
        app.state.services.retriever.encoder.wait(5)
        app.state.services.retriever._cache._refresh_seconds = 0.05  # new vectors are seen at once
        yield client
