#!/usr/bin/python3 -S
"""Print a row for each product: how often it was sold, and for how much."""

import csv
import itertools
import json
import sys

pairs = map(json.loads, sys.stdin)
rows = csv.writer(sys.stdout, lineterminator="\n")
for product, sales in itertools.groupby(pairs, key=lambda pair: pair[0]):
    amounts = [amount for _, amount in sales]
    rows.writerow([product, len(amounts), f"{sum(amounts) / 100:.2f}"])
