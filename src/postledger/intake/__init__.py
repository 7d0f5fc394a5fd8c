"""Bytes from a source to checked events. One module a source."""
