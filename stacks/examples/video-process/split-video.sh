#!/bin/sh
set -eu
name=$(basename "$INPUT_FILE_PATH")
echo "splitting $name in job ${AWS_BATCH_JOB_ID:-none}, two frames a second"
ffmpeg -nostdin -loglevel error -i "$INPUT_FILE_PATH" -vf fps=2 "$TMP_OUTPUT_DIR/${name%.*}-%04d.png"
echo "$(ls "$TMP_OUTPUT_DIR" | wc -l) frames"
