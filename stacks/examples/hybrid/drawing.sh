#!/bin/sh
set -eu
name=$(basename "$INPUT_FILE_PATH")
echo "drawing: $name"
convert "$INPUT_FILE_PATH" -edge 1 -negate "$TMP_OUTPUT_DIR/$name"
