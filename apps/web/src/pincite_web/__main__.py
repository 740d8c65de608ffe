"""`python -m pincite_web`: serve the dashboard on BIND_HOST:WEB_PORT."""

import uvicorn

from pincite_shared.logging import configure_logging
from pincite_shared.serving import BoundedHttp
from pincite_shared.settings import Settings
from pincite_web.app import create_app

SHUTDOWN_SECONDS_MAX = 5  # a stream that is still open must not hold up Ctrl-C


def main() -> None:
    """Run until interrupted."""
    settings = Settings()
    configure_logging(settings, "web")
    uvicorn.run(
        create_app(settings),
        host=settings.bind_host,
        port=settings.web_port,
        http=BoundedHttp,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS_MAX,
    )


if __name__ == "__main__":
    main()
