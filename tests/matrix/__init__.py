"""The dialect matrix: whatever a caller asks for arrives at the provider, whatever the provider says arrives at the caller, or it is told.

`features.py` names what can be asked and answered. A module of `fronts/` says each feature in the words of one API and reads that API's
answers; a module of `columns/` finds each feature in what a provider of one API got, and answers as that provider does. Adding a
module to `columns/` adds a column to every test and to core/docs/dialects.md (`python -m matrix` in tests/ writes it).
"""
