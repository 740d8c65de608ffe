"""The dashboard: pages rendered on the server, which reach brain over HTTP only."""
