#!/bin/sh
# Words of letters of any alphabet: bytes above ASCII are parts of letters.
set -eu
LC_ALL=C tr -cs 'A-Za-z\200-\377' '\n' < "$INPUT_FILE_PATH" | awk '$0 != "" { print tolower($0) "\t1" }'
