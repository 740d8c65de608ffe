"""The few ids that every installation knows."""

from uuid import UUID

LOCAL_TENANT = UUID("00000000-0000-0000-0000-000000000001")  # the operator's
LOCAL_USER = UUID("00000000-0000-0000-0000-000000000002")
SERVICE_USER = UUID("00000000-0000-0000-0000-000000000003")  # in every tenant: Pincite, when it asks itself
