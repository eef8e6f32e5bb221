#!/bin/sh
set -eu
name=$(basename "$INPUT_FILE_PATH")
ffmpeg -nostdin -loglevel error -i "$INPUT_FILE_PATH" -vf edgedetect=low=0.1:high=0.3 "$TMP_OUTPUT_DIR/$name"
echo "edges of $name"
