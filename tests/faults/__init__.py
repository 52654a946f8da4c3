"""The proof that a request is never lost: every fault on every route, through real sockets on both sides.

`table.py` has the faults, `routes.py` the routes, `verdicts.py` what has to come of each; `python -m tests.faults` writes the page.
"""
