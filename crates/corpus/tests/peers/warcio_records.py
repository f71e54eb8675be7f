"""Prints what warcio reads of each archive below a folder, one JSON object per file.

    python warcio_records.py FOLDER > ../it/golden/warcio.jsonl

A record is [type, target, length of its payload, CRC-32 of its payload]: what follows the HTTP header of a response,
else the block; null where warcio takes another part of it. "error" is what ended the file before its end.
"""

import io
import json
import sys
import zlib
from pathlib import Path

from warcio.archiveiterator import ArchiveIterator


def records(path):
    found, error = [], None
    try:
        with open(path, "rb") as file:
            for record in ArchiveIterator(file):
                headers = record.rec_headers
                target = headers.get_header("WARC-Target-URI") or headers.get_header("uri") or ""
                if record.rec_type == "arc_header" or record.rec_type != "response" and record.http_headers is not None:
                    # The block of a request is all of it, and so is that of an ARC file's heading.
                    payload = None
                else:
                    payload = record.raw_stream.read()
                crc = [len(payload), zlib.crc32(payload)] if payload is not None else [None, None]
                found.append([record.rec_type, target, *crc])
    except Exception as caught:  # Whatever it is, it is what warcio makes of the file.
        error = f"{type(caught).__name__}: {str(caught).strip().splitlines()[0] if str(caught).strip() else ''}"
    return found, error


root = Path(sys.argv[1])
sys.stderr = io.StringIO()
for path in sorted(root.rglob("*")):
    if path.is_file() and path.name != "COMMIT":
        found, error = records(path)
        print(json.dumps({"path": path.relative_to(root).as_posix(), "records": found, "error": error}))
