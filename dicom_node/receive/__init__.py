"""Verification and Storage SCP: what is acknowledged stands on disk and finds its way into the catalog.

`receiver` and `registrar` are two processes that meet in a folder; they are imported apart, since a receiver needs no
database.
"""
