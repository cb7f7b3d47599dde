#!/bin/sh
# What the server told the script, and the length of what the visitor sent.
told="$REQUEST_METHOD $REQUEST_URI|$SCRIPT_NAME|$PATH_INFO|$QUERY_STRING|$HTTP_HOST|$REDIRECT_STATUS"
told="$told|$(env | grep -ci piquet)|$(wc -c)"
exec printf 'Content-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s' "${#told}" "$told"
