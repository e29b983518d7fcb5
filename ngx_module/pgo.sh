#!/usr/bin/env bash
# Builds the dynamic module by a profile of itself at work (gcc's profile-guided optimisation): ngx_module/pgo.sh [BUILD]; `make PGO=1` builds first what it needs.
# A module that counts how often each branch is taken serves what tests/bench/train.py sends, in an nginx of its own on the loopback; then it is compiled again by these
# counts: what runs lies together, and the branch that is taken is the one that does not jump. The profile is made anew when a source, the compiler or nginx is another.
# BUILD/pgo/ngx_http_gatehouse_module.so is the module; BUILD/pgo/counting and BUILD/pgo/profile are on the way to it.
set -euo pipefail

top=$(cd "$(dirname "$0")/.." && pwd)
build=${1:-build}
case $build in /*) ;; *) build=$top/$build ;; esac
nginx=${NGINX:-$(command -v nginx || echo /usr/sbin/nginx)}
pgo=$build/pgo
counting=$pgo/counting
profile=$pgo/profile
unset GATEHOUSE_CORE SANITIZE                           # of other builds, which are tests' alone

if ! ${CC:-cc} --version 2>/dev/null | grep -q 'Free Software Foundation'; then
    echo "pgo: ${CC:-cc} is not gcc, whose profiles these are: CC=gcc, or the module without a profile (make)." >&2
    exit 1
fi

if [ ! -r "${NGINX_SOURCE:-/usr/share/nginx/src}/conf_flags" ]; then
    exec "$top/ngx_module/build.sh" "$pgo"              # says what is missing
fi

stamp=$( { ${CC:-cc} --version; "$nginx" -V 2>&1; cat "${NGINX_SOURCE:-/usr/share/nginx/src}/conf_flags"; echo "${NGX_CC_OPT:-} ${NGX_LD_OPT:-}"
           cd "$top"; cat config ngx_module/build.sh ngx_module/pgo.sh tests/e2e/mock_backend.py tests/e2e/anthropic_shapes.py tests/e2e/documents.py
           find ngx_module policy residency tests/bench -name '*.[ch]' -o -path 'tests/bench/*.py' -o -path 'residency/data/*' -type f | LC_ALL=C sort | tr '\n' '\0' | xargs -0 sha256sum; } | sha256sum)

if [ "$(cat "$profile/stamp" 2>/dev/null)" != "$stamp" ]; then
    rm -rf "$profile"
    GATEHOUSE_PROFILE=generate "$top/ngx_module/build.sh" "$counting"
    find "$counting/nginx/objs" -name '*.gcda' -delete
    GATEHOUSE_NGINX=$nginx "${PYTHON:-python3}" "$top/tests/bench/train.py" "$counting/ngx_http_gatehouse_module.so" "$build" "$pgo/homes" >"$pgo/train.log" 2>&1 \
        || { tail -n 20 "$pgo/train.log" >&2; echo "pgo: the module that counts did not serve what it was to be trained by: $pgo/train.log" >&2; exit 1; }
    mkdir -p "$profile/counts"
    (cd "$counting/nginx/objs" && find . -name '*.gcda' -exec cp --parents -t "$profile/counts" {} +)
    if [ -z "$(find "$profile/counts" -name '*.gcda' | head -n 1)" ]; then
        echo "pgo: the module that counts has left no counts beside its objects in $counting/nginx/objs: may nginx's worker write there?" >&2
        exit 1
    fi
    printf '%s\n' "$stamp" >"$profile/stamp"
fi

GATEHOUSE_PROFILE=$profile "$top/ngx_module/build.sh" "$pgo"
