# Runs one throw-away PostgreSQL server for as long as its standard input is open, then removes every trace of it.
# Arguments: directory of the server binaries, port, and `durable` for a server that survives a crash of the machine,
# or `fast` for tests. Says "ready" after each start; takes "restart" as a command.
set -eu
PATH="$1:$PATH"
port=$2
directory=$(mktemp -d "${TMPDIR:-/tmp}/art33-postgres.XXXXXX")
trap 'pg_ctl -s -D "$directory/data" -m immediate stop || true; rm -rf "$directory"' EXIT
trap 'exit 1' HUP INT TERM

initdb -D "$directory/data" -U art33 -A trust -E UTF8 --locale=C.UTF-8 --no-sync >"$directory/initdb" 2>&1 ||
    { cat "$directory/initdb" >&2; exit 1; }
cat >>"$directory/data/postgresql.conf" <<END
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = ''
max_connections = 300
END
if [ "$3" = fast ]; then
    printf '%s = off\n' fsync synchronous_commit full_page_writes >>"$directory/data/postgresql.conf"
fi
pg_ctl -s -w -D "$directory/data" -l "$directory/log" start || { cat "$directory/log" >&2; exit 1; }
echo ready
while read -r command; do
    case $command in
    restart)
        pg_ctl -s -w -D "$directory/data" -l "$directory/log" -m fast restart
        echo ready
        ;;
    esac
done
