"""`make demo`: the studio's main job once, without a browser.

`client.py` is the public API as a program uses it, and may be copied as an example; the
other modules check what it got and show it.
"""
