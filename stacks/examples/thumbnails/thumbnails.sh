#!/bin/sh
set -eu
name=$(basename "$INPUT_FILE_PATH")
echo "making a thumbnail of $name, at most $SIZE"
convert "$INPUT_FILE_PATH" -thumbnail "$SIZE" "$TMP_OUTPUT_DIR/${name%.*}.jpg"
identify "$TMP_OUTPUT_DIR/${name%.*}.jpg"
