"""The sheets of pictures that docs/phantom_sheet.py draws."""
