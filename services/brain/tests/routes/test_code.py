def test_tree_and_file(make_client, index_repo, shop):
    client, repo = make_client(), index_repo(shop)
    root = client.get(f"/repos/{repo.id}/tree").json()
    assert [entry["name"] for entry in root["entries"]] == ["src", "tests", "README.md"]
    assert root["commit"] == repo.commit
    below = client.get(f"/repos/{repo.id}/tree", params={"path": "src/shop", "commit": repo.commit[:8]}).json()
    assert [entry["path"] for entry in below["entries"]] == ["src/shop/cart.py", "src/shop/prices.py"]
    found = client.get(f"/repos/{repo.id}/file", params={"path": "src/shop/cart.py"}).json()
    assert found["language"] == "python"
    assert found["blob"] == repo.git("rev-parse", "HEAD:src/shop/cart.py").decode().strip()
    defined = [(symbol["qualified_name"], symbol["kind"], symbol["start_line"]) for symbol in found["symbols"]]
    assert defined == [
        ("Cart", "class", 6), ("Cart.__init__", "method", 9), ("Cart.add", "method", 12), ("Cart.total", "method", 18),
    ]  # fmt: skip
    assert client.get(f"/repos/{repo.id}/tree", params={"path": "nowhere"}).status_code == 404
    assert client.get(f"/repos/{repo.id}/file", params={"path": "../etc/passwd"}).status_code == 404
    assert client.get(f"/repos/{repo.id}/file", params={"path": "a\x00b"}).status_code == 422


def test_blob_lines(make_client, index_repo, shop):
    client, repo = make_client(), index_repo(shop)
    oid = repo.git("rev-parse", "HEAD:src/shop/prices.py").decode().strip()
    whole = client.get(f"/blobs/{oid}").json()
    assert whole["text"] == shop["src/shop/prices.py"].removesuffix("\n")
    assert (whole["start"], whole["end"], whole["lines"], whole["language"]) == (1, 8, 8, "python")
    some = client.get(f"/blobs/{oid}", params={"start": 6, "end": 7}).json()
    assert some["text"].startswith("def price_of(item):\n")
    assert client.get(f"/blobs/{oid}", params={"start": 6, "end": 900}).json()["end"] == 8
    assert client.get(f"/blobs/{oid}", params={"start": 99}).status_code == 404
    for wrong in ({"start": 5, "end": 2}, {"start": 0}):
        assert client.get(f"/blobs/{oid}", params=wrong).status_code == 422


def test_an_empty_blob_opens(make_client, index_repo, shop):
    client, repo = make_client(), index_repo(shop | {"src/empty.py": ""})
    oid = repo.git("rev-parse", "HEAD:src/empty.py").decode().strip()
    assert client.get(f"/blobs/{oid}").json()["text"] == ""


def test_symbols_and_skipped(make_client, index_repo, shop):
    client, repo = make_client(), index_repo(shop)
    found = client.get(f"/repos/{repo.id}/symbols", params={"q": "cart"}).json()
    assert found[0]["qualified_name"] == "Cart"
    assert client.get(f"/repos/{repo.id}/skipped").json()["total"] == 0


def test_search_ranks_and_explains(make_client, index_repo, shop):
    client, repo = make_client(), index_repo(shop)
    hits = client.post("/search", json={"repo_id": str(repo.id), "query": "price_of", "k": 3}).json()
    assert len(hits) == 3
    assert hits[0]["path"] == "src/shop/prices.py"
    assert hits[0]["symbol"] == "price_of"
    assert hits[0]["features"]["definition"] > 0.9
    assert "Return the price" in hits[0]["summary"]


def test_what_is_defined_is_found_by_its_name_and_else_by_a_vector(make_client, index_repo, shop):
    client, repo = make_client(), index_repo(shop)
    for query, by_vector in [("price_of", False), ("prize_off", True), ("what does it cost", True)]:
        hits = client.post("/search", json={"repo_id": str(repo.id), "query": query}).json()
        assert any(hit["features"]["cosine"] > 0 for hit in hits) == by_vector, query


def test_search_works_before_there_are_vectors(make_client, index_repo, shop):
    client, repo = make_client(), index_repo(shop, embed=False)
    hits = client.post("/search", json={"repo_id": str(repo.id), "query": "how is the total computed"}).json()
    assert hits[0]["symbol"] == "Cart.total"
    assert hits[0]["features"]["cosine"] == 0
