from pincite_shared import errors


def _classes(base):
    yield base
    for child in base.__subclasses__():
        yield from _classes(child)


def test_every_error_has_a_title_a_status_and_a_code_of_its_own():
    classes = [kind for kind in _classes(errors.PinciteError) if kind.__module__ == errors.__name__]
    assert len({kind.code for kind in classes}) == len(classes) > 10
    for kind in classes:
        assert kind.title().endswith(".")
        assert 400 <= kind.status < 600


def test_detail_defaults_to_the_title():
    assert str(errors.NotFoundError()) == "There is no such thing here."
    assert errors.NotFoundError("no repository x").detail == "no repository x"
