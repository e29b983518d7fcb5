#!/usr/bin/env bash
# Compares the module's binary signature with the installed nginx: ngx_module/check_signature.sh MODULE [NGINX]
# nginx refuses "module is not binary compatible" at start; this says it at build time, in words.
# The signature is "8,4,8," (pointer, atomic and time sizes) and a row of 0 and 1, one for each build option that changes a structure.
set -euo pipefail

module=${1:?usage: check_signature.sh MODULE [NGINX]}
nginx=${2:-$(command -v nginx || echo /usr/sbin/nginx)}

signature() { LC_ALL=C grep -aoE '[0-9],[0-9],[0-9],[01]{20,}' "$1" | head -n 1; }

if [ ! -e "$nginx" ]; then
    echo "signature: there is no nginx at $nginx: install the Debian package nginx (apt-get install nginx)." >&2
    exit 1
fi

ours=$(signature "$module" || true)
theirs=$(signature "$nginx" || true)
version=$("$nginx" -v 2>&1 | sed 's/.*nginx\///')
built=$(dirname "$module")/nginx/src/core/nginx.h
for header in "$built" /usr/share/nginx/src/src/core/nginx.h; do
    [ -r "$header" ] && break
done
headers=$(sed -n 's/^#define NGINX_VERSION *"\(.*\)"/\1/p' "$header" 2>/dev/null || true)

if [ -z "$ours" ] || [ -z "$theirs" ]; then
    echo "signature: no nginx binary signature in ${ours:+$nginx}${ours:-$module}: is it what it should be?" >&2
    exit 1
fi

if [ "$ours" != "$theirs" ]; then
    echo "signature: $module was built with other options than $nginx ($ours against $theirs): install the nginx-dev of the same version as nginx, then make clean and make." >&2
    exit 1
fi

if [ -n "$headers" ] && [ "$headers" != "${version%% *}" ]; then
    echo "signature: $module was built for nginx $headers, but $nginx is $version: install the nginx-dev of the same version as nginx, then make clean and make." >&2
    exit 1
fi
