"""Exports: matching events as files, written in the background."""
