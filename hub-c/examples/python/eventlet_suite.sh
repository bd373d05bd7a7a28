#!/bin/sh
# eventlet_suite.sh LIBHUB_SO [HUB...]: eventlet's own tests, on its hubs and on the backends of libhub
#
# It fetches eventlet, its sources and what its tests need from PyPI into a temporary directory.
# Each line ends with what pytest says; the failures themselves are in the files it names.
set -eu
export HUB_LIBRARY="$(realpath "$1")" PYTHONDONTWRITEBYTECODE=1
export PYTHONPATH="$(cd "$(dirname "$0")" && pwd)"
shift
[ $# -gt 0 ] || set -- epolls poll selects \
    eventlet_hub:Epoll eventlet_hub:Poll eventlet_hub:Select eventlet_hub:Polling

work=$(mktemp -d)
cd "$work"
"${PYTHON:-python3}" -m venv venv
PATH=$work/venv/bin:$PATH
pip install --quiet eventlet==0.41.3 pytest pyzmq pyopenssl
pip download --quiet --no-deps --no-binary eventlet eventlet==0.41.3
tar xzf eventlet-*.tar.gz
cd eventlet-0.41.3
for hub in "$@"; do
    said=$work/$(echo "$hub" | tr : -).txt
    EVENTLET_HUB=$hub python -m pytest -p no:cacheprovider -q -rfE --tb=short tests >"$said" 2>&1 || :
    printf '%-20s %s (%s)\n' "$hub" "$(tail -n 1 "$said")" "$said"
done
