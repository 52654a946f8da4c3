"""The dialect matrix: whatever a caller asks for arrives at the provider, whatever the provider says arrives at the caller, or it is told.

`features.py` names what can be asked and answered. A `front_*.py` says each feature in the words of one API and reads that API's
answers; a `column_*.py` finds each feature in what a provider of one API got, and answers as that provider does. One more
`column_*.py` is one more column in every test and in core/docs/dialects.md (`python -m matrix` in tests/ writes it).
"""
