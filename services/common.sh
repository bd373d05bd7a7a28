# What `up`, `down` and `install` share; sourced by each.
# Each server is a directory under $state with `pid`, `port`, `log` and its data.

cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}
case $target in /*) ;; *) target=$PWD/$target ;; esac
state=$target/services
env=$target/services.env
all="redis postgres mysql"

say() { echo "services: $*"; }

# The program of a server, by its path; nothing if it is not installed.
program() {
    case $1 in
        redis) command -v redis-server ;;
        mysql) command -v mariadbd || command -v mysqld || find /usr/sbin/mariadbd /usr/sbin/mysqld 2>/dev/null | head -n 1 ;;
        postgres) command -v postgres || find /usr/lib/postgresql/*/bin/postgres 2>/dev/null | sort -V | tail -n 1 ;;
    esac || true
}

package() {
    case $1 in
        redis) echo redis-server ;;
        postgres) echo postgresql ;;
        mysql) echo mariadb-server ;;
    esac
}

# The user that servers run as: postgres and mariadbd refuse to be root.
user() {
    for name in "$(id -un)" postgres mysql nobody; do
        if id -u "$name" >/dev/null 2>&1 && [ "$(id -u "$name")" != 0 ]; then
            echo "$name"
            return
        fi
    done
    say "this is root, and no other user is known that servers could run as" >&2
    return 1
}

# as COMMAND...: as that user, in the server's directory, with an environment of its own.
as() {
    if [ "$(id -u)" = 0 ]; then
        setpriv --reuid="$user" --regid="$(id -g "$user")" --clear-groups env -i PATH="$PATH" HOME="$home" LC_ALL=C "$@"
    else
        env -i PATH="$PATH" HOME="$home" LC_ALL=C "$@"
    fi
}

# True if the server's process lives; a number that another program has got since does not count.
lives() {
    local pid name
    pid=$(cat "$state/$1/pid" 2>/dev/null) && [ -n "$pid" ] || return 1
    name=$(basename "$(cat "$state/$1/program" 2>/dev/null)")
    ps -p "$pid" -o args= 2>/dev/null | grep -q "$name"
}
