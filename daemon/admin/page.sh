#!/bin/sh
# SPDX-License-Identifier: MIT
# page.sh FILE: a page as C, on standard output. Its style and its script begin
# after a line <style> or <script>, and end at one that closes it.
set -e
page=$1

# digest TAG: of what is between them, as a browser counts it: in base 64, of
# which three hexadecimal digits are two.
digest() {
	sum=$(sed -n "/^<$1>\$/,/^<\\/$1>\$/p" "$page" |
		awk 'NR > 1 { print last } { last = $0 } END { }' |
		sed '1s/.*//' | sha256sum)
	echo "${sum%% *}" | awk '
	BEGIN {
		hex = "0123456789abcdef"
		b64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz" \
			"0123456789+/"
	}
	{
		text = $1 "00"
		for (i = 1; i <= 64; i += 3) {
			n = 0
			for (k = 0; k < 3; k++)
				n = n * 16 + index(hex, substr(text, i + k, 1)) - 1
			out = out substr(b64, int(n / 64) + 1, 1) \
				substr(b64, n % 64 + 1, 1)
		}
		print "sha256-" substr(out, 1, 43) "="
	}'
}

# The lists of numbers begin and end with a comma at most.
echo '/* Made of page.html by page.sh. */'
echo '#include "daemon/admin/page.h"'
echo
echo 'const char page_html[] = {'
od -A n -v -t u1 "$page" | sed 's/  */,/g; s/^,//; s/$/,/'
echo '0};'
echo 'const size_t page_html_bytes = sizeof(page_html) - 1;'
echo 'const char page_policy[] ='
echo "	\"default-src 'none'; script-src '$(digest script)'; \""
echo "	\"style-src '$(digest style)'; connect-src 'self'; img-src data:; \""
echo "	\"base-uri 'none'; form-action 'none'; frame-ancestors 'none'\";"
