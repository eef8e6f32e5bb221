#!/bin/sh
# Adds up the numbers of each word. It prints pairs, so it is a combiner as well.
set -eu
exec awk -F '\t' '
$1 != word { if (NR > 1) print word "\t" sum; word = $1; sum = 0 }
{ sum += $2 }
END { if (NR) print word "\t" sum }'
