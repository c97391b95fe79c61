"""What the studio costs beside its bare parts, both measured in one run.

`make bench` runs every subject and writes `bench/results.json` and `bench/RESULTS.md`;
`python -m bench.settle --small` runs one. `before` has the version before
this one on the other side. Only ratios are judged: absolute figures say more about the
machine than about the code.
"""
