#!/bin/sh
# ?size=160 makes the picture at most that wide and high, ?format=jpg another kind of file.
set -eu
format=${CONT_VAR_format:-png}
case $format in
    png | jpg | gif) ;;
    *) echo "format: '$format' is none of png, jpg and gif"; exit 1 ;;
esac
picture="$TMP_OUTPUT_DIR/grey.$format"
convert "$INPUT_FILE_PATH" -colorspace Gray ${CONT_VAR_size:+-resize "${CONT_VAR_size}x${CONT_VAR_size}>"} "$picture"
cat "$picture"
