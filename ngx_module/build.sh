#!/usr/bin/env bash
# Builds the dynamic module against the installed nginx: ngx_module/build.sh [BUILD]
# Debian's nginx-dev ships headers, the configure script and the flags of the binary; the tree is copied, configured
# once a change of sources or nginx asks for it, and make knows the rest. SANITIZE adds compiler and linker flags; without it the files are
# optimised together (LTO), which is a sixth of the time that the module takes for a request. GATEHOUSE_CORE=build/asan/libgatehouse.a takes the core from
# there instead of compiling it: for builds that are tests' alone, made with the same flags. GATEHOUSE_PROFILE=generate builds a module that counts what it does,
# GATEHOUSE_PROFILE=DIR one by what such a module has counted: see pgo.sh.
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

if [ -n "${GATEHOUSE_CORE:-}" ]; then
    case $GATEHOUSE_CORE in /*) ;; *) GATEHOUSE_CORE=$top/$GATEHOUSE_CORE ;; esac
    export GATEHOUSE_CORE
fi

mkdir -p "$build"
tree=$build/nginx

exports="-Wl,--version-script=$top/ngx_module/exports.map"
joined=
[ -n "${SANITIZE:-}" ] || joined="-flto=auto -fno-semantic-interposition"

# Structures of up to 2 KB are cleared, and all are copied, by libc, which has code for this processor: what gcc writes instead on x86, "rep stos" and "rep movs", takes
# longer to begin than most of them take. A compiler that does not know of it does as it likes.
libcalls="-mmemset-strategy=libcall:2047:noalign,rep_8byte:-1:noalign -mmemcpy-strategy=libcall:-1:noalign"
# shellcheck disable=SC2086
if [ -n "$joined" ] && echo | ${CC:-cc} $libcalls -x c -c -o /dev/null - 2>/dev/null; then
    joined="$joined $libcalls"
fi

# Code that was never run while it was counted is compiled as without a profile. What runs, runs once a request, and what that takes is mostly the reading of code: of what
# gcc does with a profile, all that copies code is left out, which makes the module an eighth smaller, and no request slower.
profile=
case ${GATEHOUSE_PROFILE:-} in
    "")       profiled= ;;
    generate) profiled="-fprofile-generate -fprofile-update=single" ;;
    *)        profile=$GATEHOUSE_PROFILE
              profiled="-fprofile-use -fprofile-partial-training -Wno-missing-profile -fno-tracer -fno-unroll-loops -fno-peel-loops -fno-split-loops -fno-unswitch-loops"
              profiled="$profiled -fno-ipa-cp-clone -fno-tree-loop-vectorize -fno-tree-slp-vectorize"
              [ -s "$profile/stamp" ] || { echo "build: no profile in $profile: make PGO=1 makes one." >&2; exit 1; } ;;
esac
joined="$joined $profiled"

# What decides whether configure has to run again.
stamp=$( { cat "$source/conf_flags" "$top/config" "$top/ngx_module/build.sh"; "$nginx" -V 2>&1 || true; echo "${SANITIZE:-} ${NGX_CC_OPT:-} ${NGX_LD_OPT:-} ${GATEHOUSE_CORE:-} $profiled"; [ -z "$profile" ] || cat "$profile/stamp";
           cd "$top"; ls ngx_module/*.c ngx_module/wire/*.c ngx_module/wire/*/*.c policy/*/*.c residency/*.c; } | sha256sum)

if [ ! -f "$tree/objs/Makefile" ] || [ "$(cat "$tree/gatehouse.stamp" 2>/dev/null)" != "$stamp" ]; then
    rm -rf "$tree"
    mkdir -p "$tree"
    cp -rL "$source"/. "$tree"/
    (
        cd "$tree"
        # shellcheck disable=SC1091
        . ./conf_flags
        ./configure "${NGX_CONF_FLAGS[@]}" \
            --with-cc-opt="${NGX_CC_OPT:--O2 -g -fPIC} -std=gnu11 $joined ${SANITIZE:-}" \
            --with-ld-opt="${NGX_LD_OPT:--Wl,-z,relro -Wl,-z,now} $joined $exports ${SANITIZE:-}" \
            --add-dynamic-module="$top" >configure.log 2>&1 \
            || { grep -h 'error' configure.log >&2 || tail -n 20 configure.log >&2; exit 1; }
    )
    printf '%s\n' "$stamp" >"$tree/gatehouse.stamp"
fi

# nginx's make knows nothing of a library that has changed.
if [ -n "${GATEHOUSE_CORE:-}" ] && [ "$GATEHOUSE_CORE" -nt "$tree/objs/ngx_http_gatehouse_module.so" ]; then
    rm -f "$tree/objs/ngx_http_gatehouse_module.so"
fi

# Counts lie beside the objects that they are of, where the compiler looks for them.
[ -z "$profile" ] || cp -r "$profile/counts/." "$tree/objs/"

make -j"$(nproc 2>/dev/null || echo 2)" -C "$tree" -f objs/Makefile --no-print-directory modules >"$build/nginx.log" 2>&1 \
    || { grep -E '(error|warning):' -A4 "$build/nginx.log" >&2 || tail -n 30 "$build/nginx.log" >&2; exit 1; }

# What the module needs and `config` does not list shows only when nginx loads it.
missing=$(nm -D --undefined-only "$tree/objs/ngx_http_gatehouse_module.so" | sed -n 's/.* U \(gh_.*\)/\1/p')
if [ -n "$missing" ]; then
    echo "build: the file that has" $missing "is missing in the list of sources in config." >&2
    exit 1
fi

# Renamed, never copied over: a running master may have the old one mapped.
cp "$tree/objs/ngx_http_gatehouse_module.so" "$build/.ngx_http_gatehouse_module.so.new"
mv -f "$build/.ngx_http_gatehouse_module.so.new" "$build/ngx_http_gatehouse_module.so"

"$top/ngx_module/check_signature.sh" "$build/ngx_http_gatehouse_module.so" "$nginx"
