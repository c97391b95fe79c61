"""How values are written where a page does not say it: alike in every language."""
