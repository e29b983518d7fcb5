#!/usr/bin/env bash
# Builds the dynamic module against the installed nginx: ngx_module/build.sh [BUILD]
# Debian's nginx-dev ships headers, the configure script and the flags of the binary; the tree is copied, configured
# once a change of sources or nginx asks for it, and make knows the rest. SANITIZE adds compiler and linker flags.
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
build=${1:-build}
case $build in /*) ;; *) build=$top/$build ;; esac
source=${NGINX_SOURCE:-/usr/share/nginx/src}
nginx=${NGINX:-$(command -v nginx || echo /usr/sbin/nginx)}

if [ ! -x "$source/configure" ] || [ ! -r "$source/conf_flags" ]; then
    echo "build: no nginx headers in $source: install the Debian package nginx-dev (apt-get install nginx-dev)." >&2
    exit 1
fi

mkdir -p "$build"
tree=$build/nginx

# What decides whether configure has to run again.
stamp=$( { cat "$source/conf_flags" "$top/config" "$top/ngx_module/build.sh"; "$nginx" -V 2>&1 || true; echo "${SANITIZE:-}";
           cd "$top"; ls ngx_module/*.c ngx_module/wire/*.c policy/*/*.c residency/*.c; } | sha256sum)

if [ ! -f "$tree/objs/Makefile" ] || [ "$(cat "$tree/gatehouse.stamp" 2>/dev/null)" != "$stamp" ]; then
    rm -rf "$tree"
    mkdir -p "$tree"
    cp -rL "$source"/. "$tree"/
    (
        cd "$tree"
        # shellcheck disable=SC1091
        . ./conf_flags
        ./configure "${NGX_CONF_FLAGS[@]}" \
            --with-cc-opt="${NGX_CC_OPT:--O2 -g -fPIC} -std=gnu11 ${SANITIZE:-}" \
            --with-ld-opt="${NGX_LD_OPT:--Wl,-z,relro -Wl,-z,now} ${SANITIZE:-}" \
            --add-dynamic-module="$top" >configure.log 2>&1 \
            || { grep -h 'error' configure.log >&2 || tail -n 20 configure.log >&2; exit 1; }
    )
    printf '%s\n' "$stamp" >"$tree/gatehouse.stamp"
fi

make -C "$tree" -f objs/Makefile --no-print-directory modules >"$build/nginx.log" 2>&1 \
    || { grep -E '(error|warning):' -A4 "$build/nginx.log" >&2 || tail -n 30 "$build/nginx.log" >&2; exit 1; }

# Renamed, never copied over: a running master may have the old one mapped.
cp "$tree/objs/ngx_http_gatehouse_module.so" "$build/.ngx_http_gatehouse_module.so.new"
mv -f "$build/.ngx_http_gatehouse_module.so.new" "$build/ngx_http_gatehouse_module.so"

"$top/ngx_module/check_signature.sh" "$build/ngx_http_gatehouse_module.so" "$nginx"
