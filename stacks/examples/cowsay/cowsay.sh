#!/bin/sh
set -eu
name=$(basename "$INPUT_FILE_PATH")
/usr/games/cowsay < "$INPUT_FILE_PATH" | tee "$TMP_OUTPUT_DIR/${name%.*}.cow.txt"
