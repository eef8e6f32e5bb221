#!/usr/bin/python3 -S
"""Print a pair for each row `date,product,amount`: the product, and its amount in cents."""

import csv
import json
import os
from pathlib import Path

with Path(os.environ["INPUT_FILE_PATH"]).open(encoding="utf-8", newline="") as file:
    for _date, product, amount in csv.reader(file):
        print(json.dumps([product, round(float(amount) * 100)]))
