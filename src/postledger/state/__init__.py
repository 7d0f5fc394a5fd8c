"""Workspaces and keys: the small, transactional data beside the events."""
