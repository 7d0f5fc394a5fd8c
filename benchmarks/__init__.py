"""Measurements: Postledger beside the raw engine, in one run. They print; they assert nothing."""
