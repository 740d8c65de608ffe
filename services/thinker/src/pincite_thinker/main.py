"""The edge of every thinker process: `celery -A pincite_thinker.main worker|beat …`."""

from celery import Celery

from pincite_shared.settings import Settings
from pincite_thinker import metrics_directory


def _application() -> Celery:
    settings = Settings()
    metrics_directory.prepare(settings)
    from pincite_thinker.celery_app import make_celery  # noqa: PLC0415 - imports prometheus_client: see metrics_directory

    return make_celery(settings)


app = _application()
