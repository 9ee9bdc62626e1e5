"""The pictures of rules that docs/rules and `curatome explain` show: `make docs-pictures`.

Each has two panels, one that the rule finds something in and one that it does not. The rule is run
over both while they are drawn, so that a picture cannot say what its rule does not.
"""
