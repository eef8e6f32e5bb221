#!/bin/sh
# Sorts the lines of each list that lands in lists/in.
sort "$INPUT_FILE_PATH" >"$TMP_OUTPUT_DIR/$(basename "$INPUT_FILE_PATH")"
