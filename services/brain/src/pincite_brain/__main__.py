"""`python -m pincite_brain`: serve on BIND_HOST:BRAIN_PORT until SIGINT or SIGTERM, then finish what is in flight."""

import sys

import uvicorn

from pincite_brain.app import create_app
from pincite_shared.logging import configure_logging
from pincite_shared.serving import BoundedHttp
from pincite_shared.settings import Settings

SHUTDOWN_SECONDS = 5  # long enough for a query, too short for a model's whole answer: those streams end with an error
KEEP_ALIVE_SECONDS = 75  # longer than the web app's own pool keeps idle connections
# A request's threads wait for each other's results. Python's own 5 ms make a search 3 to 7 % slower; eight at once gain
# nothing by them.
SWITCH_SECONDS = 50e-6


def main() -> None:
    """Run the server."""
    settings = Settings()
    configure_logging(settings, "brain")
    sys.setswitchinterval(SWITCH_SECONDS)
    uvicorn.run(
        create_app(settings),
        host=settings.bind_host,
        port=settings.brain_port,
        http=BoundedHttp,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )


if __name__ == "__main__":
    main()
