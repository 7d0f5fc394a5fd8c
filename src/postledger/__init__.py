"""Postledger, the event ledger for e-mail."""

from importlib.metadata import version

__version__ = version("postledger")
